"""Reading and parsing in processes that can be killed: a parse holds the GIL to its end and knows no time limit."""

import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.memory import MemoryObjectSendStream

from repowright_tools.index.classify import Reason
from repowright_tools.index.limits import Limits
from repowright_tools.index.table import ID_BYTES, code_of
from repowright_tools.threads import beside

_BATCH_BYTES = 256 * 1024
_BATCH_FILES = 256
_FILE_COST = 2048  # of opening a file, as bytes that could be parsed meanwhile
_WORTH_A_SECOND_PROCESS = 512 * 1024  # below this much work a second start costs more than it saves
_MAX_PROCESSES = 4
_MAX_LOSSES = 20
_READ_DEADLINE_S = 60  # a disk may be slow


class ParserLost(Exception):
    """The process crashed, ran out of memory, was killed at its deadline or gave no sense."""


class Unread(NamedTuple):
    """A file to read: its name on disk, its size, and what parses it (see `forms`), or None."""

    name: bytes
    size: int
    form: str | None


class Read(NamedTuple):
    """What a file holds: the id of its bytes and their lines, or why it is left out; and its parse result.

    `parsed` is text of `wire.dumped`, empty when the parser was lost over the file, and None when none was asked for.
    """

    id: bytes | None
    lines: int
    reason: Reason | None
    parsed: str | None


