"""The repository map of aider-chat, made by its own code: the peer that ours is measured against.

A program of `processes.py` for an interpreter that has aider-chat installed: `aider_map.py ROOT CACHE TOKENS`. Every
line is a message, or null; the answer is the map over all tracked files. Its cache of tags is
kept in the folder CACHE and not in the repository, and tokens are counted as a quarter of the characters, because
its own counter needs a network.
"""

import json
import re
import resource
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any


class _Model:
    def token_count(self, text: str) -> int:
        return len(text) // 4


class _Terminal:
    """What RepoMap asks of aider's terminal: the text of a file, None when it is not UTF-8; all else is dropped."""

    def read_text(self, name: str) -> str | None:
        try:
            return Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def tool_output(self, *_: object, **__: object) -> None: ...

    tool_warning = tool_error = tool_output


def mentions(message: str, files: list[str]) -> tuple[set[str], set[str]]:
    """Files and identifiers that a message mentions, as aider's chat takes them from one: every word is an
    identifier, and a file is mentioned when a word of five letters or more is its name without extension.
    """
    words = set(re.split(r"\W+", message)) - {""}
    lowered = {word.lower() for word in words if len(word) >= 5}
    return {file for file in files if Path(file).stem.lower() in lowered}, words


def main() -> None:
    root, cache, tokens = sys.argv[1:]
    repomap: Any = import_module("aider.repomap")
    for name in ("networkx", "scipy.sparse"):  # it imports them at first use: programs are timed with modules loaded
        import_module(name)
    repomap.RepoMap.TAGS_CACHE_DIR = cache
    answers, sys.stdout = sys.stdout, sys.stderr  # it prints as it likes
    maps: Any = None
    for line in sys.stdin:
        began = time.perf_counter()
        listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True, check=True).stdout
        files = [name.decode("utf-8", "surrogateescape") for name in listed.split(b"\0") if name]
        mentioned, words = mentions(json.loads(line) or "", files)
        if maps is None:
            maps = repomap.RepoMap(int(tokens), root, _Model(), _Terminal())
        text = maps.get_repo_map([], [f"{root}/{file}" for file in files], mentioned, words, force_refresh=True) or ""
        took = time.perf_counter() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": took, "text": text, "memory": memory}), file=answers, flush=True)


if __name__ == "__main__":
    main()
