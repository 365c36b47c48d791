"""A parser that waits, ready, in a process that lives longer than one scan."""

from collections.abc import Sequence
from pathlib import Path

from repowright_tools.index.limits import Limits
from repowright_tools.index.parsing import Parser


class Standby:
    """Holds at most one parser that has not read anything yet. For one event loop."""

    def __init__(self, *, keeps: bool = True) -> None:
        """`keeps`: whether a parser is kept at all, for which somebody has to call `aclose`."""
        self._waiting: Parser | None = None
        self._keeps = keeps

    async def ready(self, root: Path, limits: Limits) -> None:
        """Have a parser started before it is asked for: until then, something else can be done.

        Raises:
            OSError: none can be started.
        """
        if self._waiting is None:
            parser = Parser(root, limits)
            await parser.start()
            await self._wait(parser)

    async def take(self, root: Path, limits: Limits) -> Parser:
        """A started parser for this folder.

        Raises:
            OSError: none can be started.
        """
        parser = self.spare(root, limits)
        await parser.start()
        return parser

    def spare(self, root: Path, limits: Limits) -> Parser:
        """A parser for this folder: the one that waits, or one that starts when it is first asked to read."""
        parser, self._waiting = self._waiting, None
        if parser is None:
            return Parser(root, limits)
        parser.root, parser.limits = root, limits
        return parser

    async def leave(self, parser: Parser, forms: Sequence[str]) -> None:
        """Take a parser back; one that has read is replaced by a new one, which loads what parses these forms."""
        if parser.used or self._waiting is not None or not self._keeps:
            await parser.kill()
        if self._waiting is None and self._keeps:
            following = Parser(parser.root, parser.limits) if parser.used else parser
            try:
                await following.prepare(forms)
            except OSError:  # the next scan will say so, if it is still so
                return
            except BaseException:
                await following.kill()
                raise
            await self._wait(following)
            await self.settle()  # it may have been closed meanwhile

    async def settle(self) -> None:
        """End a parser that was made ready and never taken, where none is kept."""
        if not self._keeps:
            await self.aclose()

    async def aclose(self) -> None:
        """End the process that waits, and keep none from now on."""
        self._keeps = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            await waiting.kill()

    async def _wait(self, parser: Parser) -> None:
        """Have a started parser wait; not before it is started, or two who take it would both start it."""
        if self._waiting is None:
            self._waiting = parser
        else:
            await parser.kill()
