"""One pull request for one branch: opened, adopted, updated or left alone, and never opened twice."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from repowright_tools.errors import ForgeError
from repowright_tools.models import Result
from repowright_tools.open_pr.body import is_ours, says_the_same
from repowright_tools.open_pr.models import Action, Withheld
from repowright_tools.stage import Json, StageContext

if TYPE_CHECKING:
    from repowright_tools.github.forge import Forge
    from repowright_tools.github.pull_request import Proposal, PullRequest
    from repowright_tools.github.remote import PushTarget


class Outcome(Result):
    """What became of the pull request, and the text that it has now."""

    action: Action
    number: int
    url: str
    title: str
    body: str
    withheld: list[Withheld]


async def propose(
    ctx: StageContext, target: "PushTarget", proposal: "Proposal", commit: str, *, pushed: bool
) -> Outcome:
    """Have exactly one open pull request from the proposal's head to its base.

    Args:
        ctx: for the forge and the journal.
        target: the repository on the forge.
        proposal: what the pull request is to be.
        commit: the commit that has been pushed to the head.
        pushed: whether this run changed the branch.

    Raises:
        ForgeError: the forge refuses or does not answer.
    """

    async def found() -> Json | None:
        there = await ctx.forge.find(target, proposal.head, proposal.base)
        return None if there is None else await _settle(ctx.forge, target, there, proposal, pushed=pushed)

    async def effect() -> Json:
        settled = await found()
        if settled is not None:
            return settled
        opened, by_us = await ctx.forge.create(target, proposal)
        if by_us:
            return _outcome("created", opened, proposal.title, proposal.body)
        return await _settle(ctx.forge, target, opened, proposal, pushed=True)

    inputs = {"repository": target.name, "commit": commit, **asdict(proposal)}
    return Outcome.model_validate(await ctx.journal.step("pull_request", inputs, effect, reconcile=found))


async def _settle(
    forge: "Forge", target: "PushTarget", there: "PullRequest", proposal: "Proposal", *, pushed: bool
) -> Json:
    """What becomes of a pull request that is there already: text of others is never overwritten."""
    ours = is_ours(there.title, there.body)
    if not ours:
        author = "somebody else wrote it" if ours is False else "it has been edited since"
        kept = Withheld(what="title and body", where=there.url, reason=f"the pull request keeps its text: {author}")
        return _outcome("adopted", there, there.title, there.body, [kept])
    if there.title == proposal.title and says_the_same(there.body, proposal.body):
        return _outcome("adopted" if pushed else "noop", there, there.title, there.body)
    await forge.update(target, there.number, proposal.title, proposal.body)
    return _outcome("updated", there, proposal.title, proposal.body)


def _outcome(action: Action, there: "PullRequest", title: str, body: str, withheld: Sequence[Withheld] = ()) -> Json:
    """An Outcome as the journal keeps it."""
    done = Outcome(action=action, number=there.number, url=there.url, title=title, body=body, withheld=list(withheld))
    return done.model_dump()


async def ask_and_label(
    ctx: StageContext, target: "PushTarget", number: int, reviewers: list[str], labels: list[str]
) -> list[Withheld]:
    """Ask the reviewers and set the labels, each by itself, and return what the forge refused."""

    async def effect() -> Json:
        refused: list[Withheld] = []
        for what, names, call in (
            ("reviewer", reviewers, ctx.forge.request_reviewers),
            ("label", labels, ctx.forge.add_labels),
        ):
            for name in names:
                try:
                    await call(target, number, [name])
                except ForgeError as error:
                    refused.append(Withheld(what=f"{what} {name}", where=f"#{number}", reason=error.message))
        return [each.model_dump() for each in refused]

    if not reviewers and not labels:
        return []
    inputs = {"repository": target.name, "number": number, "reviewers": reviewers, "labels": labels}
    done = await ctx.journal.step("reviewers_and_labels", inputs, effect)
    return [Withheld.model_validate(each) for each in done]