class Parser:
    """One process, started at first use and again after it was lost."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self.root = root
        self.limits = limits
        self.used = False  # whether it was ever asked to read
        self._prepared: Sequence[str] = ()
        self._known: Sequence[str] = ()
        self._told = False
        self._process: anyio.abc.Process | None = None

    async def start(self) -> None:
        """Start the process, so that it is ready when it is known what to read.

        Raises:
            OSError: it cannot be started.
        """
        if self._process is None:
            with anyio.CancelScope(shield=True):  # cancelled half-way, it would be nobody's process
                self._process = await _start()
            self._told = False

    async def prepare(self, forms: Sequence[str]) -> None:
        """Have the process load what parses these forms while its caller is busy; it answers when it is asked next.

        Raises:
            OSError: it cannot be started.
        """
        await self.start()
        if self._prepared == forms:
            return
        self._prepared = forms
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(anyio.BrokenResourceError):
            await self._process.stdin.send(json.dumps({"prepare": list(forms)}).encode() + b"\n")

    def skip(self, known: Sequence[str]) -> None:
        """Parse results that are not needed, as `id:form`."""
        self._known, self._told = known, False

    async def read(self, files: Sequence[Unread]) -> list[Read]:
        """Read and parse files, in order. Raises ParserLost; the process is gone then."""
        self.used = True
        try:
            with anyio.fail_after(self._deadline_s(files)):
                return _understood(await self._exchange(files), files)
        except ParserLost:  # the rest of its answer would be taken for the next one
            await self.kill()
            raise
        except (TimeoutError, OSError, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError) as error:
            await self.kill()
            raise ParserLost(str(error)) from error
        except (ValueError, TypeError, RecursionError) as error:
            await self.kill()
            raise ParserLost("the parser's answer makes no sense") from error

    def _deadline_s(self, files: Sequence[Unread]) -> float:
        return self.limits.parse_deadline_s if any(file.form for file in files) else _READ_DEADLINE_S

    async def kill(self) -> None:
        """End the process now. Safe in a cancelled scope."""
        process, self._process = self._process, None
        if process is None:
            return
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()

    async def _exchange(self, files: Sequence[Unread]) -> bytes:
        await self.start()
        assert self._process is not None
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        request: dict[str, object] = {
            "root": str(self.root),
            "limit": self.limits.file_bytes,
            "files": [(os.fsdecode(file.name), file.form) for file in files],
        }
        if not self._told:
            request["known"] = list(self._known)
            self._told = True
        await requests.send(json.dumps(request).encode() + b"\n")
        stream = BufferedByteReceiveStream(answers)
        size = int.from_bytes(await stream.receive_exactly(8), "big")
        if size > self.limits.answer_bytes:
            raise ParserLost("the parser's answer is beyond bounds")
        return await stream.receive_exactly(size)


_Done = tuple[Sequence[Unread], Sequence[Read]]
Keep = Callable[[Sequence[Unread], Sequence[Read]], Awaitable[None]]


async def read_files(
    first: Parser, more: Callable[[], Parser], files: Sequence[Unread], known: Sequence[str], keep: Keep
) -> None:
    """Read files, those with a form also parsed. One that makes its process crash or hang is given up as unparsed.

    Args:
        first: a parser. All that are used are gone at the end.
        more: gives another one, for when there is enough to do.
        files: what to read.
        known: parse results that are not needed, as `id:form`.
        keep: told of each batch that is done, one at a time. Its error ends the work and is raised as it is.
    """
    losses: list[bytes] = []
    batches = _batches(files)
    work_bytes = sum(file.size + _FILE_COST for file in files)
    count = min(os.cpu_count() or 1, _MAX_PROCESSES) if work_bytes > _WORTH_A_SECOND_PROCESS else 1
    done, following = anyio.create_memory_object_stream[_Done](count)

    async def work(parser: Parser, done: MemoryObjectSendStream[_Done]) -> None:
        async with done:
            try:
                for batch in batches:  # one iterator, shared: whoever is free takes the next batch
                    await done.send((batch, await _read_batch(parser, batch, losses)))
            finally:
                await parser.kill()

    async with beside() as tasks, following:
        async with done:
            for parser in (first, *(more() for _ in range(count - 1))):
                parser.skip(known)
                tasks.start_soon(work, parser, done.clone())
        async for batch, results in following:  # the processes are at the next ones meanwhile
            await keep(batch, results)


async def _read_batch(parser: Parser, batch: Sequence[Unread], losses: list[bytes]) -> list[Read]:
    try:
        return await parser.read(batch)
    except ParserLost:  # one of them did it: find out which
        return [await _read_one(parser, file, losses) for file in batch]


async def _read_one(parser: Parser, file: Unread, losses: list[bytes]) -> Read:
    if file.form is not None and len(losses) < _MAX_LOSSES:  # beyond: made to cost time, no more of it
        try:
            return (await parser.read([file]))[0]
        except ParserLost:
            losses.append(file.name)
    if len(losses) >= 2 * _MAX_LOSSES:  # not even reading works
        return Read(None, 0, "unreadable", None)
    try:
        read = (await parser.read([file._replace(form=None)]))[0]
    except ParserLost:
        losses.append(file.name)
        return Read(None, 0, "unreadable", None)
    return read if file.form is None or read.id is None else read._replace(parsed="")


def _understood(answer: bytes, files: Sequence[Unread]) -> list[Read]:
    head, *parses = answer.decode().split("\n")
    facts: list[tuple[str | None, int, Reason | None, bool]] = json.loads(head)
    if len(facts) != len(files) or sum(fact[3] for fact in facts) != len(parses):
        raise ValueError("incomplete")
    following = iter(parses)
    return [_fact(*fact, following) for fact in facts]


def _fact(identity: str | None, lines: int, reason: Reason | None, parsed: bool, parses: Iterator[str]) -> Read:
    known = None if identity is None else bytes.fromhex(identity)
    if known is None:
        code_of(reason or "unreadable")  # ValueError: no reason of ours
    elif len(known) != ID_BYTES or reason is not None:
        raise ValueError("no id")
    return Read(known, int(lines), reason, next(parses) if parsed else None)


def _batches(files: Sequence[Unread]) -> Iterator[list[Unread]]:
    batch: list[Unread] = []
    size = 0
    for file in files:
        cost = file.size if file.form else 0
        if batch and (size + cost > _BATCH_BYTES or len(batch) == _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += cost
    if batch:
        yield batch


async def _start() -> anyio.abc.Process:
    # -P, an empty environment and `/` as folder: nothing that lies in the folder the server was started in, which is
    # somebody's repository, can take the place of a module. (The worker pools of anyio and multiprocessing start
    # Python with the current folder first on its path, and hand on the server's stdin and stdout.)
    command = [sys.executable, "-P", "-m", "repowright_tools.index.worker"]
    return await anyio.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/", env={}
    )
