"""Which key a request takes: keys nobody knows, organisations, warm caches. On pure logic."""

import pytest

from repowright_tools.llm.pool import Go, Wait
from support.desk import Desk


def test_the_first_request_goes_alone_and_the_others_wait_for_its_headers_not_for_its_end() -> None:
    desk = Desk("k1")
    first, second = desk.ticket(), desk.ticket()
    assert desk.key(first) == "k1"

    answer = desk.look(second)
    assert isinstance(answer, Wait)
    assert answer.early

    desk.opened(first, "org-a", requests=(60, 59))
    assert desk.key(second) == "k1"


def test_a_first_request_that_hangs_holds_the_others_for_two_seconds() -> None:
    desk = Desk("k1")
    desk.key(desk.ticket())
    second, third = desk.ticket(), desk.ticket()
    assert desk.wait(second) == 2
    desk.now += 2

    assert desk.key(second) == "k1"
    assert desk.wait(third) == 2


def test_a_first_request_that_fails_without_headers_lets_the_next_one_try_at_once() -> None:
    desk = Desk("k1")
    first = desk.ticket()
    desk.key(first)
    desk.failed(first, "service")

    assert desk.key(desk.ticket()) == "k1"


def test_keys_that_nobody_has_tried_are_tried_side_by_side_one_request_each() -> None:
    desk = Desk("k1", "k2", "k3")

    assert {desk.key(desk.ticket()) for _ in range(3)} == {"k1", "k2", "k3"}
    assert desk.wait(desk.ticket()) == 2


def test_a_group_with_capacity_goes_before_keys_that_nobody_has_tried() -> None:
    desk = Desk("k1", "k2")
    desk.learn("k1", "org-a", requests=(60, 59))

    assert [desk.key(desk.ticket()) for _ in range(10)] == ["k1"] * 10


def test_a_key_that_nobody_has_tried_is_tried_once_the_known_group_is_half_empty() -> None:
    """And not when it is empty: were it of the same organisation, the first request with it would be refused."""
    desk = Desk("k1", "k2")
    desk.learn("k1", "org-a", requests=(60, 29))

    assert [desk.key(desk.ticket()) for _ in range(3)] == ["k2", "k1", "k1"]


def test_a_key_whose_first_request_hangs_gets_no_second_one_where_others_work() -> None:
    desk = Desk("k1", "k2")
    desk.learn("k1", "org-a", requests=(60, 0))
    desk.key(desk.ticket())
    desk.now += 30

    desk.learn("k1", "org-a", requests=(60, 0))
    assert desk.wait(desk.ticket()) == 1


def test_keys_of_one_organisation_share_its_buckets() -> None:
    desk = Desk("k1", "k2")
    desk.learn("k2", "org-a", requests=(60, 50))
    desk.learn("k1", "org-a", requests=(60, 1))
    desk.key(desk.ticket())

    assert desk.wait(desk.ticket()) == 1


def test_models_of_one_organisation_have_buckets_of_their_own() -> None:
    desk = Desk("k1")
    desk.learn("k1", "org-a", requests=(60, 0))
    desk.learn("k1", "org-a", model="other", requests=(60, 50))

    assert desk.wait(desk.ticket()) == 1
    assert desk.key(desk.ticket(model="other")) == "k1"


def test_the_fullest_organisation_goes_first() -> None:
    desk = Desk("k1", "k2")
    desk.learn("k1", "org-a", requests=(60, 40))
    desk.learn("k2", "org-b", requests=(60, 50))

    assert [desk.key(desk.ticket()) for _ in range(10)].count("k2") == 10
    assert {desk.key(desk.ticket()) for _ in range(4)} == {"k1", "k2"}


def test_a_run_stays_on_its_key_for_five_minutes() -> None:
    desk = Desk("k1", "k2")
    desk.learn("k1", "org-a", requests=(600, 590))
    desk.learn("k2", "org-b", requests=(600, 580))
    first = desk.ticket("run")
    assert desk.key(first) == "k1"
    desk.used(first)
    desk.learn("k1", "org-a", requests=(600, 300))

    assert desk.key(desk.ticket("another")) == "k2"
    desk.now += 299
    desk.learn("k1", "org-a", requests=(600, 300))
    assert desk.key(desk.ticket("run")) == "k1"
    desk.now += 301
    desk.learn("k1", "org-a", requests=(600, 300))
    assert desk.key(desk.ticket("run")) == "k2"


@pytest.mark.parametrize(("behind", "key"), [(15, "k1"), (16, "k2")])
def test_a_warm_cache_is_worth_fifteen_seconds_and_no_more(behind: int, key: str) -> None:
    desk = Desk("k1", "k2")
    desk.learn("k1", "org-a", requests=(60, 60))
    desk.learn("k2", "org-b", requests=(60, 10))
    first = desk.ticket("run")
    assert desk.key(first) == "k1"
    desk.opened(first, "org-a", requests=(60, 0))
    desk.used(first)
    for _ in range(behind - 1):
        desk.keys = ("k1",)
        desk.look(desk.ticket())
    desk.keys = ("k1", "k2")

    answer = desk.look(desk.ticket("run"))
    assert isinstance(answer, Wait if key == "k1" else Go)


def test_a_request_with_a_key_of_unknown_organisation_is_held_against_every_group_until_it_is_known() -> None:
    """The last place of the group that is known would be one too many if the new key is of it."""
    desk = Desk("a", "b")
    first, stranger = desk.ticket(), desk.ticket()
    assert {desk.key(first), desk.key(stranger)} == {"a", "b"}
    desk.opened(first, "org", requests=(600, 1))
    desk.used(first)

    waits = desk.wait(desk.ticket())
    desk.opened(stranger, "another", requests=(600, 599))

    assert waits > 0
    assert desk.key(desk.ticket()) in {"a", "b"}
