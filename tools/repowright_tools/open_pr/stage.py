"""The stage that publishes: the only one whose work leaves the machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from repowright_tools.errors import (
    BaseMissing,
    BranchMissing,
    ForgeForbidden,
    ForgeNotFound,
    ForgeUnauthorized,
    ForgeUnavailable,
    InvalidArguments,
)
from repowright_tools.models import GeneratedCode, PlanResult, TestReport
from repowright_tools.open_pr.models import OpenPrArguments, OpenPrResult, Withheld
from repowright_tools.stage import Artifact, Hints, Json, Stage, StageContext

if TYPE_CHECKING:
    from repowright_tools.github.pull_request import Proposal
    from repowright_tools.github.remote import PushTarget
    from repowright_tools.open_pr.body import Evidence
    from repowright_tools.open_pr.change import Change

_PREFIX = "repowright/"


@dataclass(frozen=True)
class _Branch:
    """What is proposed: a commit of the clean clone, the name it gets on the remote, and what the run knows of it."""

    clone: Path
    commit: str
    name: str
    evidence: "Evidence"


class OpenPr(Stage[OpenPrArguments, OpenPrResult]):
    """Push a branch and open a pull request for it, once, with the evidence of the run.

    Proposes the branch that generate_code made on this run, or a `branch` of your own, which is pushed under
    `repowright/`. Only allow-listed repositories are pushed to, never their default branch, and never by force. The
    operator approves what is sent; secrets and protected files in any commit are refused. Called again, it finds its
    own branch and pull request. `dry_run` shows the exact title and body and sends nothing.
    """

    name: ClassVar = "open_pr"
    title: ClassVar = "Open a pull request"
    arguments: ClassVar = OpenPrArguments
    result: ClassVar = OpenPrResult
    hints: ClassVar = Hints(read_only=False, destructive=False, idempotent=True, open_world=True)
    builds_on: ClassVar = ("plan_feature", "generate_code", "run_tests_sandboxed")

    def require(self, args: OpenPrArguments, *, starts_run: bool) -> None:
        from repowright_tools.git.names import check_ref
        from repowright_tools.secrets import strip_invisible

        for name in (args.branch, args.base):
            if name is not None:
                check_ref(name)
        for label in args.labels:
            if label != " ".join(strip_invisible(label).split()):  # could pass for another line of what is approved
                raise InvalidArguments(f"labels: not one line of visible characters: {label!a}")

    async def run(self, ctx: StageContext, args: OpenPrArguments) -> OpenPrResult:
        from repowright_tools.github.pull_request import Proposal
        from repowright_tools.open_pr.body import compose_body, compose_title
        from repowright_tools.open_pr.change import read_change
        from repowright_tools.open_pr.gate import check_change, check_names
        from repowright_tools.threads import in_thread

        self.require(args, starts_run=False)
        if not args.dry_run:
            ctx.forge.require_writable()
        target = ctx.forge.authorise(ctx.repository)
        branch = await _branch(ctx, args)
        base, tip, withheld = await _base(ctx, args, target, branch.clone)
        change = await read_change(branch.clone, base, tip, branch.commit)
        await in_thread(check_change, change)
        check_names(_names(args, branch.name))
        title = compose_title(args.title, branch.evidence, change)
        body = compose_body(args.body, branch.evidence, change, title=title, run_id=ctx.run_id)
        proposal = Proposal(head=branch.name, base=base, title=title, body=body, draft=args.draft)
        result = OpenPrResult(
            action="dry_run",
            url=None,
            number=None,
            repository=target.name,
            head=branch.name,
            base=base,
            title=title,
            body=body,
            withheld=withheld + _redacted(args, title, body),
        )
        if args.dry_run:
            return result
        await ctx.forge.preflight(target, base)
        await ctx.approval.require(what=_what(target, branch.name, args), shown=_shown(target, proposal, change, args))
        return await _publish(ctx, args, target, branch, proposal, result)

    def changes(self, args: OpenPrArguments) -> bool:
        return not args.dry_run

    def summarise(self, result: OpenPrResult) -> str:
        where = result.url or f"{result.head} in {result.repository}"
        left_out = "".join(f"\nwithheld: {each.what} ({each.where}): {each.reason}" for each in result.withheld)
        return f"{_DONE[result.action]}: {where}, to be merged into {result.base}\n{result.title}{left_out}"

    def artifacts(self, result: OpenPrResult) -> list[Artifact]:
        return [Artifact("evidence", "text/markdown", f"# {result.title}\n\n{result.body}\n")]


_DONE = {
    "created": "Opened a pull request",
    "adopted": "The pull request was there already",
    "updated": "Updated the pull request",
    "noop": "Nothing had to be done",
    "pushed": "Pushed the branch; plain git has no pull requests",
    "dry_run": "Dry run: nothing was sent",
}


async def _branch(ctx: StageContext, args: OpenPrArguments) -> _Branch:
    """The branch that generate_code made, or the caller's own, in the clean clone (BranchMissing)."""
    from repowright_tools.open_pr.body import Evidence

    generated = ctx.results.get("generate_code", GeneratedCode)
    if generated is not None and args.branch in (None, generated.branch):
        clone = await ctx.workspace.clone(ctx.repository)
        if not await ctx.workspace.has_commit(generated.head_commit):
            raise BranchMissing(
                f"the clone of this run no longer has {generated.branch}",
                what_to_do="Run generate_code on this run again.",
            )
        plan = ctx.results.get("plan_feature", PlanResult)
        evidence = Evidence(
            plan=plan.plan if plan else None,
            checks=generated.checks,
            tests=ctx.results.get("run_tests_sandboxed", TestReport),
        )
        return _Branch(clone, generated.head_commit, _on_remote(generated.branch), evidence)
    if args.branch is None:
        raise BranchMissing("there is no branch to propose: this run has no generated code, and `branch` is not given")
    clone = await ctx.workspace.clone(ctx.repository)
    commit = await ctx.workspace.fetch_branch(ctx.repository, args.branch)
    return _Branch(clone, commit, _on_remote(args.branch), Evidence())


