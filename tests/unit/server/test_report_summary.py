"""The summary of an analysis for terminals."""

import re

import pytest

from repowright_server.report.summary import Look, summary
from support.analysis import facts_of, modules_of, result_of

MODULES = modules_of({"app": ["core", "web"], "web": ["core"], "core": ["store"], "store": ["core"]})
HOSTILE = "a\x1b[2J\x1b]0;title\x07\u202egnp\r\nb\x9b31mc"


def shown(name: str = "shop", look: Look | None = None) -> str:
    return summary(result_of(name, MODULES), facts_of(name, MODULES), look or Look())


def test_a_hostile_name_moves_no_cursor_and_makes_no_line() -> None:
    text = shown(HOSTILE)

    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text) is None
    above, _, _ = text.partition("\nMap (")
    assert len(above.splitlines()) == len(shown().partition("\nMap (")[0].splitlines())


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("name", ["shop", "a/very/long/name/" * 30])
def test_no_line_above_the_map_is_wider_than_the_terminal(width: int, name: str) -> None:
    above, _, _ = shown(name, Look(width=width)).partition("\nMap (")

    assert max(map(len, above.splitlines())) <= width


def test_without_a_terminal_nothing_is_cut() -> None:
    name = "a/very/long/name/" * 10

    assert shown(name).count(name) > 10


def test_colours_are_only_around_the_same_text() -> None:
    coloured = shown(look=Look(width=80, colour=True))

    assert "\x1b[1m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == shown(look=Look(width=80))


def test_bars_do_without_blocks_where_the_encoding_has_none() -> None:
    assert "█" in shown()
    assert shown(look=Look(blocks=False)).isascii()


def test_layers_and_cycles_are_told() -> None:
    text = shown()

    assert "4 folders with source in 3 layers" in text
    assert "layer 2      1: app" in text
    assert "cycle of 2: core, store" in text
    assert "most imported: core (3)" in text


def test_a_secret_is_not_shown() -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"

    assert token not in shown(f"notes {token}")
