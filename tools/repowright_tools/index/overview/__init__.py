"""What a newcomer, person or model, needs to know of a repository, each statement with its evidence."""

from repowright_tools.index.overview.build import Overview, overview
from repowright_tools.index.overview.text import overview_text

__all__ = ["Overview", "overview", "overview_text"]
