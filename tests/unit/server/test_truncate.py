"""Answers keep their limits, and every cut is counted."""

from typing import Any

from repowright_server.protocol.truncate import shorten, shorten_text, size


def test_what_fits_is_left_alone() -> None:
    value: dict[str, Any] = {"text": "short", "items": list(range(50))}

    assert shorten(value, 10_000) == {}
    assert value["items"] == list(range(50))


def test_lists_and_texts_are_cut_until_the_whole_fits_and_the_loss_is_exact() -> None:
    value: dict[str, Any] = {"map": "x" * 50_000, "tests": [{"id": f"test_{n}"} for n in range(5_000)], "small": "kept"}

    lost = shorten(value, 20_000)

    assert size(value) <= 20_000
    assert lost == {"map": 50_000 - len(value["map"]), "tests": 5_000 - len(value["tests"])}
    assert value["small"] == "kept"
    assert value["tests"][0] == {"id": "test_0"}


def test_texts_inside_items_are_cut_too() -> None:
    value: dict[str, Any] = {"files": [{"path": f"{n}.mdc", "content": "y" * 30_000} for n in range(3)]}

    lost = shorten(value, 10_000)

    assert size(value) <= 10_000
    assert [file["path"] for file in value["files"]] == ["0.mdc", "1.mdc", "2.mdc"]
    assert lost["files.content"] == 90_000 - sum(len(file["content"]) for file in value["files"])


def test_wide_characters_count_as_their_bytes() -> None:
    value: dict[str, Any] = {"text": "\u6f22" * 10_000}
    shorten(value, 9_000)

    assert size(value) <= 9_000


def test_a_long_text_says_how_much_is_missing() -> None:
    assert len(shorten_text("z" * 100_000, 1_000)) <= 1_000
    assert "99100 more characters" in shorten_text("z" * 100_000, 1_000)
