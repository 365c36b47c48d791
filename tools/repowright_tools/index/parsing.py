"""Parsing in processes that can be killed: a parse holds the GIL to its end and knows no time limit."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream
from pydantic import TypeAdapter, ValidationError

from repowright_tools.index.limits import Limits
from repowright_tools.index.listing import SourceFile, digest_of
from repowright_tools.index.parse import ParsedFile
from repowright_tools.index.reading import FileRefused, TreeReader
from repowright_tools.threads import in_thread

_BATCH_BYTES = 256 * 1024
_BATCH_FILES = 64
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
_WORTH_A_SECOND_PROCESS = 1024 * 1024  # below this much source a second start costs more than it saves
_MAX_PROCESSES = 4
_MAX_LOSSES = 20

_PARSED_FILES = TypeAdapter(list[ParsedFile])


class ParserLost(Exception):
    """The process crashed, ran out of memory, was killed at its deadline or gave no sense."""


class Parser:
    """One process, started at first use and again after it was lost."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._process: anyio.abc.Process | None = None

    async def parse(self, files: Sequence[tuple[str, bytes]]) -> list[ParsedFile]:
        """Parse files given as grammar and bytes, in order. Raises ParserLost; the process is gone then."""
        try:
            with anyio.fail_after(self._deadline_s):
                answer = await self._exchange(files)
            parsed = _PARSED_FILES.validate_json(answer)
        except (TimeoutError, OSError, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError) as error:
            await self.kill()
            raise ParserLost(str(error)) from error
        except ValidationError as error:
            await self.kill()
            raise ParserLost("the parser's answer makes no sense") from error
        if len(parsed) != len(files):
            await self.kill()
            raise ParserLost("the parser's answer is incomplete")
        return parsed

    async def kill(self) -> None:
        """End the process now. Safe in a cancelled scope."""
        process, self._process = self._process, None
        if process is None:
            return
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()

    async def _exchange(self, files: Sequence[tuple[str, bytes]]) -> bytes:
        if self._process is None:
            with anyio.CancelScope(shield=True):  # cancelled half-way, it would be nobody's process
                self._process = await _start()
        assert self._process is not None
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        head = json.dumps([[grammar, len(data)] for grammar, data in files])
        await requests.send(head.encode() + b"\n" + b"".join(data for _, data in files))
        stream = BufferedByteReceiveStream(answers)
        size = int.from_bytes(await stream.receive_exactly(8), "big")
        if size > _MAX_ANSWER_BYTES:
            raise ParserLost("the parser's answer is beyond bounds")
        return await stream.receive_exactly(size)


@dataclass
class Parses:
    """Results by `key(file)`, the paths that could not be parsed, and how often a process was lost over one file."""

    by_key: dict[str, ParsedFile] = field(default_factory=dict[str, ParsedFile])
    failed: list[str] = field(default_factory=list[str])
    losses: int = 0


def key(file: SourceFile) -> str:
    """What a parse result depends on: the same grammar and bytes give the same result, wherever they are."""
    return f"{file.grammar}:{file.digest}"


async def parse_files(
    root: Path, files: Sequence[SourceFile], limits: Limits, on_progress: Callable[[int, int], None]
) -> Parses:
    """Parse files that have a grammar. One that makes its process crash or hang is given up, and no other with it."""
    distinct = list({key(file): file for file in files}.values())
    total = sum(file.size for file in distinct)
    result = Parses()
    batches = _batches(distinct)
    done = 0

    async def work() -> None:
        nonlocal done
        parser = Parser(limits.parse_deadline_s)
        try:
            for batch in batches:  # one iterator, shared: whoever is free takes the next batch
                if result.losses >= _MAX_LOSSES:  # made to cost time: no more of it
                    result.failed += [file.path for file in batch]
                    continue
                await _parse_batch(parser, root, batch, limits.parse_bytes, result)
                done += len(batch)
                on_progress(done, len(distinct))
        finally:
            await parser.kill()

    processes = min(os.cpu_count() or 1, _MAX_PROCESSES) if total > _WORTH_A_SECOND_PROCESS else 1
    async with anyio.create_task_group() as group:
        for _ in range(processes if distinct else 0):
            group.start_soon(work)
    result.failed.sort()
    return result


async def _parse_batch(parser: Parser, root: Path, batch: Sequence[SourceFile], most: int, result: Parses) -> None:
    loaded = await in_thread(_load, root, batch, most)
    result.failed += [file.path for file in set(batch).difference(file for file, _ in loaded)]
    try:
        _keep(result, loaded, await parser.parse([(file.grammar or "", data) for file, data in loaded]))
    except ParserLost:
        for file, data in loaded:  # one of them did it: find out which
            try:
                _keep(result, [(file, data)], await parser.parse([(file.grammar or "", data)]))
            except ParserLost:
                result.failed.append(file.path)
                result.losses += 1


def _keep(result: Parses, loaded: Sequence[tuple[SourceFile, bytes]], parsed: Sequence[ParsedFile]) -> None:
    result.by_key.update((key(file), one) for (file, _), one in zip(loaded, parsed, strict=True))


def _load(root: Path, batch: Sequence[SourceFile], most: int) -> list[tuple[SourceFile, bytes]]:
    """Files and their bytes, without those that went or changed since they were listed: a result belongs to bytes."""
    loaded: list[tuple[SourceFile, bytes]] = []
    with TreeReader(root) as reader:
        for file in batch:
            with suppress(FileRefused):
                data = reader.read(file.raw, most)
                if digest_of(data) == file.digest:
                    loaded.append((file, data))
    return loaded


def _batches(files: Sequence[SourceFile]) -> Iterator[list[SourceFile]]:
    batch: list[SourceFile] = []
    size = 0
    for file in files:
        if batch and (size + file.size > _BATCH_BYTES or len(batch) == _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
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
