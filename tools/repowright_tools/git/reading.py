"""Git on the folder that a run is bound to: a work tree, whoever owns it, or a folder without git."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from repowright_tools.git.guard import MAX_OUTPUT_BYTES, run_git
from repowright_tools.git.shadow import ANYWHERE, enclosing_work_tree, make_empty_shadow

WITHOUT_INDEX = {"GIT_INDEX_FILE": "/nonexistent/index"}
"""For commands that need no index and read it all the same: git would unfold a sparse one, and write to the user's
objects."""


async def read_git(
    root: Path,
    *arguments: str,
    deadline_s: float = 60,
    environment: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    max_output: int = MAX_OUTPUT_BYTES,
) -> bytes:
    """Run a git command that reads, such as `ls-files` or `log`, on a folder whose place has been approved.

    Git is told where the repository is. It does not look for one, which it refuses where another user owns it, and in
    a folder without git it is given an empty repository outside of it: `ls-files --others --exclude-standard` lists
    that folder by all the rules for `.gitignore`, and a command that needs a commit fails as before the first one.

    Args:
        root: a folder inside a work tree, or one without git.
        arguments: a command that runs no program of the repository's configuration: see `shadow.py`.
        deadline_s: seconds after which git is killed.
        environment: more for git to know.
        stdin: what git reads; nothing by default.
        max_output: bytes git may print.

    Raises:
        NotARepository: a bare repository, or the inside of a `.git` folder.
        GitFailed: git says no (GitLate, GitFlooded: we ended it).
    """
    tree = enclosing_work_tree(root, ANYWHERE)
    if tree is not None:
        return await run_git(
            root,
            *arguments,
            environment={**tree.environment, **(environment or {})},
            deadline_s=deadline_s,
            stdin=stdin,
            max_output=max_output,
        )
    with tempfile.TemporaryDirectory(prefix="repowright-") as shadow:
        make_empty_shadow(Path(shadow))
        own = {"GIT_DIR": shadow, "GIT_WORK_TREE": str(root), **(environment or {})}
        return await run_git(
            root, *arguments, environment=own, deadline_s=deadline_s, stdin=stdin, max_output=max_output
        )
