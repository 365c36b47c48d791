"""What refusals and failures lead to, limits of our own, and the book. On pure logic."""

import pytest

from repowright_tools.errors import KeyForbidden, KeyRejected, ModelOverloaded, PaymentRequired
from repowright_tools.llm.book import Book
from repowright_tools.llm.pool import Never, Rules, Wait
from support.desk import Desk


def test_a_429_parks_the_organisation_for_exactly_as_long_as_it_says_and_others_go_on() -> None:
    desk = Desk("k1", "k2", "k3")
    for key, organisation in (("k1", "org-a"), ("k2", "org-a"), ("k3", "org-b")):
        desk.learn(key, organisation, requests=(600, 600))
    desk.keys = ("k1", "k2")
    first = desk.ticket()
    desk.key(first)
    desk.opened(first, "org-a", requests=(600, 600))
    desk.failed(first, "organisation", 429, wait_s=7)

    assert desk.wait(desk.ticket()) == 7
    desk.keys = ("k1", "k2", "k3")
    assert desk.key(desk.ticket()) == "k3"
    desk.keys = ("k1", "k2")
    desk.now += 7
    assert desk.key(desk.ticket()) in desk.keys


def test_a_shorter_wait_that_another_429_asks_for_does_not_end_a_longer_one() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(600, 600))
    first, second = desk.ticket(), desk.ticket()
    desk.key(first)
    desk.key(second)
    desk.failed(first, "organisation", 429, wait_s=7)
    desk.failed(second, "organisation", 429, wait_s=2)

    assert desk.wait(desk.ticket()) == 7


def test_whoever_waited_when_the_organisation_was_parked_waits_for_that_too() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(60, 1))
    first, waiting = desk.ticket(), desk.ticket()
    desk.key(first)
    desk.look(waiting)
    desk.failed(first, "organisation", 429, wait_s=20)
    desk.now += 1

    assert desk.wait(waiting) == 19


def test_429s_that_do_not_say_how_long_double_the_time_with_jitter() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(600, 600))
    for expected in (1, 2, 4, 8, 16, 32, 60, 60):
        ticket = desk.ticket()
        desk.key(ticket)
        desk.failed(ticket, "organisation", 429)
        answer = desk.look(desk.ticket(), patience_s=0)
        assert isinstance(answer, Wait)
        assert 0.75 * expected <= answer.seconds <= 1.25 * expected
        desk.now += answer.seconds


def test_429s_of_requests_that_were_sent_together_count_once() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(600, 600))
    tickets = [desk.ticket() for _ in range(10)]
    for ticket in tickets:
        desk.key(ticket)
    for ticket in tickets:
        desk.failed(ticket, "organisation", 429)

    answer = desk.look(desk.ticket(), patience_s=0)
    assert isinstance(answer, Wait)
    assert answer.seconds <= 1.25


def test_after_a_429_that_tells_no_limits_one_request_goes_first() -> None:
    desk = Desk("k1")
    desk.learn("k1")
    first = desk.ticket()
    desk.key(first)
    desk.failed(first, "organisation", 429, wait_s=3)
    desk.now += 3

    desk.key(desk.ticket())
    assert desk.wait(desk.ticket()) == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_rests_for_an_hour(status: int) -> None:
    desk = Desk("k1", "k2")
    desk.learn("k2", "org-b", requests=(60, 1))
    first = desk.ticket()
    assert desk.key(first) == "k1"
    desk.failed(first, "key", status)
    assert desk.key(desk.ticket()) == "k2"
    desk.now += 3599
    assert {desk.key(desk.ticket()) for _ in range(50)} == {"k2"}
    desk.now += 1

    assert "k1" in {desk.key(desk.ticket()) for _ in range(5)}


def test_a_key_that_is_forbidden_one_model_may_ask_another() -> None:
    desk = Desk("k1")
    first = desk.ticket()
    desk.key(first)
    desk.failed(first, "key", 403)

    assert isinstance(desk.look(desk.ticket()), Never)
    assert desk.key(desk.ticket(model="other")) == "k1"


@pytest.mark.parametrize(("status", "error"), [(401, KeyRejected), (403, KeyForbidden)])
def test_when_all_keys_are_refused_one_call_does_not_try_them_over_and_over(
    status: int, error: type[KeyRejected]
) -> None:
    desk = Desk("k1", "k2")
    for _ in range(2):
        ticket = desk.ticket()
        desk.key(ticket)
        desk.failed(ticket, "key", status)

    answer = desk.look(desk.ticket())
    assert isinstance(answer, Never)
    assert answer.failure is error


