"""TypeScript."""

from repowright_tools.index.languages.javascript import ScriptImports, exported
from repowright_tools.index.languages.language import Docs, Grammar, Language

_PACKAGE = "tree_sitter_typescript"

LANGUAGE = Language(
    "TypeScript",
    "ts tsx mts cts",
    grammars=(
        Grammar("typescript", _PACKAGE, ("typescript",), "language_typescript", "ts mts cts", exact=True),
        Grammar("tsx", _PACKAGE, ("typescript", "jsx"), "language_tsx", "tsx", exact=True),
    ),
    family="javascript",
    exported=exported,
    docs=Docs(blocks=(b"/**",)),
    resolver=ScriptImports,
)
