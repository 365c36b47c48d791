"""How we know our own containers, volumes and images again."""

from collections.abc import Mapping

OWNER = "owner"
OWNED = "repowright"
BOX = "box"
"""The box's own name. A container that somebody starts from an image of ours inherits labels, but not this name."""
RUN = "run_id"
LEASE = "lease_expiry"
"""Seconds since 1970 after which the thing is nobody's."""
KEY = "environment"


def box_labels(name: str, run_id: str, lease_expiry: float) -> dict[str, str]:
    return {OWNER: OWNED, BOX: name, RUN: run_id, LEASE: str(int(lease_expiry))}


def image_labels(key: str, lease_expiry: float) -> dict[str, str]:
    return {OWNER: OWNED, KEY: key, LEASE: str(int(lease_expiry)), BOX: "", RUN: ""}


def environment_tag(key: str) -> str:
    """The name of the image that holds an environment."""
    return f"repowright-environment:{key}"


def owns_box(labels: Mapping[str, str] | None, name: str) -> bool:
    return labels is not None and labels.get(OWNER) == OWNED and labels.get(BOX) == name


def expired(labels: Mapping[str, str], now: float) -> bool:
    """Whether the lease is over; one that cannot be read never is."""
    lease = labels.get(LEASE, "")
    return lease.isdecimal() and float(lease) < now
