"""What a repository is known by, so that all its branches, work trees and clones share one index."""

from pathlib import Path

from repowright_tools.errors import SourceError
from repowright_tools.git.shadow import ANYWHERE, find_work_tree
from repowright_tools.stage import BoundRepository


def identity_of(repository: BoundRepository) -> str:
    """The address of a remote repository; of a local one the folder that holds its history, which its work trees
    share, or its own folder when it has no history.
    """
    if repository.kind == "remote":
        return repository.origin or repository.source
    try:
        return str(find_work_tree(Path(repository.source), ANYWHERE).common_folder)
    except SourceError:
        return repository.root
