"""What must not leave the machine: secrets in any commit of the branch, and files that a model must not touch."""

from collections.abc import Mapping

from repowright_tools.errors import ProtectedPath, SecretFound
from repowright_tools.git.names import protected_reason
from repowright_tools.open_pr.change import Change
from repowright_tools.secrets import SecretFinding, redact, scan_diff, scan_text, strip_invisible

_SHOWN = 20
"""Findings named in an error; the rest is counted."""


def find_secrets(change: Change) -> list[SecretFinding]:
    """The secrets that any commit adds, even if a later one takes them out, and those in commit messages."""
    findings = scan_diff(change.patch)
    for commit in change.commits:
        findings += scan_text(f"message of commit {commit.id[:12]}", commit.message)
    return findings


def check_change(change: Change) -> None:
    """Refuse what must not leave the machine. Takes time in proportion to the patch; run it in a thread.

    Raises:
        SecretFound: names each place and kind, never the value.
        ProtectedPath: names each path and why it is protected.
    """
    findings = find_secrets(change)
    if findings:
        places = [f"{_plain(finding.path)}:{finding.line} ({finding.kind})" for finding in findings]
        raise SecretFound(f"the branch holds secrets: {_listed(places)}")
    protected = [
        f"{_plain(path)} ({reason})" for path in change.paths if (reason := protected_reason(path)) is not None
    ]
    if protected:
        raise ProtectedPath(f"the branch changes protected files: {_listed(protected)}")


def check_names(names: Mapping[str, str]) -> None:
    """Refuse secrets in names that the forge is given: the branch, labels, reviewers; by what they are.

    Raises:
        SecretFound: names each and the kind, never the value.
    """
    places = [f"{what} ({found.kind})" for what, name in names.items() for found in scan_text(what, name)]
    if places:
        raise SecretFound(f"a name that would be published holds secrets: {_listed(places)}")


def _listed(places: list[str]) -> str:
    more = len(places) - _SHOWN
    return ", ".join(places[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _plain(path: str) -> str:
    """A path of others as it may be shown."""
    return redact(strip_invisible(path.encode("utf-8", "replace").decode()))
