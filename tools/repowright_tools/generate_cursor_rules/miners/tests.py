"""Where the tests are, how they are named and written, and what they share."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from repowright_tools.generate_cursor_rules.miners.naming import TEST_FOLDERS, is_python_test, pattern_of
from repowright_tools.generate_cursor_rules.models import Rule
from repowright_tools.generate_cursor_rules.quoting import quoted
from repowright_tools.generate_cursor_rules.topics import Topic, agreed, rule
from repowright_tools.index.paths import folder_of, name_of
from repowright_tools.models import Evidence

if TYPE_CHECKING:
    from repowright_tools.index.index import RepositoryIndex

_FEWEST_FILES = 2
_MOST_GLOBS = 8
_MOST_CONFTESTS = 2
_MOST_FIXTURES = 5
_RUNNER = re.compile(r"\b(pytest|unittest|jest|vitest|mocha)\b")
_FIXTURE = re.compile(r"^@(?:pytest\.)?fixture\b")
_FUNCTION = re.compile(r"^(?:async )?def (\w+)\(")


def mine(repository: "RepositoryIndex") -> Topic:
    files = [file.path for file in repository.files if file.lines and pattern_of(file.path) and quoted(file.path)]
    rules = [
        *_runner(repository, files),
        *_location(repository, files),
        *_names(files),
        *_form(repository, files),
        *_fixtures(repository),
    ]
    return Topic(
        kind="tests",
        description="How the tests of this project are written and where they go",
        rules=rules,
        always=False,
        globs=_globs(files),
    )


def _runner(repository: "RepositoryIndex", files: Sequence[str]) -> Iterator[Rule]:
    for command in repository.commands()["test"][:1] if files else ():
        name = _RUNNER.search(command.command)
        if name and quoted(command.evidence.path):
            yield rule("tests", "Runner", f"`{name[1]}`", [command.evidence])


def _location(repository: "RepositoryIndex", files: Sequence[str]) -> Iterator[Rule]:
    if not files:
        return
    for place, statement in ((_test_folder, "in `{}/`"), (_test_folder_name, "in folders called `{}`")):
        folder, count = Counter(map(place, files)).most_common(1)[0]
        if folder and agreed(count, len(files), _FEWEST_FILES):
            proofs = [path for path in files if place(path) == folder]
            yield rule("tests", "Location", statement.format(folder), _at_top(proofs), count, len(files))
            return
    sources = {folder_of(path) for path in repository.parsed if not pattern_of(path)}
    beside = [path for path in files if not _test_folder(path) and folder_of(path) in sources]
    if agreed(len(beside), len(files), _FEWEST_FILES):
        yield rule("tests", "Location", "beside the code they test", _at_top(beside), len(beside), len(files))


def _names(files: Sequence[str]) -> Iterator[Rule]:
    counts = Counter(pattern_of(path) or "" for path in files)
    for pattern, count in counts.most_common(1):
        if agreed(count, len(files), _FEWEST_FILES):
            proofs = [path for path in files if pattern_of(path) == pattern]
            statement = f"`{pattern}`, such as `{proofs[0]}`"
            yield rule("tests", "File names", statement, _at_top(proofs), count, len(files))


def _form(repository: "RepositoryIndex", files: Sequence[str]) -> Iterator[Rule]:
    plain: list[Evidence] = []
    methods: list[Evidence] = []
    for path in files:
        for symbol in repository.symbols.get(path, ()) if is_python_test(path) else ():
            if symbol.name.startswith("test") and symbol.kind in {"function", "method"} and not symbol.local:
                (methods if symbol.scope else plain).append(Evidence(path=path, line=symbol.line))
    for statement, proofs in (("plain functions, not classes", plain), ("methods of test classes", methods)):
        if agreed(len(proofs), len(plain) + len(methods)):
            yield rule("tests", "Form", statement, proofs, len(proofs), len(plain) + len(methods))


def _fixtures(repository: "RepositoryIndex") -> Iterator[Rule]:
    paths = [path for path in repository.paths if name_of(path) == "conftest.py" and quoted(path)]
    for path in sorted(paths, key=lambda path: (path.count("/"), path))[:_MOST_CONFTESTS]:
        found = _fixture_lines((repository.text(path) or "").splitlines())
        if found:
            names = ", ".join(f"`{name}`" for name, _ in found[:_MOST_FIXTURES] if quoted(name))
            evidence = [Evidence(path=path, line=line) for _, line in found]
            yield rule("tests", f"Fixtures of `{path}`", f"{names}; use them before writing new ones", evidence)


def _fixture_lines(lines: Sequence[str]) -> list[tuple[str, int]]:
    """Name of each fixture and the line of its decorator."""
    found: list[tuple[str, int]] = []
    decorated: int | None = None
    for number, line in enumerate(lines, 1):
        if _FIXTURE.match(line):
            decorated = number
        elif decorated and (match := _FUNCTION.match(line)):
            found.append((match[1], decorated))
            decorated = None
    return found


def _test_folder(path: str) -> str:
    """The path up to its first folder of tests; empty when there is none."""
    parts = folder_of(path).split("/")
    depth = next((depth for depth, part in enumerate(parts, 1) if part in TEST_FOLDERS), 0)
    return "/".join(parts[:depth])


def _test_folder_name(path: str) -> str:
    return name_of(_test_folder(path))


def _globs(files: Sequence[str]) -> list[str]:
    """Patterns that match these files and their neighbours. None starts with `*`, which YAML reads as an alias."""
    globs = set[str]()
    for path in files:
        if folder := _test_folder(path):
            globs.add(f"{folder}/**/*.{path.rpartition('.')[2]}")
        elif "/" in path:
            globs.add(f"{path.partition('/')[0]}/**/{pattern_of(path)}")
        else:
            globs.add(path)
    return sorted(globs)[:_MOST_GLOBS]


def _at_top(paths: Sequence[str]) -> list[Evidence]:
    return [Evidence(path=path, line=1) for path in paths]
