"""How fast a repository becomes a map, how much memory that takes, and which files the map names.

`python benchmarks/analysis.py --aider PYTHON REPOSITORY [REPOSITORY ...]` prints tables in Markdown. PYTHON is an
interpreter with aider-chat installed, the peer; without it there is no peer to compare with. Everything runs on clones
in a temporary folder, in turn, each figure a median over `--repeat` fresh processes (the peer's over `--peer-repeat`).
Cases for the last table are drawn from a repository's own history, where it has one.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from analysis_tables import speed_tables
from map_quality import Quality, quality, quality_table
from measured_repository import Measured, MeasuredRepository
from processes import clean_environment

MAP_TOKENS = 4096


def main() -> None:
    options = _options()
    measured: list[Measured] = []
    qualities: list[Quality] = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        environment = clean_environment(Path(folder))
        for source in options.repositories:
            repository = MeasuredRepository(source, Path(folder) / source.name, environment, options.aider, MAP_TOKENS)
            for number in range(options.repeat):
                say(f"{source.name}: round {number + 1} of {options.repeat}")
                repository.round()
                if options.aider and number < options.peer_repeat:
                    say(f"{source.name}: the peer, cold, warm and with one file touched")
                    repository.peer_round()
            say(f"{source.name}: memory")
            measured.append(repository.finished())
            say(f"{source.name}: {measured[-1]}")
        for source in options.repositories if options.cases else ():
            qualities += quality(source, Path(folder), environment, options.aider, options.cases, MAP_TOKENS, say)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, medians of {options.repeat} rounds.\n")
    print(speed_tables(measured))
    if qualities:
        print(quality_table(qualities))


def say(text: str) -> None:
    print(f"{text} (load {os.getloadavg()[0]:.1f})", file=sys.stderr, flush=True)


class _Options(argparse.Namespace):
    aider: Path | None
    repeat: int
    peer_repeat: int
    cases: int
    folder: Path | None
    repositories: Sequence[Path]


def _options() -> _Options:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aider", type=Path, help="an interpreter that has aider-chat installed")
    parser.add_argument("--repeat", type=int, default=5, help="rounds a repository")
    parser.add_argument("--peer-repeat", type=int, default=3, help="in how many of them the peer runs too")
    parser.add_argument("--cases", type=int, default=50, help="commits a repository that maps are judged by")
    parser.add_argument("--folder", type=Path, help="where temporary files go")
    parser.add_argument("repositories", type=Path, nargs="+", help="git repositories; they are cloned, not changed")
    return parser.parse_args(namespace=_Options())


if __name__ == "__main__":
    main()
