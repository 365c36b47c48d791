"""The floor: how long one process takes to read files and to parse them with tree-sitter, and nothing else.

A program of `processes.py`: the question is JSON, the root and `[path, grammar]` of every file. Grammars are loaded
before the clock starts, and every tree is dropped at once.
"""

import json
import os
import sys
import time
from importlib import import_module

from tree_sitter import Language, Parser

_FUNCTIONS = {"typescript": "language_typescript", "tsx": "language_tsx", "php": "language_php"}
_PACKAGES = {"tsx": "typescript", "csharp": "c_sharp"}


def parser_of(grammar: str) -> Parser:
    package = import_module(f"tree_sitter_{_PACKAGES.get(grammar, grammar)}")
    capsule: object = getattr(package, _FUNCTIONS.get(grammar, "language"))()
    return Parser(Language(capsule))


def main() -> None:
    for line in sys.stdin:
        root: str
        files: list[tuple[str, str]]
        root, files = json.loads(line)
        parsers = {grammar: parser_of(grammar) for grammar in {grammar for _, grammar in files}}
        size = 0
        began = time.perf_counter()
        for path, grammar in files:
            with open(os.path.join(root, path), "rb", buffering=0) as file:
                data = file.read()
            parsers[grammar].parse(data)
            size += len(data)
        print(json.dumps({"seconds": time.perf_counter() - began, "bytes": size}), flush=True)


if __name__ == "__main__":
    main()
