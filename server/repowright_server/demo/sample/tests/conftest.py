"""Texts that the tests share."""

from pathlib import Path

import pytest

POEM = "The mountain and the river,\nthe river and the sea: mountain, river, sea.\n"


@pytest.fixture
def poem() -> str:
    return POEM


@pytest.fixture
def poem_file(tmp_path: Path) -> Path:
    path = tmp_path / "poem.txt"
    path.write_text(POEM, encoding="utf-8")
    return path
