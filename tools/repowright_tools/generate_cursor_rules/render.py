"""From topics to files, for each assistant in the form that it reads."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from repowright_tools.generate_cursor_rules.blocks import Block
from repowright_tools.generate_cursor_rules.models import Target
from repowright_tools.generate_cursor_rules.projects import Project
from repowright_tools.generate_cursor_rules.topics import Topic
from repowright_tools.tokens import estimate_tokens


@dataclass(frozen=True)
class WantedFile:
    """A file, the project it is of, and how many rules it has. Without a block there is nothing to say in it now."""

    path: str
    project: Project
    block: Block | None
    rules: int

    @property
    def ours_alone(self) -> bool:
        """Whether nobody else writes in it: its name is ours."""
        return self.path.rpartition("/")[2].startswith("repowright")


_MOST_CHARACTERS = 12_000
"""Of one file: what Devin reads of it. The others take more."""
_NAMES: dict[Target, tuple[str, ...]] = {
    "cursor": tuple(f".cursor/rules/repowright-{kind}.mdc" for kind in ("commands", "layout", "tests", "python")),
    "agents": ("AGENTS.md",),
    "claude": ("AGENTS.md", "CLAUDE.md"),
    "copilot": (".github/copilot-instructions.md",),
    "devin": (".devin/rules/repowright.md",),
    "gemini": ("AGENTS.md", "GEMINI.md"),
}
"""Every file that a target may ever have had from us."""


def files_for(projects: Sequence[Project], targets: Sequence[Target], max_tokens: int) -> list[WantedFile]:
    """The files of these targets, each once, by path; also those that they may have had from us once.

    Args:
        projects: the folders; the rules of each are held to `max_tokens` by themselves.
        targets: whom the files are for.
        max_tokens: of all files that one target reads for a folder, as `estimate_tokens` counts.
    """
    files: dict[str, WantedFile] = {}
    for project in projects:
        for target in targets:
            for file in _FORMS[target](project, max_tokens):
                files.setdefault(file.path, file)
            for path in map(project.path, _NAMES[target]):
                files.setdefault(path, WantedFile(path, project, None, 0))
    return [files[path] for path in sorted(files)]


def call_for(paths: Sequence[str]) -> dict[str, Any]:
    """The targets and scope that have these files."""
    names = set(paths)
    targets: list[Target] = [target for target, files in _NAMES.items() if names & (set(files) - {"AGENTS.md"})]
    if "AGENTS.md" in names:
        targets.append("agents")
    at_the_root = {name for files in _NAMES.values() for name in files}
    return {"targets": targets, "scope": "root" if names <= at_the_root else "nested"}


def body(project: Project, topics: Sequence[Topic]) -> str:
    """The rules as Markdown: a heading a topic, a line a rule."""
    parts: list[str] = []
    for topic in topics:
        note = f"Run these in `{project.folder}/`.\n\n" if topic.kind == "commands" and project.folder else ""
        parts.append(f"## {topic.kind.capitalize()}\n\n{note}" + "".join(f"- {rule.claim}\n" for rule in topic.rules))
    return "\n".join(parts)


def _cursor(project: Project, max_tokens: int) -> list[WantedFile]:
    """One rule file a topic (cursor.com/docs/rules): its front matter has exactly these three keys."""

    def files(topics: Sequence[Topic]) -> list[WantedFile]:
        return [
            WantedFile(
                project.path(f".cursor/rules/repowright-{topic.kind}.mdc"),
                project,
                Block(_front_matter(topic), body(project, [topic])),
                len(topic.rules),
            )
            for topic in topics
        ]

    return _fitted(project, files, max_tokens)


def _front_matter(topic: Topic) -> str:
    globs = "" if topic.always else " " + ",".join(topic.globs)
    always = "true" if topic.always else "false"
    return f"---\ndescription: {topic.description}\nglobs:{globs.rstrip()}\nalwaysApply: {always}\n---\n\n"


def _one_file(name: str, head: str = "") -> Callable[[Project, int], list[WantedFile]]:
    def form(project: Project, max_tokens: int) -> list[WantedFile]:
        def files(topics: Sequence[Topic]) -> list[WantedFile]:
            rules = sum(len(topic.rules) for topic in topics)
            return [WantedFile(project.path(name), project, Block(head, body(project, topics)), rules)] if rules else []

        return _fitted(project, files, max_tokens)

    return form


def _at_the_root(form: Callable[[Project, int], list[WantedFile]]) -> Callable[[Project, int], list[WantedFile]]:
    """For assistants that look nowhere else."""
    return lambda project, max_tokens: [] if project.folder else form(project, max_tokens)


def _importing(name: str) -> Callable[[Project, int], list[WantedFile]]:
    """A file that imports AGENTS.md, so that nothing is said twice."""

    def form(project: Project, max_tokens: int) -> list[WantedFile]:
        files = _agents(project, max_tokens)
        return [*files, WantedFile(project.path(name), project, Block("", "@AGENTS.md\n"), 0)] if files else []

    return form


_agents = _one_file("AGENTS.md")
_DEVIN_HEAD = "---\ntrigger: always_on\ndescription: How to work in this project\n---\n\n"
_FORMS: dict[Target, Callable[[Project, int], list[WantedFile]]] = {
    "cursor": _cursor,
    "agents": _agents,
    "claude": _importing("CLAUDE.md"),
    "copilot": _at_the_root(_one_file(".github/copilot-instructions.md")),
    "devin": _at_the_root(_one_file(".devin/rules/repowright.md", _DEVIN_HEAD)),
    "gemini": _importing("GEMINI.md"),
}


def _fitted(
    project: Project, files: Callable[[Sequence[Topic]], list[WantedFile]], max_tokens: int
) -> list[WantedFile]:
    """The files with as many rules, from the most important on, as the tokens allow."""
    for count in range(len(project.rules), 0, -1):
        made = files(list(_first(project.topics, count)))
        texts = [file.block.marked() for file in made if file.block]
        if sum(map(estimate_tokens, texts)) <= max_tokens and all(len(text) <= _MOST_CHARACTERS for text in texts):
            return made
    return []


def _first(topics: Sequence[Topic], count: int) -> Iterator[Topic]:
    for topic in topics:
        if rules := list(topic.rules[: max(count, 0)]):
            yield replace(topic, rules=rules)
        count -= len(topic.rules)
