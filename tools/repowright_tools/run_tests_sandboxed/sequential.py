"""Flaky or broken: Wald's sequential probability ratio test on repeated runs of a test that has just failed.

A. Wald, Sequential Tests of Statistical Hypotheses, Annals of Mathematical Statistics 16 (1945), 117-186. The two
hypotheses on the probability p that a run fails are p = 0.5 and p = 0.99. Flaky means a p from 0.05 to 0.5, of which
0.5 is the hardest to tell from broken; broken means that the test practically always fails. The failure that raised
the question does not count: it was selected for being one.

The tested error rates are ALPHA, at most, for a flaky test that is called broken, and BETA, at most, for a broken one
that is called flaky. Six failures in a row decide for broken, and the first pass decides for flaky unless several
failures came before it. A test is asked twice, alone and among all others, because one that only fails after others
is not flaky but broken by them: so a flaky test is called broken with 2 * ALPHA at most.

What this does not tell: whether the change made the test flaky. One that fails now and then on the change and never
did on the base is called flaky and named, and is no failure.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from math import log
from typing import Literal

ALPHA = 0.025
BETA = 0.02
ERROR_RATE = 2 * ALPHA
"""Share of flaky tests that may be called broken, at most."""
MOST_ROUNDS = 12

_FLAKY_P = 0.5
_BROKEN_P = 0.99
_UPPER = log((1 - BETA) / ALPHA)
_LOWER = log(BETA / (1 - ALPHA))
_FAILED = log(_BROKEN_P / _FLAKY_P)
_PASSED = log((1 - _BROKEN_P) / (1 - _FLAKY_P))

Answer = Literal["broken", "flaky"]


@dataclass
class Question:
    """Whether one test is flaky or broken."""

    score: float = 0.0

    def observe(self, *, failed: bool) -> Answer | None:
        """Count one more run; the answer as soon as there is one."""
        self.score += _FAILED if failed else _PASSED
        if self.score >= _UPPER:
            return "broken"
        return "flaky" if self.score <= _LOWER else None


async def settle(
    ids: Sequence[str], run: Callable[[Sequence[str]], Awaitable[Collection[str] | None]]
) -> dict[str, Answer]:
    """Ask for each test whether it is flaky or broken; those that stay undecided are left out.

    Args:
        ids: tests that have failed.
        run: runs some of them once more and names those that failed; None when it cannot go on.
    """
    open_ = {name: Question() for name in ids}
    answers: dict[str, Answer] = {}
    for _ in range(MOST_ROUNDS):
        failed = await run(list(open_)) if open_ else None
        if failed is None:
            break
        for name, question in list(open_.items()):
            answer = question.observe(failed=name in failed)
            if answer is not None:
                answers[name] = answer
                del open_[name]
    return answers
