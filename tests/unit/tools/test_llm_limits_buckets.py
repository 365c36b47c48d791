"""Token buckets: what headers say, what they cannot mean, and how levels move on."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from repowright_tools.llm.buckets import Told, own_bucket, read_limits, told_bucket

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC).timestamp()


def headers(limit: object, remaining: object, reset: object = None, kind: str = "requests") -> dict[str, str]:
    values = {"limit": limit, "remaining": remaining, "reset": reset}
    return {f"anthropic-ratelimit-{kind}-{name}": str(value) for name, value in values.items() if value is not None}


def at(seconds: float, now: float = NOW) -> str:
    return (datetime.fromtimestamp(now, UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("kind", ["requests", "tokens", "input-tokens", "output-tokens"])
def test_each_kind_of_limit_is_read(kind: str) -> None:
    assert read_limits(headers(50, 20, at(36), kind), NOW) == [Told(kind, 50, 20, 36)]


@pytest.mark.parametrize(
    ("limit", "remaining", "reset", "read"),
    [
        ("50", "-3", None, (50, 0, None)),
        ("50", "1e300", None, (50, 50, None)),
        ("50", "20", "tomorrow", (50, 20, None)),
        ("50", "20", at(-3600), (50, 20, None)),
        ("50", "20", at(-1), (50, 20, 0)),
        ("50", "20", "9999-12-31T23:59:59Z", (50, 20, None)),
        ("50", "20", "2026-11-21T12:00:30", (50, 20, 30)),
        ("0", "0", None, None),
        ("-50", "20", None, None),
        ("nan", "20", None, None),
        ("50", "nan", None, None),
        ("inf", "20", None, None),
        ("1e300", "20", None, None),
        ("many", "few", "later", None),
        (None, "20", None, None),
        ("50", None, None, None),
        ("", "", "", None),
    ],
)
def test_nonsense_in_headers_is_left_out(
    limit: str | None, remaining: str | None, reset: str | None, read: tuple[float, float, float | None] | None
) -> None:
    assert read_limits(headers(limit, remaining, reset), NOW) == ([Told("requests", *read)] if read else [])


def test_a_reset_is_read_by_the_providers_clock() -> None:
    """Ours is an hour slow; the Date of the response tells."""
    date = format_datetime(datetime.fromtimestamp(NOW + 3600, UTC), usegmt=True)
    told = read_limits(headers(50, 20, at(3636)) | {"date": date}, NOW)

    assert told == [Told("requests", 50, 20, 36)]


@pytest.mark.parametrize("date", ["", "yesterday", "Sat, 99 Nov 2026 12:00:00 GMT", "0"])
def test_a_date_that_is_none_leaves_our_clock(date: str) -> None:
    assert read_limits(headers(50, 20, at(36)) | {"date": date}, NOW) == [Told("requests", 50, 20, 36)]


def test_a_bucket_refills_with_a_sixtieth_of_its_limit_a_second() -> None:
    bucket = told_bucket(Told("requests", 60, 0, 60), NOW)

    assert bucket.wait_s(3, NOW) == 3
    assert bucket.level_at(NOW + 3) == 3
    assert bucket.level_at(NOW + 3600) == 60


def test_a_bucket_that_is_full_below_its_limit_holds_no_more_than_that() -> None:
    """Bursts may be held below the minute's limit."""
    bucket = told_bucket(Told("requests", 6000, 100, 0), NOW)

    assert bucket.level_at(NOW + 60) == 100
    assert bucket.rate == 100


def test_roundings_of_a_reset_do_not_add_up_to_a_larger_bucket() -> None:
    bucket = told_bucket(Told("requests", 6000, 50, 0.5), NOW)  # 100 in all
    bucket.learn(Told("requests", 6000, 50, 1.4))

    assert bucket.capacity == 100


def test_a_bucket_that_has_grown_is_believed() -> None:
    bucket = told_bucket(Told("requests", 6000, 100, 0), NOW)
    bucket.learn(Told("requests", 6000, 0, 50))
    assert bucket.capacity == 5000
    bucket.learn(Told("requests", 60, 60, 0))
    assert (bucket.capacity, bucket.rate) == (60, 1)


def test_a_reset_hours_away_shows_a_slower_rate() -> None:
    bucket = told_bucket(Told("requests", 1000, 500, 36_000), NOW)

    assert bucket.rate == pytest.approx(500 / 36_000)
    assert bucket.capacity == 1000


def test_what_is_larger_than_a_bucket_waits_until_that_is_full() -> None:
    bucket = told_bucket(Told("input-tokens", 60, 10, None), NOW)

    assert bucket.wait_s(1_000_000, NOW) == 50


def test_a_clock_that_is_set_back_refills_nothing_and_one_set_forward_no_more_than_all() -> None:
    bucket = told_bucket(Told("requests", 60, 10, None), NOW)
    bucket.refill(NOW - 86_400)
    assert bucket.level == 10
    assert bucket.wait_s(11, NOW - 86_400) == 1

    bucket.refill(NOW + 1e9)
    assert bucket.level == 60


def test_a_limit_of_our_own_is_a_bucket_of_its_calls() -> None:
    bucket = own_bucket(5, 10, NOW)
    bucket.level -= 5

    assert bucket.wait_s(1, NOW) == 2
