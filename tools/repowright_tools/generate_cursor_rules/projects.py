"""The folders of a repository that have rules of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

from repowright_tools.generate_cursor_rules.models import Rule
from repowright_tools.generate_cursor_rules.quoting import quoted
from repowright_tools.generate_cursor_rules.topics import Topic

_MANIFESTS = frozenset(
    {"pyproject.toml", "setup.py", "package.json", "go.mod", "Cargo.toml", "pom.xml", "build.gradle"}
)
_MOST_DEEP = 3
_MOST_FOLDERS = 30


@dataclass(frozen=True)
class Project:
    """A folder and its topics, whose paths are relative to it: the root (empty), or one with its own manifest."""

    folder: str
    topics: Sequence[Topic]

    @property
    def rules(self) -> list[Rule]:
        return [rule for topic in self.topics for rule in topic.rules]

    def path(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name

    def rules_of_repository(self) -> list[Rule]:
        """The rules with ids and evidence as seen from the root of the repository."""
        return [
            rule.model_copy(
                update={
                    "id": self.path(rule.id),
                    "evidence": [at.model_copy(update={"path": self.path(at.path)}) for at in rule.evidence],
                }
            )
            for rule in self.rules
        ]


def folders_with_manifests(paths: Sequence[str]) -> list[str]:
    """Folders below the root, at most three deep, with a manifest of their own; sorted, the first thirty."""
    folders = {path.rpartition("/")[0] for path in paths if path.rpartition("/")[2] in _MANIFESTS}
    return sorted(folder for folder in folders if folder.count("/") < _MOST_DEEP and quoted(folder))[:_MOST_FOLDERS]
