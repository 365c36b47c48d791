"""What CI runs: the shell lines of its files, as the outline of their YAML tells them from everything else."""

import re
from collections.abc import Iterator, Sequence

from repowright_tools.index.manifests.classify import command_in
from repowright_tools.index.manifests.found import Found, found
from repowright_tools.index.manifests.yaml_outline import Entry, outline
from repowright_tools.index.tree import Tree

_MOST_FILES = 60
_NOTHING: frozenset[str] = frozenset()
_SCRIPTS = frozenset({"script", "before_script", "commands", "command", "install", "before_install", "after_script",
                      "test_script", "build_script", "pipeline"})  # fmt: skip
_SHELL_KEYS: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = (  # files of a system, keys that hold shell lines
    (re.compile(r"\.github/workflows/[^/]+\.ya?ml|\.github/actions/[^/]+/action\.ya?ml"), frozenset({"run"})),
    (re.compile(r"\.gitlab-ci\.yml|\.gitlab/(?:[^/]+/)?[^/]+\.ya?ml"), _SCRIPTS),
    (re.compile(r"\.circleci/config\.yml"), frozenset({"run", "command"})),
    (re.compile(r"azure-pipelines[\w.-]*\.ya?ml|\.azure-pipelines/[^/]+\.ya?ml|\.azure/[^/]+\.ya?ml"),
     frozenset({"script", "bash", "pwsh"})),
    (re.compile(r"\.(?:travis|appveyor|drone|cirrus)\.yml|appveyor\.yml|bitbucket-pipelines\.yml|\.semaphore/[^/]+\.yml"
                r"|\.woodpecker\.ya?ml|\.(?:woodpecker|buildkite)/[^/]+\.ya?ml"), _SCRIPTS),
)  # fmt: skip
_JENKINS = re.compile(r"^\s{0,40}(?:sh|bat)[ (]{1,3}(?P<quote>'|\")(?P<line>[^'\"\n]{1,200})(?P=quote)", re.MULTILINE)
_LATE = re.compile(r"releas|publish|deploy|nightly|docs|latest|bench|stale|lock|codeql", re.IGNORECASE)
_FOLDER = re.compile(r"(?:\./)?[\w.-]+(?:/[\w.-]+){0,9}/?")


def commands(tree: Tree) -> Iterator[Found]:
    """Commands of the workflows that check a change before those that publish one."""
    files = [path for path in tree.paths if path == "Jenkinsfile" or _keys_of(path)][:_MOST_FILES]
    for path in sorted(files, key=lambda path: (bool(_LATE.search(path)), path)):
        for number, line, folder in steps(path, tree.text(path) or ""):
            if known := command_in(line):
                kind, command = known
                yield found(kind, f"cd {folder} && {command}" if folder else command, path, number)


def steps(path: str, text: str) -> Iterator[tuple[int, str, str]]:
    """Number and text of each shell line of a CI file, and the folder it runs in (empty for the root)."""
    if path == "Jenkinsfile":
        for match in _JENKINS.finditer(text):
            yield text.count("\n", 0, match.start("line")) + 1, match["line"], ""
        return
    keys = _keys_of(path)
    entries = list(outline(text))
    folders = {entry.keys[:-1]: entry.value for entry in entries if entry.keys and entry.keys[-1].startswith("working")}
    for number, line, at in _joined([entry for entry in entries if _is_shell(entry, keys)]):
        folder = _folder_at(at, folders)
        if folder is not None:
            yield number, line, folder


def _keys_of(path: str) -> frozenset[str]:
    return next((keys for pattern, keys in _SHELL_KEYS if pattern.fullmatch(path)), _NOTHING)


def _is_shell(entry: Entry, keys: frozenset[str]) -> bool:
    last = next((key for key in reversed(entry.keys) if not key.isdecimal()), "")
    return bool(entry.value) and last in keys and "image" not in entry.keys


def _joined(entries: Sequence[Entry]) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Lines, those that go on after a backslash made one."""
    started: tuple[int, list[str], tuple[str, ...]] | None = None
    for entry in entries:
        number, parts, keys = started if started and started[2] == entry.keys else (entry.line, [], entry.keys)
        if entry.value.endswith("\\"):
            started = number, [*parts, entry.value[:-1].strip()], keys
        else:
            started = None
            yield number, " ".join([*parts, entry.value]), keys


def _folder_at(keys: tuple[str, ...], folders: dict[tuple[str, ...], str]) -> str | None:
    """The folder that a step, its job or the whole file sets; None when it cannot be part of a shell line."""
    job = keys[:2]
    places = (keys[:-1], keys[:-2], (*job, "defaults", "run"), job, ("defaults", "run"))
    folder = next((folders[place] for place in places if place in folders), "")
    if not folder.strip("./"):
        return ""
    return folder.removeprefix("./").rstrip("/") if _FOLDER.fullmatch(folder) and ".." not in folder else None
