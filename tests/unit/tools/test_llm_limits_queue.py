"""When a request may go: buckets, the queue, and what headers cannot know yet. On pure logic."""

import pytest

from repowright_tools.llm.pool import Go, Wait
from repowright_tools.llm.provider import Usage
from support.desk import Desk


def test_whoever_waits_has_a_place_and_nobody_overtakes() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(60, 0))
    queue = [desk.ticket() for _ in range(4)]
    assert [desk.wait(ticket) for ticket in queue] == [1, 2, 3, 4]

    desk.now += 1
    assert desk.wait(desk.ticket()) == 4
    assert [desk.wait(ticket) for ticket in reversed(queue[1:])] == [3, 2, 1]
    assert desk.key(queue[0]) == "k1"


def test_a_place_that_is_given_up_moves_the_others_forward() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(60, 0))
    first, second = desk.ticket(), desk.ticket()
    desk.look(first)
    assert desk.wait(second) == 2
    desk.left(first)

    assert desk.wait(second) == 1


def test_a_wait_beyond_patience_takes_no_place() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(60, 0))
    for _ in range(10):
        answer = desk.look(desk.ticket(), patience_s=0.5)
        assert isinstance(answer, Wait)
        assert answer.beyond(0.5)

    assert desk.wait(desk.ticket()) == 1


@pytest.mark.parametrize("kind", ["tokens", "input_tokens", "output_tokens"])
def test_tokens_are_paced_as_requests_are(kind: str) -> None:
    desk = Desk("k1")
    plenty, tight = (10**9, 10**9), (6000, 1000)
    desk.learn(
        "k1",
        "org-a",
        tokens=tight if kind == "tokens" else plenty,
        input_tokens=tight if kind == "input_tokens" else plenty,
        output_tokens=tight if kind == "output_tokens" else plenty,
    )
    wanted = {"tokens": (600, 400), "input_tokens": (1000, 9), "output_tokens": (9, 1000)}[kind]

    assert desk.key(desk.ticket(tokens=wanted[0], output=wanted[1])) == "k1"
    assert desk.wait(desk.ticket(tokens=wanted[0], output=wanted[1])) == 10


def test_a_request_larger_than_its_bucket_waits_for_a_full_one_and_goes() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", input_tokens=(6000, 3000))
    large = desk.ticket(tokens=1_000_000)
    assert desk.wait(large) == 30
    desk.now += 30

    assert desk.key(large) == "k1"


def test_what_was_feared_and_not_used_is_given_back_when_the_answer_is_here() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", output_tokens=(6000, 5000))
    first, second = desk.ticket(output=4000), desk.ticket(output=4000)
    desk.key(first)
    assert desk.wait(second) == 30
    desk.used(first, Usage(output_tokens=1000))

    assert desk.key(second) == "k1"


def test_reads_of_the_prompt_cache_take_nothing_from_the_input_bucket() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", input_tokens=(6000, 5000))
    first, second = desk.ticket(tokens=4000), desk.ticket(tokens=4000)
    desk.key(first)
    desk.look(second)
    desk.used(first, Usage(input_tokens=4000, cached_input_tokens=3500))

    assert desk.key(second) == "k1"


def test_headers_do_not_bring_back_what_is_on_its_way() -> None:
    """The response was sent before the other requests arrived there."""
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(60, 10))
    first = desk.ticket()
    desk.key(first)
    for _ in range(9):
        desk.key(desk.ticket())
    desk.opened(first, "org-a", requests=(60, 9))

    assert desk.wait(desk.ticket()) == 1


def test_headers_count_no_output_that_is_still_being_written() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", output_tokens=(6000, 6000))
    first = desk.ticket(output=4000)
    desk.key(first)
    desk.opened(first, "org-a", output_tokens=(6000, 6000))

    assert desk.wait(desk.ticket(output=4000)) == 20


