"""Chunks: the whole of a text in pieces that hang together, each known by its text alone."""

import random

from repowright_tools.index.parse import Symbol
from repowright_tools.index.search.chunks import CHUNK_LINES, chunks
from repowright_tools.index.search.focus import focus_of, query_words
from repowright_tools.index.search.words import stem, terms, words


def function(name: str, line: int, *, local: bool = False) -> Symbol:
    return Symbol(name, "function", f"def {name}()", line, line, "", local)


def test_chunks_begin_where_definitions_do_with_their_comments() -> None:
    body = "    pass\n" * 14
    text = f"import os\n\n# About one.\n@decorated\ndef one():\n{body}\ndef two():\n    def inner(): pass\n{body}"
    found = list(chunks(text, [function("one", 5), function("two", 21), function("inner", 22, local=True)]))
    assert [(chunk.start, chunk.text.split("\n")[0]) for chunk in found] == [(1, "import os"), (21, "def two():")]
    longer = "import os\n" * 20 + "\n" + text
    found = list(chunks(longer, [function("one", 26), function("two", 42)]))
    assert [chunk.text.split("\n")[0] for chunk in found] == ["import os", "# About one.", "def two():"]


def test_a_text_without_definitions_is_cut_into_screens() -> None:
    found = list(chunks("line\n" * 130))
    assert [(chunk.start, chunk.end) for chunk in found] == [(1, CHUNK_LINES), (61, 120), (121, 131)]


def test_the_same_text_has_one_id_in_every_file_and_run() -> None:
    screen = "same\n" * CHUNK_LINES
    first, second, *_ = chunks(screen + screen)
    assert first.id == second.id
    assert first.id == next(chunks(screen + "other")).id == "6beb20e32fc135a9868a7fcd0849e502"


def test_chunks_together_are_the_text_whatever_the_symbols_say() -> None:
    draw = random.Random(1)
    for _ in range(200):
        lines = [draw.choice(("", "x", "def f():")) for _ in range(draw.randint(0, 200))]
        symbols = [function("f", draw.randint(1, 220)) for _ in range(draw.randint(0, 20))]
        found = list(chunks("\n".join(lines), symbols))
        assert "\n".join(chunk.text for chunk in found) == "\n".join(lines)
        assert all(chunk.end - chunk.start < CHUNK_LINES for chunk in found)


def test_identifiers_are_found_by_their_parts_and_whole_however_they_are_spelled() -> None:
    assert words("parseURL HTTPServer2 snake_case") == [
        *("parse", "url", "parseurl"),
        *("http", "server", "2", "httpserver2"),
        *("snake", "case", "snakecase"),
    ]
    assert terms("parseURL").keys() == terms("parse_url").keys() == {"pars", "url", "parseurl"}


def test_forms_of_a_word_are_one_and_other_words_are_not() -> None:
    assert len({stem(word) for word in ("handle", "handles", "handled", "handling")}) == 1
    assert len({stem(word) for word in ("retry", "retries", "retried")}) == 1
    assert [stem(word) for word in ("class", "status", "this", "is", "bed", "string", "handler")] == [
        *("class", "status", "this", "is", "bed", "string", "handler"),
    ]


def test_a_request_is_read_by_weight() -> None:
    focus = focus_of("Let the user bar call `sendRequest`\n\nThe client waits.")
    assert focus.terms == {
        "user": 1.0,
        "bar": 1.0,
        "userbar": 0.5,
        "call": 1.0,
        "barcall": 0.5,
        "send": 1.5,
        "request": 1.5,
        "sendrequest": 1.5,
        "client": 0.5,
        "wait": 0.5,
        "clientwaits": 0.25,
    }
    assert query_words("Add a retry to the Client, and retry") == ["add", "retry", "client"]
    assert list(focus_of("to be or not to be").terms) == ["to", "be", "or", "not"]
