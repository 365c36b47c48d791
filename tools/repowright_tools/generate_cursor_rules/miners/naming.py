"""Which files are tests, by the names that test runners look for."""

from fnmatch import fnmatchcase

from repowright_tools.index.paths import folder_of, name_of

TEST_FOLDERS = frozenset({"tests", "test", "__tests__", "spec"})
_GLOBS = (
    *("test_*.py", "*_test.py", "*_test.go", "*Test.java"),
    *(f"*.{word}.{end}" for word in ("test", "spec") for end in ("ts", "tsx", "js", "jsx", "mjs")),
)


def pattern_of(path: str) -> str | None:
    """The naming pattern of a test file, as a glob; None when it is no test file."""
    name = name_of(path)
    return next((glob for glob in _GLOBS if fnmatchcase(name, glob)), None)


def is_python_test(path: str) -> bool:
    return path.endswith(".py") and pattern_of(path) is not None


def belongs_to_tests(path: str) -> bool:
    """Whether the file is a test or lies in a folder of tests."""
    return pattern_of(path) is not None or not TEST_FOLDERS.isdisjoint(folder_of(path).split("/"))