def _names(args: OpenPrArguments, branch: str) -> dict[str, str]:
    """What the forge is given beside the texts, which are redacted."""
    given = {"branch": [branch], "reviewer": args.reviewers, "label": args.labels}
    return {f"{what} {number}": name for what, names in given.items() for number, name in enumerate(names, 1)}


def _on_remote(branch: str) -> str:
    return branch if branch.startswith(_PREFIX) else f"{_PREFIX}{branch}"


async def _base(
    ctx: StageContext, args: OpenPrArguments, target: "PushTarget", clone: Path
) -> tuple[str, str, list[Withheld]]:
    """Name and commit of the base as the remote has it now; a dry run makes do with what the repository knows."""
    try:
        name, tip = await ctx.forge.fetch_base(target, clone, args.base)
    except (ForgeUnavailable, ForgeUnauthorized, ForgeForbidden, ForgeNotFound) as error:
        if not args.dry_run:
            raise
        name = args.base or ctx.repository.default_branch or ""
        if not name:
            raise BaseMissing("the repository does not say what its default branch is; give `base`") from error
        try:
            tip = await ctx.workspace.fetch_branch(ctx.repository, name)
        except BranchMissing as missing:
            raise BaseMissing(f"neither the remote nor the repository has a branch {name}") from missing
        note = Withheld(what="the remote's view", where=f"base {name}", reason=f"not reached: {error.message}")
        return name, tip, [note]
    return name, tip, []


def _redacted(args: OpenPrArguments, title: str, body: str) -> list[Withheld]:
    """What was taken out of the texts that the caller gave."""
    return [
        Withheld(what="a secret", where=where, reason="secrets are replaced in everything that is published")
        for where, given, sent in (("title", args.title, title), ("body", args.body, body))
        if given and sent.count("[redacted: ") > given.count("[redacted: ")
    ]


def _what(target: "PushTarget", head: str, args: OpenPrArguments) -> str:
    if target.kind == "plain":
        return f"push {head} to {target.name}"
    return f"push {head} to {target.name} and open a {'draft ' if args.draft else ''}pull request"


def _shown(target: "PushTarget", proposal: "Proposal", change: "Change", args: OpenPrArguments) -> str:
    """Everything that a yes covers, in one text; the same call makes the same text."""
    from repowright_tools.open_pr.body import diffstat

    return "\n".join(
        [
            f"repository: {target.name}",
            f"push to: {target.url}",
            f"head: {proposal.head} at {change.head_commit}",
            f"base: {proposal.base} at {change.base_commit}",
            f"draft: {'yes' if proposal.draft else 'no'}",
            f"reviewers: {', '.join(args.reviewers) or 'none'}",
            f"labels: {', '.join(args.labels) or 'none'}",
            f"title: {proposal.title}",
            "",
            diffstat(change),
            "",
            proposal.body,
        ]
    )


async def _publish(
    ctx: StageContext,
    args: OpenPrArguments,
    target: "PushTarget",
    branch: _Branch,
    proposal: "Proposal",
    result: OpenPrResult,
) -> OpenPrResult:
    """The outward effects, each once a run: the push, the pull request, its reviewers and labels."""
    from repowright_tools.open_pr.propose import ask_and_label, propose

    async def push() -> Json:
        return {"changed": await ctx.forge.push(target, branch.clone, branch.commit, branch.name)}

    async def pushed_before() -> Json | None:
        there = await ctx.forge.head(target, branch.name)
        return {"changed": True} if there == branch.commit else None

    inputs = {"repository": target.name, "url": target.url, "branch": branch.name, "commit": branch.commit}
    pushed = await ctx.journal.step("push", inputs, push, reconcile=pushed_before)
    if target.kind == "plain":
        none = [
            Withheld(what=f"{what} {name}", where=target.name, reason="plain git has no pull requests")
            for what, names in (("reviewer", args.reviewers), ("label", args.labels))
            for name in names
        ]
        action = "pushed" if pushed["changed"] else "noop"
        return result.model_copy(update={"action": action, "withheld": result.withheld + none})
    outcome = await propose(ctx, target, proposal, branch.commit, pushed=pushed["changed"])
    refused = await ask_and_label(ctx, target, outcome.number, args.reviewers, args.labels)
    withheld = [*result.withheld, *outcome.withheld, *refused]
    return result.model_copy(update={**dict(outcome), "withheld": withheld})
