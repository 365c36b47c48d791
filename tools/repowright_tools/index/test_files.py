"""Which files are tests, by how their names are written in each language, and what they are named after."""

import re

from repowright_tools.index.paths import folder_of, name_of

CONVENTIONS: tuple[tuple[str, frozenset[str], re.Pattern[str]], ...] = tuple(
    (shown, frozenset(extensions.split()), re.compile(pattern))
    for shown, extensions, pattern in (  # how people write it, of which extensions, and the stem it is named after
        ("test_*.py", "py", r"test_(?P<of>.+)\.py"),
        ("*_test.py", "py", r"(?P<of>.+)_tests?\.py"),
        ("tests.py", "py", r"tests?(?P<of>)\.py"),
        ("*.test.*", "js jsx mjs cjs ts tsx mts cts vue svelte", r"(?P<of>[^.].*)\.test(?:-d)?\.\w+"),
        ("*.spec.*", "js jsx mjs cjs ts tsx mts cts vue svelte", r"(?P<of>[^.].*)\.spec(?:-d)?\.\w+"),
        ("*_test.go", "go", r"(?P<of>.+)_test\.go"),
        ("*Test.java", "java kt scala groovy", r"(?P<of>.+)(?:Tests?|IT|Spec|Suite|TestCase)\.\w+"),
        ("Test*.java", "java kt", r"Test(?P<of>[A-Z].*)\.\w+"),
        ("*Tests.cs", "cs", r"(?P<of>.+?)(?:Unit|Integration)?(?:Tests?|Facts|Specs?)\.cs"),
        ("*_spec.rb", "rb", r"(?P<of>.+)_spec\.rb"),
        ("*_test.rb", "rb", r"(?:test_)?(?P<of>.+?)(?:_test)?\.rb"),
        ("*Test.php", "php", r"(?P<of>.+)(?:Test|Cest|Spec)\.php"),
        ("*_test.exs", "exs", r"(?P<of>.+)_test\.exs"),
        ("*Tests.swift", "swift", r"(?P<of>.+?)(?:UI)?Tests?\.swift"),
        ("*_test.cc", "c cc cpp cxx", r"(?P<of>.+)_(?:unit|browser)?tests?\.\w+"),
        ("test_*.c", "c cc cpp cxx", r"test_(?P<of>.+)\.\w+"),
        ("*_test.dart", "dart", r"(?P<of>.+)_test\.dart"),
        ("*.bats", "bats", r"(?P<of>.+)\.bats"),
        ("tests/*.rs", "rs", r"(?P<of>.+)\.rs"),
    )
)
"""Known conventions, the most usual of a language first."""

_BY_EXTENSION = {
    extension: [(shown, pattern) for shown, extensions, pattern in CONVENTIONS if extension in extensions]
    for extension in sorted({extension for _, extensions, _ in CONVENTIONS for extension in extensions})
}
_FOLDERS = frozenset({
    "test", "tests", "testing", "spec", "specs", "__tests__", "e2e", "unittests", "integration-tests",
    "integration_tests", "test-utils", "androidtest", "cypress", "features",
})  # fmt: skip
_DATA = frozenset({
    "testdata", "test-data", "test_data", "fixtures", "__fixtures__", "__mocks__", "mocks", "__snapshots__",
    "snapshots", "template", "templates", "stubs", "node_modules", "vendor", "project_template",
})  # fmt: skip
_BESIDE = _DATA | frozenset({
    "examples", "example", "samples", "sample", "demo", "demos", "docs", "doc", "benchmarks", "benchmark", "playground",
    "playgrounds", "website", "storybook",
})  # fmt: skip
_STAND_IN = re.compile(
    r"(?:mocks?[_-].+|.+[_.-]mocks?|testing|test[_-]?(?:helpers?|utils?|support)|.+\.stories|conftest)\.\w+"
)
_NEEDS_FOLDER = frozenset({"*_test.rb", "tests/*.rs"})  # conventions that any name fits


def convention(path: str) -> tuple[str, str] | None:
    """How a test file's name is written, and the stem of what it is named after; None for any other file."""
    name = name_of(path)
    for shown, pattern in _BY_EXTENSION.get(name.rpartition(".")[2], ()):
        match = pattern.fullmatch(name)
        if match and (shown not in _NEEDS_FOLDER or _is_plain_test(path, shown)):
            return shown, match["of"] or name_of(folder_of(path))
    return None


def is_test(path: str) -> bool:
    """Whether this is a test, stands in for something in tests, or lies in a folder for them."""
    return in_test_folder(path) or convention(path) is not None or bool(_STAND_IN.fullmatch(name_of(path)))


def is_aside(path: str) -> bool:
    """Whether this is no part of the product: a test, an example, a document."""
    return is_test(path) or is_beside(path)


def in_test_folder(path: str) -> bool:
    return not _FOLDERS.isdisjoint(folder_of(path).lower().split("/"))


def is_data(path: str) -> bool:
    """Whether this lies in a folder for what tests read or what projects are made from: not even a test."""
    return not _DATA.isdisjoint(folder_of(path).lower().split("/"))


def is_beside(path: str) -> bool:
    """Whether this lies in a folder for examples, fixtures, documents and the like: no part of the product."""
    folders = folder_of(path).lower().split("/")
    return not _BESIDE.isdisjoint(folders) or any(folder.startswith("template-") for folder in folders)


def _is_plain_test(path: str, shown: str) -> bool:
    if shown == "tests/*.rs":  # cargo takes each file right below `tests` for a test program of its own
        return name_of(folder_of(path)) == "tests"
    name = name_of(path)
    return name.endswith("_test.rb") or (name.startswith("test_") and in_test_folder(path))
