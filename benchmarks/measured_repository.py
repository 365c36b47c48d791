"""One repository in a clone of its own, and every program that is measured on it."""

import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processes import MemorySampler, Peak, Program, run

HERE = Path(__file__).resolve().parent
PEER_TOKENS = 8192  # the peer's budget in a chat without files
_FOCUS = "where are the settings of a request read and checked"
_FUNCTIONS = {
    "python": "\n\ndef touched_{0}():\n    return {0}\n",
    "javascript": "\nexport function touched{0}() {{ return {0} }}\n",
    "typescript": "\nexport function touched{0}(): number {{ return {0} }}\n",
    "tsx": "\nexport function touched{0}(): number {{ return {0} }}\n",
    "go": "\nfunc touched{0}() int {{ return {0} }}\n",
    "rust": "\nfn touched_{0}() -> i32 {{ {0} }}\n",
    "c": "\nint touched_{0}(void) {{ return {0}; }}\n",
}


@dataclass(frozen=True)
class Measured:
    """Medians of seconds by what was measured, and what else the tables tell.

    Attributes:
        listed: files in all; `parsed` of them are parsed, `size` bytes together.
        reparsed: files parsed in a second process, with nothing changed and with one file touched; most of any round.
        same: whether every map of the unchanged tree was the same text.
        peak: memory by what was asked.
    """

    name: str
    listed: int
    parsed: int
    size: int
    seconds: Mapping[str, float]
    reparsed: Mapping[str, int]
    same: bool
    peak: Mapping[str, Peak]
    peer_memory: float | None


class MeasuredRepository:
    """Clones `source` to `folder` and measures there, round by round."""

    def __init__(
        self, source: Path, folder: Path, environment: Mapping[str, str], peer: Path | None, tokens: int
    ) -> None:
        self._name = source.name
        self._environment = environment
        self._tree, self._store, self._cache = folder / "tree", folder / "store", folder / "cache"
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._reparsed: defaultdict[str, int] = defaultdict(int)
        self._maps: set[str] = set()
        self._peer_memory: list[float] = []
        self._touches = 0
        python = [sys.executable, "-P"]
        self._ours = [*python, str(HERE / "map_process.py"), str(self._tree), str(self._store), str(tokens)]
        self._floor = [*python, str(HERE / "floor.py")]
        self._peer = [str(peer), str(HERE / "aider_map.py"), str(self._tree), str(self._cache), str(PEER_TOKENS)]
        clone(source, self._tree)
        if peer:
            self._warm_up_peer(folder / "tiny")
        self._first, _ = run([*self._ours, "files"], self._environment)  # not measured: it warms caches
        self._files: list[tuple[str, str, int]] = self._first["files"]
        self._touchable, self._function = touchable(self._files)

    def round(self) -> None:
        """Everything once: the floor, cold, warm, beside a process that has it open, touched."""
        floor, _ = run(self._floor, self._environment, [str(self._tree), [file[:2] for file in self._files]])
        self._seconds["floor"].append(floor["seconds"])
        shutil.rmtree(self._store, ignore_errors=True)
        self._ask("cold")
        self._ask("warm")
        with Program(self._ours, self._environment) as holder:
            self._keep("held", holder.ask())
            self._keep("again", holder.ask())
            self._ask("second")
            with self._touched():
                self._ask("touched")
            with self._touched():
                self._keep("touched again", holder.ask())
            holder.close()

    def peer_round(self) -> None:
        shutil.rmtree(self._cache, ignore_errors=True)
        for name in ("peer cold", "peer warm"):
            self._ask_peer(name)
        with self._touched():
            self._ask_peer("peer touched")

    def finished(self) -> Measured:
        """Memory, in processes of its own because watching costs time, and the medians of all rounds."""
        peak: dict[str, Peak] = {}
        for name, focus in (("cold", None), ("cold with a focus", _FOCUS), ("warm", None)):
            if name.startswith("cold"):
                shutil.rmtree(self._store, ignore_errors=True)
            with Program(self._ours, self._environment) as program, MemorySampler(program.pid) as sampler:
                program.ask(focus)
                program.close()
            peak[name] = sampler.peak
        return Measured(
            name=self._name,
            listed=self._first["listed"],
            parsed=len(self._files),
            size=sum(size for _, _, size in self._files),
            seconds={name: statistics.median(found) for name, found in self._seconds.items()},
            reparsed=dict(self._reparsed),
            same=len(self._maps) == 1,
            peak=peak,
            peer_memory=statistics.median(self._peer_memory) if self._peer_memory else None,
        )

    def _warm_up_peer(self, folder: Path) -> None:
        """Its byte code is compiled before anything is measured, as ours is."""
        folder.mkdir()
        (folder / "tiny.py").write_text("def tiny():\n    return tiny()\n")
        for command in (["init", "-q"], ["add", "tiny.py"]):
            subprocess.run(["git", "-C", str(folder), *command], check=True)
        run([*self._peer[:2], str(folder), f"{folder}-cache", str(PEER_TOKENS)], self._environment)

    def _ask(self, name: str) -> None:
        answer, whole = run(self._ours, self._environment)
        self._keep(name, answer)
        self._seconds[f"{name} process"].append(whole)

    def _keep(self, name: str, answer: Mapping[str, Any]) -> None:
        self._seconds[name].append(answer["seconds"])
        self._reparsed[name] = max(self._reparsed[name], answer["parsed"])
        if not name.startswith("touched"):
            self._maps.add(answer["text"])

    def _ask_peer(self, name: str) -> None:
        answer, whole = run(self._peer, self._environment)
        self._seconds[name].append(answer["seconds"])
        self._seconds[f"{name} process"].append(whole)
        self._peer_memory.append(answer["memory"])

    @contextmanager
    def _touched(self) -> Generator[None]:
        """One file with a new function at its end, another one every time; as it was afterwards."""
        self._touches += 1
        path = self._tree / self._touchable
        before = path.read_bytes()
        path.write_bytes(before + self._function.format(self._touches).encode())
        try:
            yield
        finally:
            path.write_bytes(before)


def touchable(files: Sequence[tuple[str, str, int]]) -> tuple[str, str]:
    """A file of middling size in the language that most files are in, and the function to append to it."""
    grammars = Counter(grammar for _, grammar, _ in files if grammar in _FUNCTIONS)
    grammar = max(grammars, key=lambda name: (grammars[name], name))
    ordered = sorted((size, path) for path, its, size in files if its == grammar)
    return ordered[len(ordered) // 2][1], _FUNCTIONS[grammar]


def clone(source: Path, folder: Path) -> None:
    """A work tree that shares the source's objects, in the state a tree is in some time after its checkout."""
    subprocess.run(["git", "clone", "--quiet", "--shared", "--no-tags", str(source.resolve()), str(folder)], check=True)
    time.sleep(1.1)  # git reads files again whose time is that of its index: a second later it no longer has to
    subprocess.run(["git", "-C", str(folder), "status", "--porcelain"], check=True, stdout=subprocess.DEVNULL)
