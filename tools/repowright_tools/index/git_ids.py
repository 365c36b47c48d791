"""Which files git says it knows the bytes of, so that a fresh clone or another work tree need not be read again."""

import re
from pathlib import Path

from repowright_tools.errors import RepowrightError
from repowright_tools.git.guard import GitFailed
from repowright_tools.git.shadow import ANYWHERE, find_work_tree

_ENTRY = re.compile(rb"H 100(?:644|755) ([0-9a-f]{40}) 0\t(.*)", re.DOTALL)
"""A plain file that git compares with the work tree: `h` and `S` mark those that it was told not to look at."""


async def unmodified_ids(root: Path) -> dict[bytes, bytes]:
    """The blob ids of files that are, as far as git can tell, as they are in its index; empty when it cannot say.

    Git compares by size and time, and reads a file only where those leave a doubt. Ids of SHA-256 repositories are
    not ours and are left out.
    """
    try:
        tree = find_work_tree(root, ANYWHERE)
        if tree.root != root:
            return {}
        listed = await tree.compare("ls-files", "-s", "-v", "-z")
        modified = set((await tree.compare("ls-files", "--modified", "-z")).split(b"\0"))
    except (GitFailed, RepowrightError):
        return {}
    entries = (_ENTRY.fullmatch(entry) for entry in listed.split(b"\0"))
    return {found[2]: bytes.fromhex(found[1].decode()) for found in entries if found and found[2] not in modified}
