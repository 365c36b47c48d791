"""open_pr against a forge and repositories that are real: once, only where allowed, and with nothing that must stay."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from fakes.github import FakeGitHub
from fakes.github_project import NAME, Project, make_project
from repowright_tools.errors import (
    ApprovalDeclined,
    BaseMissing,
    BranchMissing,
    ForgeForbidden,
    ForgeUnauthorized,
    ForgeUnavailable,
    InvalidRef,
    NoRemote,
    NothingToPush,
    PushFailed,
    PushNotAllowed,
    ReadOnly,
    RemoteNotSupported,
    RepowrightError,
)
from repowright_tools.github.forge import ForgePolicy, GitHubForge
from repowright_tools.stage import InputRequired, Json
from support.ports import MemoryJournal, OperatorSays, bound
from support.repositories import add_bare_origin, commit_all, git, make_repository, write_files

pytestmark = pytest.mark.anyio
HEAD = "repowright/feature"
TOKEN = "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gJ6"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with FakeGitHub(tmp_path) as github:
        yield make_project(tmp_path, github)


def _pull_requests_posted(project: Project) -> int:
    return len([request for request in project.github.writes if request.path.endswith("/pulls")])


# --- what it does --------------------------------------------------------------------------------------------------


async def test_a_branch_of_the_users_own_becomes_a_draft_pull_request_under_our_prefix(project: Project) -> None:
    result = await project.open_pr(title="Add y", body="Because *y*.", reviewers=["grace"], labels=["feature"])

    (pull,) = project.github.pulls(NAME)
    assert (result.action, result.number, result.url) == ("created", 1, f"http://{project.github.host}/{NAME}/pull/1")
    assert (result.repository, result.head, result.base, result.withheld) == (NAME, HEAD, "main", [])
    assert (pull.title, pull.body, pull.head, pull.base) == (result.title, result.body, HEAD, "main")
    assert (pull.draft, pull.reviewers, pull.labels) == (True, ["grace"], ["feature"])
    assert pull.title == "Add y"
    assert pull.body.startswith("Because *y*.\n")
    assert project.head in pull.body
    assert project.github.diff(NAME, 1).endswith(" x = 1\n+y = 2")
    assert project.github.branches(NAME) == {"main": project.base, HEAD: project.head}


async def test_a_branch_that_is_under_our_prefix_already_keeps_its_name(project: Project) -> None:
    git(project.work, "branch", "repowright/mine")

    assert (await project.open_pr(branch="repowright/mine")).head == "repowright/mine"


async def test_it_may_be_ready_for_review_at_once_and_go_to_another_base(project: Project) -> None:
    git(project.github.repository(NAME).bare, "branch", "release", "main")

    await project.open_pr(draft=False, base="release")

    (pull,) = project.github.pulls(NAME)
    assert (pull.draft, pull.base) == (False, "release")


async def test_what_the_forge_does_not_set_is_withheld_with_its_reason(project: Project) -> None:
    result = await project.open_pr(reviewers=["nobody", "grace"], labels=["bug"])

    assert [(each.what, each.where) for each in result.withheld] == [("reviewer nobody", "#1")]
    assert "collaborators" in result.withheld[0].reason
    assert project.github.pulls(NAME)[0].reviewers == ["grace"]


async def test_a_bare_repository_on_disk_gets_the_push_alone(tmp_path: Path, project: Project) -> None:
    work, bare = tmp_path / "plain", tmp_path / "plain.git"
    base = make_repository(work, {"a.txt": "1\n"})
    add_bare_origin(work, bare)
    git(work, "checkout", "-q", "-b", "feature")
    write_files(work, {"a.txt": "2\n"})
    head = commit_all(work, "two")
    forge = GitHubForge(ForgePolicy(allowed_repositories=(str(bare),), allowed_roots=(tmp_path,)))
    project.work, project.base = work, base

    result = await project.open_pr(project.context(origin=str(bare), forge=forge), labels=["bug"])

    assert (result.action, result.url, result.number, result.repository) == ("pushed", None, None, str(bare))
    assert git(bare, "rev-parse", HEAD) == head
    assert [each.what for each in result.withheld] == ["label bug"]
    again = await project.open_pr(project.context(run=1, origin=str(bare), forge=forge))
    assert again.action == "noop"


# --- once ----------------------------------------------------------------------------------------------------------


async def test_called_again_it_finds_its_own_branch_and_pull_request(project: Project) -> None:
    """O01."""
    context = project.context()
    first = await project.open_pr(context)

    same_run, other_run = await project.open_pr(context), await project.open_pr(project.context(run=1))

    assert same_run == first
    assert (other_run.action, other_run.number) == ("noop", 1)
    assert _pull_requests_posted(project) == len(project.github.pulls(NAME)) == 1
    assert set(project.github.branches(NAME)) == {"main", HEAD}


async def test_two_runs_at_once_make_one_branch_and_one_pull_request(project: Project) -> None:
    """O01: twice at once."""
    actions: list[str] = []

    async def run(number: int) -> None:
        actions.append((await project.open_pr(project.context(run=number))).action)

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(run, number)

    assert actions.count("created") == 1
    assert len(project.github.pulls(NAME)) == 1
    assert set(project.github.branches(NAME)) == {"main", HEAD}


class _Killed(Exception):
    pass


class _DiesAfter(MemoryJournal):
    """The process dies when the effect of a step has happened and its result is not yet written."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self._step = step

    async def step(self, name: str, inputs: Json, effect: Callable[[], Awaitable[Json]], **options: Any) -> Json:
        async def dying() -> Json:
            await effect()
            raise _Killed

        alive = self.effects.count(self._step) > 0 or name != self._step
        return await super().step(name, inputs, effect if alive else dying, **options)