def test_when_all_keys_are_refused_a_later_call_tries_the_one_refused_longest_ago() -> None:
    desk = Desk("k1", "k2")
    for key in ("k2", "k1"):
        desk.keys = (key,)
        ticket = desk.ticket()
        desk.key(ticket)
        desk.failed(ticket, "key", 401)
        desk.now += 10
    desk.keys = ("k1", "k2")

    ticket = desk.ticket()
    assert desk.key(ticket) == "k2"
    desk.used(ticket)
    assert desk.key(desk.ticket()) == "k2"


def test_an_organisation_without_money_is_put_last_for_an_hour() -> None:
    desk = Desk("k1", "k2", "k3")
    for key, organisation in (("k1", "org-a"), ("k2", "org-a"), ("k3", "org-b")):
        desk.learn(key, organisation, requests=(6000, 6000))
    desk.keys = ("k1",)
    first = desk.ticket()
    desk.key(first)
    desk.failed(first, "organisation", 429, failure=PaymentRequired)
    desk.keys = ("k1", "k2", "k3")

    assert {desk.key(desk.ticket()) for _ in range(20)} == {"k3"}
    desk.keys = ("k1", "k2")
    assert desk.key(desk.ticket()) in desk.keys


def test_failures_of_the_service_take_no_other_key() -> None:
    desk = Desk("k1", "k2")
    for _ in range(4):
        ticket = desk.ticket("run")
        assert desk.key(ticket) == "k1"
        desk.failed(ticket, "service", 529)


def test_a_service_that_is_down_is_asked_by_one_probe_of_all() -> None:
    desk = Desk("k1", "k2")
    for _ in range(5):
        ticket = desk.ticket()
        desk.key(ticket)
        desk.failed(ticket, "service", 529)
    answer = desk.look(desk.ticket())
    assert isinstance(answer, Wait)
    assert answer.failure is ModelOverloaded
    desk.now += 5
    probe, other = desk.ticket(), desk.ticket()
    desk.key(probe)
    assert isinstance(desk.look(other), Wait)
    desk.used(probe)

    assert desk.key(other)


def test_endpoints_that_tell_no_limits_are_asked_as_often_as_the_setting_says() -> None:
    desk = Desk("k1", rules=Rules(1.0, 60.0, calls=3, period_s=30.0))
    desk.learn("k1")
    desk.key(desk.ticket())
    desk.key(desk.ticket(model="m"))

    assert [desk.wait(desk.ticket()) for _ in range(2)] == [10, 20]


def test_limits_of_our_own_hold_over_all_models_of_a_key_and_for_each_key() -> None:
    desk = Desk("k1", "k2", rules=Rules(1.0, 60.0, calls=2, period_s=30.0))
    desk.learn("k1")
    desk.learn("k1", model="other")
    desk.learn("k2")
    assert desk.key(desk.ticket()) == "k2"

    assert desk.wait(desk.ticket(model="m")) == 15


def test_limits_of_our_own_do_not_count_where_responses_tell_limits() -> None:
    desk = Desk("k1", rules=Rules(1.0, 60.0, calls=2, period_s=60.0))
    desk.learn("k1", "org-a", requests=(60, 50))

    assert [desk.key(desk.ticket()) for _ in range(10)] == ["k1"] * 10


def test_a_clock_set_back_ends_what_was_to_end_by_it() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(60, 0))
    first, second = desk.ticket(), desk.ticket()
    desk.look(first)
    desk.look(second)
    desk.now += 1
    desk.key(first)
    desk.failed(first, "organisation", 429, wait_s=30)
    desk.now -= 86_400

    answer = desk.look(second)
    assert isinstance(answer, Wait)
    assert answer.seconds <= 2


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        "[]",
        "null",
        '{"keys": 7}',
        '{"tick": "x"}',
        '{"lanes": {"l": {"buckets": {"requests": {"limit": 0, "capacity": 1, "rate": 1, "level": 1, "at": 1}}}}}',
    ],
)
def test_a_book_that_cannot_be_read_is_replaced_by_an_empty_one(text: str | None) -> None:
    assert Book.load(text) == Book()


def test_a_book_of_another_version_is_read_as_far_as_it_goes() -> None:
    assert Book.load('{"tick": 7, "moon": {"phase": 3}}').tick == 7


def test_the_book_names_no_key_and_stays_small() -> None:
    desk = Desk("sk-ant-very-secret-1", "sk-ant-very-secret-2")
    for number in range(280):
        ticket = desk.ticket(model=f"m{number}")
        desk.key(ticket)
        desk.opened(ticket, f"org-{number}", requests=(60, 50))
        desk.used(ticket)
    text = desk.book.dump()

    assert "secret" not in text
    assert len(text) < 200_000
    desk.now += 3 * 86_400
    desk.look(desk.ticket())
    assert len(desk.book.dump()) < 1_000
