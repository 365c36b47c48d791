"""Symbols of known projects against those that each language's own parser finds.

`python benchmarks/exactness.py [--python PATH]... [--go PATH]... [--typescript PATH]... [--library TYPESCRIPT]`

PATH is a folder with sources; `--library` is the folder of the npm package `typescript`. A language is left out, and
said so, when its tool (`go`, `node`) is not there. What the lists hold is written at the top of `golden/*` and of
`tests/support/golden.py`; two symbols are the same when path, name, class of kinds and line are. Files that the
language's own parser refuses are left out and counted.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT.parent / "tests"))

from repowright_tools.index.languages import grammar_of  # noqa: E402 # the path above is for the next one
from repowright_tools.index.parse import parse  # noqa: E402
from support.golden import python_symbols  # noqa: E402

ASKED = 0.99
MAX_BYTES = 1_000_000  # what the index parses; larger files are generated
CLASSES = {"class", "interface", "struct", "enum", "type"}
Golden = Callable[[Path, list[str]], tuple[set[tuple[str, str, str, int]], set[str]]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for language in ("python", "go", "typescript"):
        parser.add_argument(f"--{language}", type=Path, action="append", default=[])
    parser.add_argument("--library", type=Path, default=Path("node_modules/typescript"))
    parser.add_argument("--show", type=int, default=0, help="differences to print of each project")
    given = parser.parse_args()
    goldens: list[tuple[str, list[Path], Golden, str, tuple[str, ...]]] = [
        ("Python", given.python, golden_python, "", ("python",)),
        ("Go", given.go, golden_go, "go", ("go",)),
        ("TypeScript", given.typescript, golden_typescript(given.library.resolve()), "node", ("typescript", "tsx")),
    ]
    print("| language | project | files | refused | golden | found | recall | precision |")
    print("|---|---|---|---|---|---|---|---|")
    good = True
    for language, folders, golden, tool, grammars in goldens:
        if folders and tool and not shutil.which(tool):
            print(f"| {language} | left out: `{tool}` is not installed |")
            continue
        for folder in folders:
            good = compare(language, folder, golden, grammars, given.show) and good
    return 0 if good else 1


def compare(language: str, folder: Path, golden: Golden, grammars: tuple[str, ...], show: int) -> bool:
    paths = sources(folder, grammars)
    expected, refused = golden(folder, paths)
    read = [path for path in paths if path not in refused]
    found = {entry for path in read for entry in ours(folder, path)}
    common = len(expected & found)
    recall, precision = common / max(len(expected), 1), common / max(len(found), 1)
    row = (
        language,
        folder.name,
        len(read),
        len(refused),
        len(expected),
        len(found),
        f"{recall:.4f}",
        f"{precision:.4f}",
    )
    print("| " + " | ".join(map(str, row)) + " |")
    for label, entries in (("missed", expected - found), ("invented", found - expected)):
        if show and entries:
            print(f"  {label}: {dict(Counter(entry[2] for entry in entries))}")
            print("\n".join(f"    {entry}" for entry in sorted(entries)[:show]))
    return recall >= ASKED and precision >= ASKED


def sources(folder: Path, grammars: tuple[str, ...]) -> list[str]:
    """Files of the folder that have one of the grammars and are not too large to be parsed."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    names = (path.relative_to(folder).as_posix() for path in files if path.stat().st_size <= MAX_BYTES)
    return sorted(
        name for name in names if "node_modules" not in name and ".git/" not in name and grammar_of(name) in grammars
    )


def ours(folder: Path, path: str) -> Iterable[tuple[str, str, str, int]]:
    grammar = grammar_of(path)
    assert grammar
    for symbol in parse(grammar, (folder / path).read_bytes()).symbols:
        if symbol.name == "_" and grammar == "go":  # binds nothing
            continue
        if symbol.kind in {"function", "method"}:
            yield path, symbol.name, "function", symbol.line
        elif symbol.kind in CLASSES:
            yield path, symbol.name, "class", symbol.line
        elif symbol.kind in {"constant", "variable"}:
            yield path, symbol.name, "value", symbol.line


def golden_python(folder: Path, paths: list[str]) -> tuple[set[tuple[str, str, str, int]], set[str]]:
    expected: set[tuple[str, str, str, int]] = set()
    refused: set[str] = set()
    for path in paths:
        try:
            expected |= {(path, *entry) for entry in python_symbols((folder / path).read_bytes())}
        except (SyntaxError, ValueError):
            refused.add(path)
    return expected, refused


def golden_go(folder: Path, paths: list[str]) -> tuple[set[tuple[str, str, str, int]], set[str]]:
    return told(["go", "run", str(ROOT / "golden" / "symbols.go"), str(folder)], paths)


def golden_typescript(library: Path) -> Golden:
    def golden(folder: Path, paths: list[str]) -> tuple[set[tuple[str, str, str, int]], set[str]]:
        return told(["node", str(ROOT / "golden" / "symbols.js"), str(folder), str(library)], paths)

    return golden


def told(command: list[str], paths: list[str]) -> tuple[set[tuple[str, str, str, int]], set[str]]:
    """What a program prints of the files that it is given by name."""
    done = subprocess.run(command, input="\n".join(paths), stdout=subprocess.PIPE, text=True, check=True)
    rows = [tuple(json.loads(line)) for line in done.stdout.splitlines()]
    return {row for row in rows if row[2] != "unreadable"}, {row[0] for row in rows if row[2] == "unreadable"}


if __name__ == "__main__":
    sys.exit(main())
