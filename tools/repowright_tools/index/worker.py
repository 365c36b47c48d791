"""The process that reads and parses files. Nothing of the server's is in it but two pipes.

A request is one JSON line, `{"root", "limit", "files": [[name, form], ...], "known"}`: names as the file system spells
them, `form` the grammar to parse with (with `-tags` for definitions alone) or null, `known` the parse results that are
not needed, as `id:form`. A line `{"prepare": [form, ...]}` has no answer. The answer is eight bytes of length
(big-endian), then lines: JSON `[[id, lines, reason, parsed], ...]` in the order of the request, then one line for each
file with `parsed`, which is what `wire.dumped` makes. JSON and not pickle, because the parsers are native code that
reads hostile bytes: what comes back is data to the parent.
"""

import gc
import json
import os
import re
import resource
import sys
from contextlib import suppress
from itertools import chain
from operator import attrgetter
from typing import BinaryIO

from repowright_tools.index.blob import blob_id
from repowright_tools.index.classify import HEAD_BYTES, Reason, is_minified, reason_by_head
from repowright_tools.index.parse import ParsedFile, parse
from repowright_tools.index.reading import FileRefused, TreeReader, read_up_to
from repowright_tools.index.wire import TAGS, dumped
from repowright_tools.secrets import redact

_MEMORY_BYTES = 2 * 1024**3
_CPU_SECONDS = 600  # an orphan that hangs in a parse does not see its parent go: the kernel ends it

_NAME, _SCOPE, _SIGNATURE, _TARGET = map(attrgetter, ("name", "scope", "signature", "target"))
_DIGIT = re.compile("[0-9]")  # a long random name without one is rare, and looking into every name takes its time

_Fact = tuple[str | None, int, Reason | None, bool]


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints stays out of the answers
    for kind, limit in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # a lower limit is set already, or the system has no such limit
            resource.setrlimit(kind, (limit, limit))
    gc.disable()  # parse results have no cycles, and looking for some takes a tenth of the time
    serve(sys.stdin.buffer, answers)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the parent closes its end."""
    known: set[str] = set()
    while head := requests.readline():
        request = json.loads(head)
        for form in request.get("prepare", ()):
            parse(form.removesuffix(TAGS), b"")
        if "files" not in request:
            continue
        known = set(request.get("known", known))
        with TreeReader(request["root"]) as reader:
            facts, parses = _read(reader, request["files"], request["limit"], known)
        answer = "\n".join([json.dumps(facts), *parses]).encode()
        answers.write(len(answer).to_bytes(8, "big") + answer)
        answers.flush()


def _read(
    reader: TreeReader, files: list[tuple[str, str | None]], limit: int, known: set[str]
) -> tuple[list[_Fact], list[str]]:
    facts: list[_Fact] = []
    parses: list[str] = []
    for name, form in files:
        try:
            data = _text(reader, name, limit)
        except FileRefused as error:
            data = error.reason
        if isinstance(data, str):
            facts.append((None, 0, data, False))
            continue
        lines = data.count(b"\n") + (data[-1:] not in {b"", b"\n"})
        if is_minified(name, len(data), lines):
            facts.append((None, 0, "minified", False))
            continue
        identity = blob_id(data).hex()
        wanted = form is not None and f"{identity}:{form}" not in known
        if form is not None and wanted:
            grammar = form.removesuffix(TAGS)
            parses.append(dumped(without_secrets(parse(grammar, data)), references=grammar == form))
        facts.append((identity, lines, None, wanted))
    return facts, parses


def _text(reader: TreeReader, name: str, limit: int) -> bytes | Reason:
    """The bytes of a text file, or why it is left out. Raises FileRefused."""
    file, size = reader.open(os.fsencode(name))
    try:
        size = size or limit  # some file systems say 0 of files that have something
        head = read_up_to(file, min(size, HEAD_BYTES))
        if reason := reason_by_head(head):
            return reason
        if size > limit:
            return "oversized"
        return head + read_up_to(file, size - len(head))
    finally:
        os.close(file)


def without_secrets(parsed: ParsedFile) -> ParsedFile:
    """The same without secrets in any text: what comes out of here is kept in a database."""
    names = chain(parsed.references, map(_NAME, parsed.symbols), map(_SCOPE, parsed.symbols))
    random = filter(_DIGIT.search, [name for name in names if len(name) >= 12])
    texts = chain(map(_SIGNATURE, parsed.symbols), random, map(_TARGET, parsed.imports))
    joined = "\n".join([*texts, parsed.package or ""])
    if redact(joined) == joined:
        return parsed
    references: dict[str, int] = {}
    for name, count in parsed.references.items():  # two names may be the same when they are hidden
        hidden = redact(name)
        references[hidden] = references.get(hidden, 0) + count
    return parsed._replace(
        symbols=[
            symbol._replace(signature=redact(symbol.signature), name=redact(symbol.name), scope=redact(symbol.scope))
            for symbol in parsed.symbols
        ],
        references=references,
        imports=[item._replace(target=redact(item.target)) for item in parsed.imports],
        package=parsed.package and redact(parsed.package),
    )


if __name__ == "__main__":
    main()
