"""Our map of a repository, as a program of `processes.py`: `map_process.py ROOT STORE TOKENS [files]`.

Every line is a focus, or null, and opens the repository anew and renders its map. The answer tells the seconds from
before the listing to after the map, with all modules loaded, and how many files were parsed for it; with `files`, also
which files are parsed, which takes a while that is no part of a map.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import anyio

from repowright_tools.index.index import Index
from repowright_tools.index.standby import Standby


def index_at(store: Path, standby: Standby) -> Index:
    """The one place that knows how an index is told where to keep what it found."""
    return Index(folder=store, repository="measured", standby=standby)


async def answer(root: Path, store: Path, standby: Standby, tokens: int, focus: str | None) -> dict[str, Any]:
    began = time.perf_counter()
    index = await index_at(store, standby).open(root)
    opened = time.perf_counter()
    rendered = await index.render_map(tokens, focus)
    return {
        "seconds": time.perf_counter() - began,
        "open": opened - began,
        "parsed": index.parsed_now,
        "text": rendered.text,
        "listed": index.listed,
    }


async def parsed_files(root: Path, store: Path, standby: Standby) -> list[tuple[str, str | None, int]]:
    """Name, grammar and size of each."""
    index = await index_at(store, standby).open(root)
    return [(os.fsdecode(file.raw), file.grammar, file.size) for file in index.files if file.path in index.parsed]


async def main() -> None:
    root, store, tokens = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    standby = Standby()  # as a server has
    try:
        for line in sys.stdin:
            answered = await answer(root, store, standby, tokens, json.loads(line))
            if sys.argv[4:]:
                answered["files"] = await parsed_files(root, store, standby)
            print(json.dumps(answered), flush=True)
    finally:
        await standby.aclose()


if __name__ == "__main__":
    anyio.run(main)
