"""What becomes of a call for everything that can go wrong: the README's table, seen again."""

from collections.abc import Iterator

import pytest

from fakes.messages_api import MessagesApi
from support.faults import README, RETRIES, Fault, faults, row, see

pytestmark = pytest.mark.anyio


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi() as api:
        yield api


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.name)
async def test_a_fault_ends_as_the_readme_says(api: MessagesApi, fault: Fault) -> None:
    """L01, L04, L05, L06, L09, L10."""
    once, always = await see(api, fault, stays=False), await see(api, fault, stays=True)

    assert row(fault, once, always) in README.read_text(encoding="utf-8").splitlines()
    assert always.requests <= RETRIES + 1 or fault.name == "an answer that is not JSON"


async def test_a_spend_limit_is_one_request_and_never_more(api: MessagesApi) -> None:
    fault = next(each for each in faults() if "spend limit" in each.name)

    assert (await see(api, fault, stays=True)).requests == 1
