"""Removes what runs that died left behind: boxes, their volumes and networks, and environments that are too old.

A box whose server died has ended by itself; this clears the remains. Nothing without our labels is touched, and a
box that another live server is using is not either.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from repowright_tools.errors import ImageMissing, SandboxBroken, SandboxStalled
from repowright_tools.sandbox.client import Described
from repowright_tools.sandbox.engine import QUICK_S, WORK_S, Engine
from repowright_tools.sandbox.labels import KEY, OWNED, OWNER, RUN, environment_tag, expired, owns_box

_SETTLED_S = 30.0
"""A box that ended, or a volume without a box, this long ago is not being used: its server would have removed it."""

_OVER = ("created", "exited", "dead")
"""States of a box in which nothing runs. Others are not looked at: the engine may be busy with them for long."""


async def reap(engine: Engine, now: float, run_id: str | None = None) -> int:
    """Remove dead and expired things of ours, or of one run; how many. `now` is in seconds since 1970."""
    ours = {"label": [f"{OWNER}={OWNED}"] + ([] if run_id is None else [f"{RUN}={run_id}"])}
    client = await engine.api()
    removed = 0
    boxes = await engine.call("list boxes", QUICK_S, client.containers, all=True, filters=ours)
    in_use = set[str]()
    for listed in boxes:
        name = str(listed["Names"][0]).lstrip("/")
        if not owns_box(listed["Labels"], name):
            continue
        if expired(listed["Labels"], now) or (listed["State"] in _OVER and await _is_dead(engine, name, now)):
            removed += await _try(engine, "remove a box", client.remove_container, name, force=True, v=True)
        else:
            in_use.add(name)
    volumes = await engine.call("list volumes", QUICK_S, client.volumes, filters=ours)
    listed_volumes: list[Described] = volumes["Volumes"] or []
    for volume in listed_volumes:
        name = str(volume["Name"])
        if owns_box(volume["Labels"], name) and name not in in_use and _is_settled(volume["CreatedAt"], now):
            removed += await _try(engine, "remove a volume", client.remove_volume, name)
    removed += await _reap_networks(engine, ours, now)
    images = await engine.call("list images", QUICK_S, client.images, filters=ours)
    for image in images:
        labels: Mapping[str, str] = image["Labels"] or {}
        # An image that somebody builds on an environment inherits its labels, but not its name.
        name = environment_tag(labels.get(KEY, ""))
        if name in (image["RepoTags"] or []) and expired(labels, now):
            removed += await _try(engine, "remove an image", client.remove_image, name)
    return removed


async def _reap_networks(engine: Engine, ours: Mapping[str, list[str]], now: float) -> int:
    """Remove networks of installations that are over; the engine refuses to remove one that is in use."""
    client = await engine.api()
    networks: list[Described] = await engine.call("list networks", QUICK_S, client.networks, filters=ours)
    removed = 0
    for network in networks:
        name = str(network["Name"])
        if owns_box(network["Labels"], name) and _is_settled(network["Created"], now):
            removed += await _try(engine, "remove a network", client.remove_network, name)
    return removed


async def _is_dead(engine: Engine, name: str, now: float) -> bool:
    client = await engine.api()
    try:
        details = await engine.call("inspect a box", QUICK_S, client.inspect_container, name)
    except (SandboxBroken, SandboxStalled):  # removed meanwhile, or of a run that holds the engine up
        return False
    match details["State"]["Status"]:
        case "created":
            return _is_settled(details["Created"], now)
        case "exited" | "dead":
            return _is_settled(details["State"]["FinishedAt"], now)
        case _:
            return False


def _is_settled(moment: str, now: float) -> bool:
    """Whether an engine's RFC 3339 time, with up to nine digits of a second, was long enough ago."""
    return now - datetime.fromisoformat(moment).timestamp() > _SETTLED_S


async def _try(engine: Engine, what: str, method: Any, *args: Any, **kwargs: Any) -> int:
    """1 when it was removed, 0 when it is gone already, in use, or what the engine cannot get done with."""
    try:
        await engine.call(what, WORK_S, method, *args, **kwargs)
    except (SandboxBroken, SandboxStalled, ImageMissing):
        return 0
    return 1
