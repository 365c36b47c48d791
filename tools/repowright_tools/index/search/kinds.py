"""What a file is for, by its path."""

import re

from repowright_tools.index.languages import language_of
from repowright_tools.index.paths import stem_of

_TEST_FOLDER = re.compile(
    r"(?:^|/)(?:tests?|__tests__|spec|specs|e2e|testing|testdata|fixtures?|__snapshots__|playground)/"
)
_TEST_NAME = re.compile(r"^(?:test_.*|.*_tests?|.*[.-](?:test|spec)|conftest|tests?|.*Tests?|.*Spec)$")
_NOT_PROGRAM = frozenset({
    None, "CSS", "HTML", "JSON", "Markdown", "Text", "TOML", "XML", "YAML", "reStructuredText",
})  # fmt: skip


def is_test(path: str) -> bool:
    """Whether the file tests others or helps to."""
    return bool(_TEST_NAME.match(stem_of(path)) or _TEST_FOLDER.search(path))


def is_program(path: str) -> bool:
    """Whether the file is part of what the repository makes: program text that is no test."""
    return language_of(path) not in _NOT_PROGRAM and not is_test(path)