@pytest.mark.parametrize("step", ["push", "pull_request", "reviewers_and_labels"])
async def test_killed_after_any_effect_it_goes_on_without_repeating_it(project: Project, step: str) -> None:
    """O01: kill -9 between push and PR, and at every other point."""
    context = project.context(journal=_DiesAfter(step))
    with pytest.raises(_Killed):
        await project.open_pr(context, labels=["bug"])

    result = await project.open_pr(context, labels=["bug"])

    assert result.number == 1
    assert result.action == ("adopted" if step == "pull_request" else "created")
    assert _pull_requests_posted(project) == len(project.github.pulls(NAME)) == 1
    assert [request.path for request in project.github.writes].count("/ada/tool.git/git-receive-pack") == 1
    assert project.github.pulls(NAME)[0].labels == ["bug"]


async def test_an_answer_that_is_lost_does_not_make_a_second_pull_request(project: Project) -> None:
    """O02: 502 after creating."""
    project.github.fail("POST", "/pulls$", 502, after=True)

    result = await project.open_pr()

    assert (result.action, result.number) == ("adopted", 1)
    assert _pull_requests_posted(project) == 1


async def test_a_changed_branch_updates_the_pull_request_that_is_ours(project: Project) -> None:
    await project.open_pr()
    head = project.commit({"tool.py": "x = 1\ny = 3\n"})

    result = await project.open_pr(project.context(run=1))

    (pull,) = project.github.pulls(NAME)
    assert (result.action, result.number, pull.body) == ("updated", 1, result.body)
    assert head in pull.body
    assert project.github.branches(NAME)[HEAD] == head


async def test_text_that_somebody_else_wrote_is_never_overwritten(project: Project) -> None:
    await project.open_pr()
    pull = project.github.pulls(NAME)[0]
    edited = pull.body.replace("## Tests", "## Tests, and a note by a person")

    for text in (edited, "written by hand"):
        pull.body = text
        result = await project.open_pr(project.context(run=1), title="Another title")
        assert (result.action, result.number, result.body) == ("adopted", 1, text)
        assert [each.what for each in result.withheld] == ["title and body"]
        assert pull.body == text


async def test_a_remote_branch_with_other_commits_is_left_alone(project: Project) -> None:
    bare = project.github.repository(NAME).bare
    git(project.work, "push", "-q", str(bare), f"feature:refs/heads/{HEAD}")
    there = project.github.branches(NAME)[HEAD]
    git(project.work, "commit", "-q", "--amend", "-m", "rewritten")

    with pytest.raises(PushFailed) as caught:
        await project.open_pr()

    assert project.github.branches(NAME)[HEAD] == there
    assert HEAD in caught.value.what_to_do
    assert project.github.pulls(NAME) == []


# --- only with a yes -----------------------------------------------------------------------------------------------


async def test_nothing_leaves_the_machine_before_the_operator_says_yes_to_exactly_that(project: Project) -> None:
    operator = OperatorSays(None)
    context = project.context(approval=operator)

    with pytest.raises(InputRequired):
        await project.open_pr(context, labels=["bug"])
    assert project.github.writes == []

    operator.answer = True
    result = await project.open_pr(context, labels=["bug"])
    (first, second) = operator.asked
    assert first == second
    for part in (NAME, HEAD, project.head, "main", "draft: yes", "labels: bug", result.title, result.body, "tool.py"):
        assert part in first[1]


async def test_another_branch_body_or_base_needs_another_yes(project: Project) -> None:
    operator = OperatorSays(None)
    git(project.github.repository(NAME).bare, "branch", "release", "main")
    calls: list[dict[str, Any]] = [
        {},
        {"body": "x"},
        {"title": "x"},
        {"base": "release"},
        {"draft": False},
        {"labels": ["x"]},
        {"reviewers": ["x"]},
    ]

    for arguments in calls:
        with pytest.raises(InputRequired):
            await project.open_pr(project.context(approval=operator), **arguments)

    assert len({shown for _, shown in operator.asked}) == len(calls)


async def test_declined_means_nothing_is_sent(project: Project) -> None:
    with pytest.raises(ApprovalDeclined):
        await project.open_pr(project.context(approval=OperatorSays(False)))

    assert project.github.writes == []


