"""The model layer's measure of a request: how many tokens it probably has, and how many it has at most."""

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal
from unicodedata import normalize

from repowright_tools.llm.provider import ModelRequest, feedback
from repowright_tools.llm.vocabulary import O200K_BASE, Vocabulary, load_counter
from repowright_tools.tokens import estimate_tokens

Source = Literal["tiktoken", "estimate"]

OVERHEAD_TOKENS = 1_000
"""Room for what a provider adds to the texts of a request: roles, separators, its own words about the schema."""

_UNTAUGHT: dict[Source, float] = {"tiktoken": 1.2, "estimate": 1.0}
"""Factors before the first lesson. The vocabulary is not the model's own; `estimate_tokens` has such a margin in it."""
_LEAST, _MOST = 0.5, 3.0
_UP, _DOWN = 0.5, 0.05
_SHORTEST_LESSON = 500
"""Tokens. Most of a shorter request may be what the provider adds."""


class Tokens:
    """Counts tokens, and learns from what providers bill how far a model is from the count.

    The first count may load a vocabulary (some 0.4 s) and a long text takes milliseconds: call it in a thread.
    """

    def __init__(self, vocabulary: Vocabulary = O200K_BASE) -> None:
        self._vocabulary = vocabulary
        self._factors: dict[str, float] = {}
        self._noticed = False

    def source(self) -> Source:
        """What counts: tiktoken where its vocabulary is on the machine already, else our own estimate."""
        return "estimate" if self._counter is None else "tiktoken"

    def notice(self) -> str | None:
        """What to tell people about the counts; once, and only where they are estimates."""
        if self._noticed or self.source() == "tiktoken":
            return None
        self._noticed = True
        return "prompts are measured by estimate: tiktoken's vocabulary is not on this machine, and is not downloaded"

    def count(self, text: str) -> int:
        """Tokens of the text, whatever the model."""
        return estimate_tokens(text) if self._counter is None else self._counter(text)

    def estimate(self, model: str, text: str) -> int:
        """Tokens that the text probably has for this model: the count times the model's factor, rounded up."""
        return math.ceil(self.count(text) * self.factor(model))

    def factor(self, model: str) -> float:
        """What counts are multiplied by for this model: between 0.5 and 3."""
        return self._factors.get(model, _UNTAUGHT[self.source()])

    def learn(self, model: str, *, counted: int, actual: int) -> None:
        """Move the model's factor towards what one call showed.

        With r = actual / counted, held between 0.5 and 3, the factor f becomes f + 0.5 (r - f) where r is above it and
        f + 0.05 (r - f) where it is below: too low an estimate costs a refused request, too high a one only room. Steps
        of this proportion settle at the 0.91 expectile of r (Newey and Powell, 1987). Calls that run at the same time
        teach the same thing, not several times as much, since `counted` is free of the factor.

        Args:
            model: as given to `estimate`.
            counted: sum of `count` over the texts of the request.
            actual: input tokens that the provider billed, cached ones included.
        """
        if counted < _SHORTEST_LESSON or actual <= 0:
            return
        ratio = min(max(actual / counted, _LEAST), _MOST)
        factor = self.factor(model)
        self._factors[model] = factor + (_UP if ratio > factor else _DOWN) * (ratio - factor)

    @staticmethod
    def bound(texts: Sequence[str]) -> int:
        """Tokens that a request of these texts cannot exceed, whatever the tokeniser.

        A token of a byte-level vocabulary stands for at least one byte (Sennrich et al. 2016 on merging, Radford et al.
        2019 on bytes), and one of a vocabulary of characters falls back on bytes (Kudo and Richardson 2018). Some
        tokenisers bring text into NFKC first, which can make it longer: U+FDFA goes from 3 bytes to 33. So each
        character counts as the longer of its own bytes and those of its compatibility decomposition; composing
        it again only shortens.
        """
        return OVERHEAD_TOKENS + sum(map(_most_bytes, texts))

    @cached_property
    def _counter(self) -> Callable[[str], int] | None:
        return load_counter(self._vocabulary)


def request_texts(request: ModelRequest) -> list[str]:
    """Everything in a request that is billed as input."""
    texts = [request.instructions, json.dumps(request.schema, ensure_ascii=False), *request.context]
    for exchange in request.exchanges:
        texts += [exchange.answer, feedback(exchange.findings)]
    return texts


def _most_bytes(text: str) -> int:
    if text.isascii():
        return len(text)
    # Character by character: to normalise a long run of combining marks at once takes quadratic time.
    return sum(times * max(_bytes(c), _bytes(normalize("NFKD", c))) for c, times in Counter(text).items())


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
