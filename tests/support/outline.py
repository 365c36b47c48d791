"""What a parse found, in a form that a test can show."""

from repowright_tools.index.parse import ParsedFile


def outline(parsed: ParsedFile) -> list[str]:
    """For each symbol: line, kind, qualified name, `+` if exported, `local`, and the line of its documentation."""
    return [
        f"{symbol.line} {symbol.kind} {'.'.join(filter(None, (symbol.scope, symbol.name)))}"
        f"{' +' if symbol.exported else ''}{' local' if symbol.local else ''}"
        f"{f' doc {symbol.doc_line}' if symbol.doc_line else ''}"
        for symbol in parsed.symbols
    ]


def imports(parsed: ParsedFile) -> list[str]:
    return [item.target for item in parsed.imports]


def signatures(parsed: ParsedFile) -> dict[str, str]:
    return {symbol.name: symbol.signature for symbol in parsed.symbols}
