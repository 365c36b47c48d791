"""A parser that waits, ready, in a process that lives longer than one scan."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from repowright_tools.index.limits import Limits
from repowright_tools.index.parsing import Parser


class Standby:
    """Holds at most one parser that has not read anything yet. For one event loop."""

    def __init__(self, *, keeps: bool = True) -> None:
        """`keeps`: whether a parser is kept at all, for which somebody has to call `aclose`."""
        self._waiting: Parser | None = None
        self._keeps = keeps

    async def take(self, root: Path, limits: Limits) -> Parser:
        """A started parser for this folder.

        Raises:
            OSError: none can be started.
        """
        parser, self._waiting = self._waiting, None
        if parser is None:
            parser = Parser(root, limits)
        parser.root, parser.limits = root, limits
        await parser.start()
        return parser

    async def leave(self, parser: Parser, forms: Sequence[str]) -> None:
        """Take a parser back; one that has read is replaced by a new one, which loads what parses these forms."""
        if parser.used or self._waiting is not None or not self._keeps:
            await parser.kill()
        if self._waiting is None and self._keeps:
            self._waiting = Parser(parser.root, parser.limits) if parser.used else parser
            with suppress(OSError):  # the next scan will say so, if it is still so
                await self._waiting.prepare(forms)

    async def aclose(self) -> None:
        """End the process that waits, and keep none from now on."""
        self._keeps = False
        if self._waiting is not None:
            await self._waiting.kill()
