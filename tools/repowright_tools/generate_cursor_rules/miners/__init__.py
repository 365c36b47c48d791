"""From a repository to rules about it: only what its files prove, in our own words, and without a model."""

from typing import TYPE_CHECKING

from repowright_tools.generate_cursor_rules.miners import commands, layout, python, tests
from repowright_tools.generate_cursor_rules.topics import Topic

if TYPE_CHECKING:
    from repowright_tools.index.index import RepositoryIndex

_MINERS = (commands.mine, layout.mine, tests.mine, python.mine)
"""The most important first: what does not fit is left out from the end."""


def mine(repository: "RepositoryIndex") -> list[Topic]:
    """The topics that have rules. Reads files: to be called in a thread."""
    return [topic for miner in _MINERS if (topic := miner(repository)).rules]
