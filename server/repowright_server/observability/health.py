"""Whether everything the server stands on is there, and how to mend what is not."""

import re
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from repowright_tools.errors import RepowrightError
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from repowright_server.engine import Engine

OLDEST_GIT = (2, 39)
LEAST_DISK_BYTES = 2 << 30
MOST_S = 15.0
"""Seconds after which a check that does not answer has failed."""


@dataclass(frozen=True)
class Health:
    """The outcome of one check; `mend` says what to do about a failure.

    A check is optional if what it is about is needed for some stages only, and nobody has begun to set it up.
    """

    name: str
    ok: bool
    detail: str
    mend: str = ""
    optional: bool = False


async def check_all(engine: "Engine") -> list[Health]:
    """Every check, in an order in which the first failure is the one to mend first."""
    checks: list[tuple[str, Callable[[Engine], Awaitable[Health]]]] = [
        ("git", _git),
        ("state", _state),
        ("disk", _disk),
        ("roots", _roots),
        ("model", _model),
        ("sandbox", _sandbox),
        ("forge", _forge),
    ]
    return [await _bounded(name, check, engine) for name, check in checks]


async def _bounded(name: str, check: "Callable[[Engine], Awaitable[Health]]", engine: "Engine") -> Health:
    try:
        with anyio.fail_after(MOST_S):
            return await check(engine)
    except RepowrightError as error:
        return Health(name, ok=False, detail=error.message, mend=error.what_to_do)
    except TimeoutError:
        return Health(name, ok=False, detail=f"no answer within {MOST_S:g} s", mend="Check that it is not stalled.")


async def _git(_engine: "Engine") -> Health:
    if shutil.which("git") is None:
        return Health("git", ok=False, detail="git is not on the PATH", mend="Install git 2.39 or newer.")
    done = await anyio.run_process(["git", "--version"])
    found = re.search(rb"(\d+)\.(\d+)", done.stdout)
    recent = found is not None and (int(found[1]), int(found[2])) >= OLDEST_GIT
    return Health("git", ok=recent, detail=done.stdout.decode().strip(), mend="Install git 2.39 or newer.")


async def _state(engine: "Engine") -> Health:
    runs = await engine.newest_runs(1)
    where = engine.settings.database_url or str(engine.settings.repowright_home / "repowright.db")
    return Health("state", ok=True, detail=f"{_without_password(where)} is usable{'' if runs else ', no runs yet'}")


async def _disk(engine: "Engine") -> Health:
    free = shutil.disk_usage(engine.settings.repowright_home).free
    mend = "Free some disk, or set REPOWRIGHT_HOME to a folder with more."
    return Health("disk", free >= LEAST_DISK_BYTES, f"{free / (1 << 30):.1f} GiB free for the state and clones", mend)


async def _roots(engine: "Engine") -> Health:
    roots = engine.adapters.allowed_roots()
    missing = [str(root) for root in roots if not await anyio.Path(root).is_dir()]
    mend = "Start the server inside a work tree, or set ALLOWED_ROOTS (or --allow-root) to existing folders."
    if missing or not roots:
        detail = f"missing: {', '.join(missing)}" if missing else "no folder is allowed; only remote sources work"
        return Health("roots", ok=False, detail=detail, mend=mend)
    return Health("roots", ok=True, detail=", ".join(str(root) for root in roots))


async def _model(engine: "Engine") -> Health:
    from repowright_server.commands.serve import cannot_start

    provider, reason = engine.settings.llm_provider, cannot_start(engine.settings)
    if reason is not None:
        return Health("model", ok=False, detail=f"{provider} cannot be used", mend=reason.replace("\n", " "))
    keys = {"anthropic": len(engine.settings.anthropic_api_key), "openai": len(engine.settings.openai_api_key)}.get(
        provider
    )
    if provider in ("host", "scripted"):
        return Health("model", ok=True, detail=provider)
    from repowright_tools.llm.tokens import Tokens

    counts = await in_thread(Tokens().source)
    said = [f"{keys} key(s)"] * bool(keys) + ["not called here", f"prompts counted by {counts}"]
    return Health("model", ok=True, detail=f"{provider}, {', '.join(said)}")


async def _sandbox(engine: "Engine") -> Health:
    bundle = engine.settings.sandbox_ca_bundle
    if bundle is not None and not await anyio.Path(bundle).is_file():
        return Health("sandbox", ok=False, detail=f"there is no {bundle}", mend="Set SANDBOX_CA_BUNDLE to a PEM file.")
    found = await engine.adapters.sandbox().check()
    beside = f", and the images of {', '.join(found.services)}" if found.services else ""
    return Health("sandbox", ok=True, detail=f"{found.backend} {found.version} has {found.image}{beside}")


async def _forge(engine: "Engine") -> Health:
    allowed = engine.settings.allowed_repositories
    if engine.settings.github_token is None and not allowed:
        mend = "Set GITHUB_TOKEN and ALLOWED_REPOSITORIES to open pull requests; everything else works without."
        return Health("forge", ok=False, detail="not set up: nothing can be pushed", mend=mend, optional=True)
    login = await engine.adapters.forge().login()
    if not allowed:
        mend = "Set ALLOWED_REPOSITORIES to the repositories that may be pushed to."
        return Health("forge", ok=False, detail=f"signed in as {login}, but no repository may be pushed to", mend=mend)
    return Health("forge", ok=True, detail=f"signed in as {login}; may push to {', '.join(allowed)}")


def _without_password(url: str) -> str:
    return re.sub(r"://[^@/]*@", "://***@", url)
