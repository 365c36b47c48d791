"""The process that parses source files. Nothing of the server's is in it but two pipes.

A request is one JSON line, `[[grammar, size], ...]`, and then the bytes of those files one after another. The answer
is eight bytes of length (big-endian) and as much JSON: a list of parsed files in the same order. JSON and not pickle,
because the parsers are native code that reads hostile bytes: what comes back from them is data to the parent.
"""

import json
import os
import resource
import sys
from contextlib import suppress
from typing import BinaryIO

from pydantic import TypeAdapter

from repowright_tools.index.parse import ParsedFile, parse

_MEMORY_BYTES = 2 * 1024**3
_CPU_SECONDS = 600  # an orphan that hangs in a parse does not see its parent go: the kernel ends it

PARSED_FILES = TypeAdapter(list[ParsedFile])


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
    serve(sys.stdin.buffer, answers)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the parent closes its end."""
    while head := requests.readline():
        files = [(str(grammar), requests.read(int(size))) for grammar, size in json.loads(head)]
        answer = PARSED_FILES.dump_json([parse(grammar, data) for grammar, data in files])
        answers.write(len(answer).to_bytes(8, "big") + answer)
        answers.flush()


if __name__ == "__main__":
    main()
