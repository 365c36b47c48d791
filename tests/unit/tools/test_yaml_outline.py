"""The outline of YAML files: which value stands under which keys, on which line."""

import pytest

from repowright_tools.index.manifests.yaml_outline import flow_items, outline


def told(text: str) -> list[tuple[str, str, int]]:
    return [("/".join(entry.keys), entry.value, entry.line) for entry in outline(text)]


def test_mappings_and_lists_are_followed_by_their_columns() -> None:
    text = "a:\n  b: 1\n  c:\n  - x\n  - d: 2\n    e: 3\n  -   - y\nf: 4\n"
    assert told(text) == [
        ("a", "", 1),
        ("a/b", "1", 2),
        ("a/c", "", 3),
        ("a/c/0", "x", 4),
        ("a/c/1/d", "2", 5),
        ("a/c/1/e", "3", 6),
        ("a/c/2/0", "y", 7),
        ("f", "4", 8),
    ]


def test_a_list_may_stand_in_the_column_of_its_key() -> None:
    assert told("a:\n- x\n- y\nb: z\n") == [("a", "", 1), ("a/0", "x", 2), ("a/1", "y", 3), ("b", "z", 4)]


def test_each_line_of_a_block_is_a_value_and_a_folded_block_is_one() -> None:
    text = "a: |-\n  x: 1\n\n    y\nb: >\n  one\n  two\nc: d\n"
    assert told(text) == [
        ("a", "", 1),
        ("a", "x: 1", 2),
        ("a", "y", 4),
        ("b", "", 5),
        ("b", "one two", 6),
        ("c", "d", 8),
    ]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ('"x # y"', "x # y"),
        ("'x'  # y", "x"),
        ("x # y", "x"),
        ("x#y", "x#y"),
        ("&anchor x", "x"),
        ("!tag 'x'", "x"),
        ("*alias", ""),
        ("http://x", "http://x"),
        ("a: b", "a: b"),
        ("# y", ""),
    ],
)
def test_a_value_is_read_without_its_quotes_and_comments(value: str, read: str) -> None:
    assert told(f"k: {value}\n") == [("k", read, 1)]


def test_quoted_keys_values_below_their_key_and_document_marks() -> None:
    assert told('---\n# c\n"a:b": 1\nc:\n  d\n') == [("a:b", "1", 3), ("c", "", 4), ("c", "d", 5)]


def test_a_list_on_one_line_is_split() -> None:
    assert flow_items("[a, 'b', \"c\" ]") == ["a", "b", "c"]
    assert flow_items("a") == []


@pytest.mark.parametrize(
    "text", ["- " * 60_000, "a:\n" * 60_000, "\n".join(" " * n + "a:" for n in range(2000)), "\t\0:"]
)
def test_depth_and_length_are_bounded(text: str) -> None:
    entries = list(outline(text))
    assert max((len(entry.keys) for entry in entries), default=0) <= 40
    assert max((entry.line for entry in entries), default=0) <= 20_000
