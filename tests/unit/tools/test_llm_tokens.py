"""How a request is measured before it is sent: with a vocabulary where there is one, and never by fetching one."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from repowright_tools.llm.provider import Exchange, ModelRequest, feedback
from repowright_tools.llm.tokens import OVERHEAD_TOKENS, Tokens, request_texts
from repowright_tools.llm.vocabulary import O200K_BASE
from repowright_tools.tokens import estimate_tokens
from tiktoken_ext import tiny
from tiktoken_ext.tiny import TINY, write_vocabulary


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    return tmp_path


def taught(*lessons: tuple[int, int]) -> float:
    """The factor after lessons of (counted, actual), for a model that starts at 1."""
    tokens = Tokens(replace(O200K_BASE, file="no-such-file"))
    for counted, actual in lessons:
        tokens.learn("m", counted=counted, actual=actual)
    return tokens.factor("m")


# --- the vocabulary -----------------------------------------------------------------------------------------------


def test_a_vocabulary_on_the_machine_counts(cache: Path) -> None:
    write_vocabulary(cache)
    tokens = Tokens(TINY)

    assert tokens.source() == "tiktoken"
    assert [tokens.count(text) for text in ("the", "then", "tho", "é", "")] == [1, 2, 2, 2, 0]
    assert tokens.estimate("m", "the" * 10) == 12  # a margin, until the model's own figure is known


def test_without_a_vocabulary_the_estimate_serves_and_tiktoken_is_not_asked(cache: Path) -> None:
    before = list(tiny.asked)
    tokens = Tokens(replace(TINY, file="0" * 40))

    assert tokens.source() == "estimate"
    assert tokens.estimate("m", "the word") == estimate_tokens("the word")
    assert tiny.asked == before
    assert list(cache.iterdir()) == []


def test_a_damaged_vocabulary_is_neither_used_nor_replaced(cache: Path) -> None:
    path = write_vocabulary(cache)
    path.write_bytes(path.read_bytes()[:-10])

    assert Tokens(TINY).source() == "estimate"
    assert path.exists()


def test_what_is_no_file_is_not_read(cache: Path) -> None:
    """The default folder is open to everybody: a pipe there would never end."""
    os.mkfifo(cache / TINY.file)

    assert Tokens(TINY).source() == "estimate"


def test_a_switched_off_cache_is_one_without_vocabulary(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_vocabulary(cache)
    monkeypatch.chdir(cache)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")

    assert Tokens(TINY).source() == "estimate"


def test_the_folder_is_found_as_tiktoken_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_vocabulary(tmp_path)
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", str(tmp_path))

    assert Tokens(TINY).source() == "tiktoken"


@pytest.mark.parametrize("text", [" " * 1_000_000 + "x", "<|endoftext|>", "\ud800", "\0"])
def test_no_text_breaks_the_count(cache: Path, text: str) -> None:
    """tiktoken alone panics at the first."""
    write_vocabulary(cache)

    assert Tokens(TINY).count(text) > 0


def test_tiktoken_is_not_imported_before_something_is_counted() -> None:
    program = "import sys, repowright_tools.llm.tokens as t; t.Tokens(); print('tiktoken' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert said.stdout == "False\n"


# --- what is learned ----------------------------------------------------------------------------------------------


def test_estimates_follow_what_was_billed() -> None:
    tokens = Tokens(replace(O200K_BASE, file="no-such-file"))
    text = "word " * 1_000
    before = tokens.estimate("m", text)

    for _ in range(10):
        tokens.learn("m", counted=tokens.count(text), actual=2 * tokens.count(text))

    assert tokens.estimate("m", text) == pytest.approx(2 * before, rel=0.01)
    assert tokens.estimate("another", text) == before


def test_a_factor_rises_fast_and_falls_slowly() -> None:
    assert taught((1_000, 2_000)) == pytest.approx(1.5)
    assert taught((1_000, 500)) == pytest.approx(0.975)
    assert taught(*[(1_000, 1_000), (1_000, 1_400)] * 100) > 1.3


def test_no_bill_moves_a_factor_out_of_its_bounds() -> None:
    assert taught(*[(1_000, 10**9)] * 100) == pytest.approx(3.0)
    assert taught(*[(10**9, 1)] * 1_000) == pytest.approx(0.5)


def test_calls_at_the_same_time_teach_the_same_thing_once() -> None:
    assert taught(*[(1_000, 1_300)] * 50) == pytest.approx(1.3)


def test_a_short_request_or_an_empty_bill_teaches_nothing() -> None:
    assert taught((100, 400), (1_000, 0), (1_000, -5)) == 1.0


# --- the bound ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "word", "the then", "é", "\ud800", "漢字", "\ufdfa" * 10, "a\u0327\u0301", "ﬃ"])
def test_no_tokeniser_exceeds_the_bound(cache: Path, text: str) -> None:
    write_vocabulary(cache)
    tokens = Tokens(TINY)
    of_text = tokens.bound([text]) - OVERHEAD_TOKENS

    assert of_text >= len(text.encode("utf-8", "surrogatepass"))
    assert of_text >= tokens.count(text)


def test_the_bound_allows_for_text_that_grows_when_it_is_normalised() -> None:
    assert Tokens.bound(["\ufdfa", "ab"]) == 33 + 2 + OVERHEAD_TOKENS


def test_all_that_is_billed_is_measured() -> None:
    exchange = Exchange('{"a": 1}', ["no", "never"])
    request = ModelRequest("word", 2, "Say.", ("shared", "own"), {"title": "Wört"}, (exchange,))

    said = request_texts(request)

    assert said == ["Say.", '{"title": "Wört"}', "shared", "own", '{"a": 1}', feedback(["no", "never"])]