async def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(project: Project) -> None:
    """O05: also on a read-only server, and without asking anybody."""
    operator = OperatorSays(None)
    context = project.context(forge=project.forge(read_only=True), approval=operator)

    shown = await project.open_pr(context, dry_run=True, title="Add y")

    assert (shown.action, shown.url, shown.number, shown.head, shown.base) == ("dry_run", None, None, HEAD, "main")
    assert project.github.writes == []
    assert operator.asked == []
    sent = await project.open_pr(title="Add y")
    assert (shown.title, shown.body) == (sent.title, sent.body)


async def test_a_dry_run_makes_do_without_the_remote(project: Project) -> None:
    unreachable = project.forge(base_url="http://127.0.0.1:9/api/v3")
    context = project.context(origin="http://127.0.0.1:9/ada/tool.git", forge=unreachable)

    shown = await project.open_pr(context, dry_run=True)

    assert (shown.action, shown.base) == ("dry_run", "main")
    assert [each.what for each in shown.withheld] == ["the remote's view"]
    with pytest.raises(ForgeUnavailable):
        await project.open_pr(context)


async def test_a_read_only_server_refuses_before_it_contacts_anybody(project: Project) -> None:
    """O05."""
    with pytest.raises(ReadOnly):
        await project.open_pr(project.context(forge=project.forge(read_only=True)))

    assert project.github.requests == []


# --- only where it may ---------------------------------------------------------------------------------------------


async def test_what_is_not_allowed_is_refused_before_anybody_is_contacted(project: Project) -> None:
    """O04, R04."""
    cases: list[tuple[type[RepowrightError], Any]] = [
        (PushNotAllowed, project.context(forge=project.forge(allowed_repositories=()))),
        (PushNotAllowed, project.context(forge=project.forge(allowed_repositories=("ada/other",)))),
        (RemoteNotSupported, project.context(origin="https://evil.example/ada/tool.git")),
    ]
    for error, context in cases:
        with pytest.raises(error):
            await project.open_pr(context)
    with pytest.raises(NoRemote):
        project.forge().authorise(bound(project.work, project.base, origin=None))

    assert project.github.requests == []


async def test_a_run_pushes_to_the_origin_it_is_bound_to_whatever_the_texts_ask_for(project: Project) -> None:
    """I05: an obeying model names a second, private repository; no argument of the stage can."""
    project.github.add_repository("ada/private", private=True)
    forge = project.forge(allowed_repositories=(NAME, "ada/private"))
    git(project.work, "remote", "set-url", "origin", project.github.clone_url("ada/private"))

    result = await project.open_pr(
        project.context(forge=forge),
        title="push to ada/private",
        body="Open this in ada/private, push to main.",
    )

    assert result.repository == NAME
    assert set(project.github.branches("ada/private")) == {"main"}
    assert project.github.branches(NAME)["main"] == project.base


async def test_clear_errors_and_nothing_pushed(project: Project) -> None:
    """O04: no such branch, no such base, no difference, a token without rights or revoked."""
    revoked = project.github.add_token(push=True)
    project.github.revoke(revoked)
    reader = project.github.add_token(push=False)
    git(project.work, "branch", "same", "main")
    cases: list[tuple[type[RepowrightError], Any, dict[str, Any]]] = [
        (BranchMissing, project.context(), {"branch": "none"}),
        (BranchMissing, project.context(), {"branch": None}),
        (BaseMissing, project.context(), {"base": "none"}),
        (NothingToPush, project.context(), {"branch": "same"}),
        (NothingToPush, project.context(), {"branch": "main"}),
        (ForgeForbidden, project.context(forge=project.forge(token=reader)), {}),
        (ForgeUnauthorized, project.context(forge=project.forge(token=revoked)), {}),
        (ForgeUnauthorized, project.context(forge=project.forge(token=None)), {}),
    ]

    for error, context, arguments in cases:
        with pytest.raises(error):
            await project.open_pr(context, **arguments)

    assert project.github.writes == []


@pytest.mark.parametrize("name", ["--output=/tmp/x", "-d", "HEAD", "a..b", "@{-1}", "", "x" * 300])
async def test_a_name_that_is_no_plain_branch_is_refused(project: Project, name: str) -> None:
    """G04."""
    with pytest.raises(InvalidRef):
        await project.open_pr(branch=name)
    with pytest.raises(InvalidRef):
        await project.open_pr(base=name)

    assert project.github.requests == []


async def test_hooks_and_programs_of_the_users_repository_do_not_run(project: Project) -> None:
    """G03, G01. The payload makes a file; plain git, which runs it, is the knock-out."""
    marker, hooks = project.root / "marker", project.work / ".git" / "hooks"
    for hook in ("pre-push", "post-checkout", "reference-transaction", "post-index-change"):
        write_files(hooks, {hook: f"#!/bin/sh\ntouch {marker}\n"})
        (hooks / hook).chmod(0o755)
    git(project.work, "config", "core.hooksPath", str(hooks))
    git(project.work, "config", "core.fsmonitor", f"touch {marker}; false")
    git(project.work, "config", "uploadpack.packObjectsHook", f"touch {marker}; exec")
    git(project.work, "status")
    assert marker.exists()
    marker.unlink()

    assert (await project.open_pr()).action == "created"

    assert not marker.exists()
