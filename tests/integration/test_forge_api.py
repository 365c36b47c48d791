"""The forge's API: each refusal has its own error, and what may have happened is looked up, never repeated."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fakes.github import FakeGitHub
from fakes.github_project import NAME, Project, make_project
from repowright_tools.errors import (
    BaseMissing,
    ForgeForbidden,
    ForgeNotFound,
    ForgeRateLimited,
    ForgeUnauthorized,
    ForgeUnavailable,
    NothingToPush,
    RepowrightError,
)
from repowright_tools.github.pull_request import Proposal
from repowright_tools.github.remote import PushTarget

pytestmark = pytest.mark.anyio
HEAD = "repowright/x"
PULLS = "/pulls$"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with FakeGitHub(tmp_path) as github:
        yield make_project(tmp_path, github)


def _target(project: Project) -> PushTarget:
    return project.forge().authorise(project.context().repository)


def _proposal(base: str = "main", head: str = HEAD) -> Proposal:
    return Proposal(head=head, base=base, title="A title", body="A body", draft=True)


async def _push(project: Project) -> PushTarget:
    target = _target(project)
    await project.forge().push(target, project.work, project.head, HEAD)
    return target


async def test_the_preflight_passes_when_a_push_and_a_pull_request_would_be_accepted(project: Project) -> None:
    await project.forge().preflight(_target(project))
    await project.forge().preflight(_target(project), "main")

    assert project.github.writes == []


async def test_the_preflight_names_what_is_wrong(project: Project) -> None:
    """O04."""
    github, target = project.github, _target(project)
    revoked = github.add_token(push=True)
    github.revoke(revoked)
    github.add_repository("ada/old", archived=True)
    archived = PushTarget("forge", "ada/old", github.clone_url("ada/old"))
    gone = PushTarget("forge", "ada/gone", github.clone_url("ada/gone"))
    cases: list[tuple[str | None, PushTarget, str | None, type[RepowrightError]]] = [
        (None, target, None, ForgeUnauthorized),
        (revoked, target, None, ForgeUnauthorized),
        (github.add_token(push=False), target, None, ForgeForbidden),
        (github.token, gone, None, ForgeNotFound),
        (github.token, target, "none", BaseMissing),
        (github.token, archived, None, ForgeForbidden),
    ]

    for token, where, base, error in cases:
        with pytest.raises(error):
            await project.forge(token=token).preflight(where, base)
    assert github.writes == []


async def test_a_repository_that_has_moved_is_not_followed_to_a_name_that_nobody_allowed(project: Project) -> None:
    """R04: GitHub answers for the old name with a redirect."""
    target = _target(project)
    project.github.rename(NAME, "eve/tool")

    with pytest.raises(ForgeNotFound, match="eve/tool"):
        await project.forge().preflight(target)


async def test_a_pull_request_is_opened_as_proposed_and_found_again(project: Project) -> None:
    target, forge = await _push(project), project.forge()

    assert await forge.find(target, HEAD, "main") is None
    opened, by_us = await forge.create(target, _proposal())

    assert by_us
    assert await forge.find(target, HEAD, "main") == opened
    (pull,) = project.github.pulls(NAME)
    assert (pull.title, pull.body, pull.head, pull.base, pull.draft) == ("A title", "A body", HEAD, "main", True)
    assert "+y = 2" in project.github.diff(NAME, pull.number)


async def test_a_pull_request_that_exists_already_is_found_and_returned(project: Project) -> None:
    """O02: 422 "already exists"."""
    target, forge = await _push(project), project.forge()
    first, _ = await forge.create(target, _proposal())

    assert await forge.create(target, _proposal()) == (first, False)
    assert len(project.github.pulls(NAME)) == 1


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_pull_request_whose_answer_is_lost_is_found_and_not_opened_twice(project: Project, status: int) -> None:
    """O02: 502 after creating."""
    target = await _push(project)
    project.github.fail("POST", PULLS, status, after=True)

    opened, by_us = await project.forge().create(target, _proposal())

    assert (opened.number, by_us) == (1, False)
    assert len([request for request in project.github.writes if request.path.endswith("/pulls")]) == 1


async def test_a_server_error_before_anything_happened_is_unavailable(project: Project) -> None:
    target = await _push(project)
    project.github.fail("POST", PULLS, 503)

    with pytest.raises(ForgeUnavailable) as caught:
        await project.forge().create(target, _proposal())

    assert caught.value.retryable
    assert project.github.pulls(NAME) == []


async def test_a_short_rate_limit_is_waited_out(project: Project) -> None:
    """O02: 403 secondary limit."""
    target = await _push(project)
    project.github.fail("POST", PULLS, 403, "You have exceeded a secondary rate limit", headers={"Retry-After": "1"})
    started = time.monotonic()

    _, by_us = await project.forge().create(target, _proposal())

    assert by_us
    assert time.monotonic() - started >= 1
    assert len(project.github.pulls(NAME)) == 1


async def test_a_long_rate_limit_is_an_error_that_says_when_to_come_back(project: Project) -> None:
    """O02: secondary and primary limits."""
    target, now = _target(project), datetime.now(UTC)
    reset = int((now + timedelta(minutes=30)).timestamp())
    for status, headers in (
        (403, {"Retry-After": "1800"}),
        (429, {"Retry-After": "1800"}),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}),
    ):
        project.github.fail("GET", "repos/ada/tool$", status, "API rate limit exceeded", headers=headers)
        with pytest.raises(ForgeRateLimited) as caught:
            await project.forge().preflight(target)
        assert caught.value.retry_at is not None
        assert timedelta(minutes=29) < caught.value.retry_at - now < timedelta(minutes=31)


async def test_a_rate_limit_that_stays_ends_as_an_error(project: Project) -> None:
    project.github.fail("GET", "repos/ada/tool$", 403, "rate limit", headers={"Retry-After": "0"}, times=99)

    with pytest.raises(ForgeRateLimited):
        await project.forge(patience_s=2).preflight(_target(project))

    assert len(project.github.requests) == 3


async def test_what_the_forge_refuses_of_a_proposal_has_its_own_error(project: Project) -> None:
    """O04."""
    target, forge = await _push(project), project.forge()
    await forge.push(target, project.work, project.base, "repowright/same")

    with pytest.raises(BaseMissing):
        await forge.create(target, _proposal(base="none"))
    with pytest.raises(NothingToPush):
        await forge.create(target, _proposal(head="repowright/same"))
    project.github.fail("POST", PULLS, 422, "Draft pull requests are not supported in this repository.")
    with pytest.raises(ForgeForbidden) as caught:
        await forge.create(target, _proposal())
    assert "draft=false" in caught.value.what_to_do


@pytest.mark.parametrize("body", ["<html>sign in</html>", "null", "[]", '{"full_name": 7}'])
async def test_an_answer_that_is_not_the_api_is_unavailable(project: Project, body: str) -> None:
    """L10 for the forge: a proxy or login page answers 200."""
    project.github.fail("GET", "repos/ada/tool$", 200, body=body)

    with pytest.raises((ForgeUnavailable, ForgeNotFound)):
        await project.forge().preflight(_target(project))


async def test_text_of_the_forge_is_cleaned_before_it_is_shown(project: Project) -> None:
    """S22, K02."""
    token = "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gJ6"
    project.github.fail("GET", "repos/ada/tool$", 403, f"\x1b[31mno {token}\u202e")

    with pytest.raises(ForgeForbidden) as caught:
        await project.forge().preflight(_target(project))

    assert token not in caught.value.message
    assert "\x1b" not in caught.value.message
    assert "\u202e" not in caught.value.message


async def test_reviewers_may_be_people_and_teams(project: Project) -> None:
    target, forge = await _push(project), project.forge()
    opened, _ = await forge.create(target, _proposal())

    await forge.request_reviewers(target, opened.number, ["grace", "ada/core"])
    await forge.add_labels(target, opened.number, ["bug"])

    (pull,) = project.github.pulls(NAME)
    assert (pull.reviewers, pull.labels) == (["grace", "core"], ["bug"])
