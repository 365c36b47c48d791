"""What the folders hold, where programs start, and what is not edited here."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from repowright_tools.generate_cursor_rules.miners.naming import TEST_FOLDERS, belongs_to_tests, pattern_of
from repowright_tools.generate_cursor_rules.models import Rule
from repowright_tools.generate_cursor_rules.quoting import quoted
from repowright_tools.generate_cursor_rules.topics import Topic, agreed, rule
from repowright_tools.index.classify import reason_by_path
from repowright_tools.models import Evidence

if TYPE_CHECKING:
    from repowright_tools.index.entry_points import EntryPoint
    from repowright_tools.index.index import RepositoryIndex
    from repowright_tools.index.listing import SourceFile

_MOST_FOLDERS = 12
_MOST_ENTRY_POINTS = 6
_MOST_PACKAGES = 4
_PROSE = frozenset({"Markdown", "reStructuredText", "Text"})
_STARTS = {
    "console_script": "Command",
    "package_bin": "Command",
    "package_main": "Package",
    "module_main": "Module",
    "main_guard": "Script",
    "go_main": "Program",
    "rust_main": "Program",
    "java_main": "Class",
}


def mine(repository: "RepositoryIndex") -> Topic:
    return Topic(
        kind="layout",
        description="What the folders of this project hold, where its programs start, and what is not edited by hand",
        rules=[*_not_edited(repository), *_folders(repository), *_entry_points(repository)],
    )


def _not_edited(repository: "RepositoryIndex") -> Iterator[Rule]:
    for group in repository.excluded:
        names = {path: _vendor_folder(path) if group.reason == "vendored" else path for path in group.examples}
        texts = list(dict.fromkeys(text for name in names.values() if (text := quoted(name))))
        evidence = [Evidence(path=path, line=1) for path, name in names.items() if quoted(name)]
        if texts and group.reason == "vendored":
            statement = f"not edited here: {', '.join(texts)}"
            yield rule("layout", "Third-party code", statement, evidence, group.count, group.count)
        elif texts and group.reason == "generated":
            statement = f"changed where they come from, never by hand, such as {texts[0]}"
            yield rule("layout", "Generated files", statement, evidence, group.count, group.count)


def _vendor_folder(path: str) -> str:
    parts = path.split("/")
    folders = ("/".join(parts[:length]) for length in range(1, len(parts)))
    return next((f"{folder}/" for folder in folders if reason_by_path(f"{folder}/x") == "vendored"), path)


def _folders(repository: "RepositoryIndex") -> Iterator[Rule]:
    members: defaultdict[str, list[SourceFile]] = defaultdict(list)
    for file in repository.files:
        folder, slash, _ = file.path.partition("/")
        if slash and not folder.startswith("."):
            members[folder].append(file)
    largest = sorted(members, key=lambda folder: (-sum(file.lines for file in members[folder]), folder))[:_MOST_FOLDERS]
    for folder in sorted(largest):
        subject, role = quoted(f"{folder}/"), _role(folder, members[folder])
        if subject and role:
            statement, proofs = role
            evidence = [Evidence(path=file.path, line=1) for file in proofs if file.lines and quoted(file.path)]
            if evidence:
                yield rule("layout", subject, statement, evidence, len(proofs), len(members[folder]))


def _role(folder: str, files: Sequence["SourceFile"]) -> tuple[str, list["SourceFile"]] | None:
    """What the folder is for, and the files that say so; None when they say nothing."""
    tests = [file for file in files if pattern_of(file.path)]
    if tests and folder in TEST_FOLDERS:
        return "tests", tests
    python = [file for file in files if file.language == "Python"]
    packages = _packages(file.path for file in python)
    if folder in packages:
        return "Python package", python
    if names := [text for package in packages if (text := quoted(package))][:_MOST_PACKAGES]:
        return f"Python {'package' if len(names) == 1 else 'packages'} {', '.join(names)}", python
    prose = [file for file in files if file.language in _PROSE]
    if agreed(len(prose), len(files), fewest=2):
        return "documentation", prose
    languages = Counter(file.language for file in files if file.language)
    for language, count in languages.most_common(1):
        if count * 2 > len(files):
            return f"mostly {language}", [file for file in files if file.language == language]
    return None


def _packages(paths: Iterator[str]) -> list[str]:
    """Folders of top-level Python packages among these files, sorted."""
    folders = {path.removesuffix("/__init__.py") for path in paths if path.endswith("/__init__.py")}
    tops = {folder for folder in folders if folder.rpartition("/")[0] not in folders}
    return sorted(folder for folder in tops if not belongs_to_tests(f"{folder}/x"))


def _entry_points(repository: "RepositoryIndex") -> Iterator[Rule]:
    by_path: dict[str, EntryPoint] = {}
    for entry in repository.entry_points():
        if not belongs_to_tests(entry.path) and quoted(entry.path) and quoted(entry.name):
            by_path.setdefault(entry.path, entry)
    for entry in list(by_path.values())[:_MOST_ENTRY_POINTS]:
        verb = "declared" if entry.kind in {"package_bin", "package_main"} else "starts"
        statement = f"{verb} in `{entry.path}`" if entry.name != entry.path else "can be run by itself"
        evidence = [Evidence(path=entry.path, line=entry.line)]
        what = _STARTS.get(entry.kind, "Program")
        yield rule("layout", f"{what} `{entry.name}`", statement, evidence)
