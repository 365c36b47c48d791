"""A small project with tests of several kinds, and what a change to it is: the ground of the corpora of changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

IN_A_BOX = "import os\nif not os.path.exists('/.dockerenv'):\n    os._exit(99)\n"
"""The tripwire: first in every hostile file."""

PRICES = """
def total(prices, discount=0):
    return round(sum(prices) * (1 - discount), 2)


def label(price):
    return f"{price:.2f} EUR"
"""
WRONG = PRICES.replace("1 - discount", "1 + discount")
"""The regression that every cheat tries to get through."""

BASE = {
    "shop/__init__.py": "",
    "shop/prices.py": PRICES,
    "conftest.py": """
import pytest

@pytest.fixture
def basket():
    return [10.0, 20.0, 12.5]
""",
    "tests/test_basket.py": """
import unittest
from shop.prices import total

class TestBasket(unittest.TestCase):
    def test_empty(self):
        self.assertEqual(total([]), 0)

    def test_discounted(self):
        self.assertEqual(total([100], 0.1), 90.0)
""",
    "tests/test_prices.py": """
import pytest
from shop.prices import label, total

def test_total(basket):
    assert total(basket) == 42.5

def test_discount(basket):
    assert total(basket, 0.5) == pytest.approx(21.25, abs=0.01)
    assert total([10], 0.5) == 5

@pytest.mark.parametrize("price", [1, 2.5])
def test_label(price):
    assert label(price).endswith(" EUR")
""",
    "pyproject.toml": """
[tool.pytest.ini_options]
testpaths = ["tests"]
markers = ["slow: takes a while"]

[tool.ruff]
line-length = 100
""",
    "README.md": "A shop.\n",
}


@dataclass(frozen=True)
class Change:
    """A change to the shop.

    Attributes:
        name: a sentence about it.
        files: what it writes, by path; None deletes, bytes are written as they are.
        plan: paths that the run's plan names.
        kinds: kinds of tampering that must be among those reported; empty for any.
    """

    name: str
    files: Mapping[str, str | bytes | None]
    plan: tuple[str, ...] = ()
    kinds: frozenset[str] = field(default_factory=frozenset[str])


def edited(path: str, *pairs: tuple[str, str]) -> dict[str, str]:
    """A file of the base with each old text, which must be there, replaced by the new one."""
    text = BASE[path]
    for old, new in pairs:
        assert old in text, f"{path} has no {old!r}"
        text = text.replace(old, new)
    return {path: text}