def test_an_older_response_never_raises_a_level() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(60, 50))
    older, newer = desk.ticket(), desk.ticket()
    desk.key(older)
    desk.now += 1
    desk.key(newer)
    desk.opened(newer, "org-a", requests=(60, 0))
    desk.opened(older, "org-a", requests=(60, 49))

    assert desk.wait(desk.ticket()) == 1


@pytest.mark.parametrize(("between_s", "left"), [(0.0, 1), (1.0, 2)])
def test_headers_have_counted_an_earlier_request_unless_theirs_may_have_overtaken_it(
    between_s: float, left: int
) -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(60, 2))
    older, newer = desk.ticket(), desk.ticket()
    desk.key(older)
    desk.now += between_s
    desk.key(newer)
    desk.opened(newer, "org-a", requests=(60, 2))

    answers = [desk.look(desk.ticket()) for _ in range(3)]
    assert [isinstance(answer, Go) for answer in answers].count(True) == left


def test_headers_that_are_read_late_do_not_bring_back_what_another_process_has_read_since() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(60, 2))
    first, second = desk.ticket(), desk.ticket()
    desk.key(first)
    desk.key(second)
    desk.opened(first, "org-a", requests=(60, 0))
    desk.opened(second, "org-a", requests=(60, 1))

    assert desk.wait(desk.ticket()) == 1


def test_others_who_use_the_same_organisation_show_in_its_headers() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(60, 50))
    first = desk.ticket()
    desk.key(first)
    desk.opened(first, "org-a", requests=(60, 0))

    assert desk.wait(desk.ticket()) == 1


def test_an_estimate_that_the_provider_has_corrected_is_not_corrected_again() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", input_tokens=(6000, 3000))
    first = desk.ticket(tokens=1000)
    desk.key(first)
    desk.opened(first, "org-a", input_tokens=(6000, 2500))
    desk.used(first, Usage(input_tokens=500))

    assert desk.wait(desk.ticket(tokens=2600)) == 1


def test_an_answer_that_has_ended_is_remembered_until_all_headers_on_their_way_are_here() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", output_tokens=(6000, 6000))
    first, second = desk.ticket(output=2000), desk.ticket()
    desk.key(first)
    desk.opened(first, "org-a", output_tokens=(6000, 6000))
    desk.key(second)
    desk.used(first, Usage(output_tokens=2000))
    desk.key(desk.ticket())
    desk.opened(second, "org-a", output_tokens=(6000, 6000))

    assert desk.wait(desk.ticket(output=4100)) == 1


def test_a_level_above_ours_in_a_newer_response_is_believed() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(60, 0))
    waiting = desk.ticket()
    desk.look(waiting)
    desk.now += 1
    desk.key(waiting)
    desk.opened(waiting, "org-a", requests=(60, 40))

    assert desk.key(desk.ticket()) == "k1"


def test_headers_have_counted_what_was_opened_before_their_request_was_sent() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(60, 2))
    first, second = desk.ticket(), desk.ticket()
    desk.key(first)
    desk.opened(first, "org-a", requests=(60, 1))
    desk.key(second)
    desk.opened(second, "org-a", requests=(60, 10))

    assert [desk.key(desk.ticket()) for _ in range(10)] == ["k1"] * 10
    assert desk.wait(desk.ticket()) == 1


def test_promises_of_a_process_that_died_are_forgotten() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(60, 1))
    for _ in range(5):
        desk.look(desk.ticket())
    desk.now += 901

    desk.learn("k1", "org-a", requests=(60, 1))
    assert desk.key(desk.ticket()) == "k1"


def test_whoever_waits_moves_to_a_group_that_has_become_free() -> None:
    desk = Desk("k1", "k2")
    desk.learn("k1", "org-a", requests=(60, 0))
    desk.learn("k2", "org-b", requests=(6, 0))
    queue = [desk.ticket() for _ in range(5)]
    for ticket in queue:
        desk.look(ticket)
    desk.keys = ("k2",)
    desk.now += 10
    desk.learn("k2", "org-b", requests=(60, 30))
    desk.now -= 9.9
    desk.keys = ("k1", "k2")

    assert desk.key(queue[4]) == "k2"
