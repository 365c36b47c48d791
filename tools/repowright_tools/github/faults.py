"""What goes wrong at the forge's API, in words of the error tree."""

import json
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from repowright_tools.errors import (
    BaseMissing,
    ForgeError,
    ForgeForbidden,
    ForgeNotFound,
    ForgeRateLimited,
    ForgeUnauthorized,
    ForgeUnavailable,
    NothingToPush,
)
from repowright_tools.secrets import redact, strip_invisible

if TYPE_CHECKING:
    from github import GithubException

SECONDARY_LIMIT_S = 60
"""How long to wait for a secondary limit that does not say: GitHub's documentation asks for at least a minute."""
_MAX_REASON = 300


class AlreadyExists(ForgeError):
    """The forge has such a pull request already: never leaves this package, where it is looked up and adopted."""


@contextmanager
def translated(name: str) -> Generator[None]:
    """Turn what PyGithub and its HTTP library raise into a ForgeError about the repository `name`.

    Raises:
        ForgeUnauthorized, ForgeForbidden, ForgeNotFound, ForgeRateLimited, ForgeUnavailable: as the status says.
        AlreadyExists, NothingToPush, BaseMissing, ForgeForbidden: a refused pull request (422), by its message.
    """
    from github import BadAttributeException, GithubException
    from requests import RequestException

    try:
        yield
    except GithubException as error:
        raise _meaning(name, error) from error
    except RequestException as error:
        raise ForgeUnavailable(f"the forge does not answer: {type(error).__name__}") from error
    except (BadAttributeException, RuntimeError, ValueError, TypeError, AttributeError, AssertionError) as error:
        # What PyGithub makes of a redirect to elsewhere, and of an answer that is not the API's.
        raise ForgeUnavailable(f"what answers for {name} is not the forge's API: {type(error).__name__}") from error


def _meaning(name: str, error: "GithubException") -> ForgeError:
    headers = {key.lower(): value for key, value in (error.headers or {}).items()}
    reason = _reason(error)
    limited_until = _limited_until(error.status, headers, reason)
    if limited_until is not None:
        return ForgeRateLimited(f"the forge limits the rate of requests: {reason}", retry_at=limited_until)
    match error.status:
        case 401:
            return ForgeUnauthorized("the forge refuses the token")
        case 403 if "x-github-sso" in headers:
            return ForgeForbidden(
                f"{name} needs single sign-on", what_to_do="Authorise the token for the organisation's single sign-on."
            )
        case 403:
            return ForgeForbidden(f"the forge refuses: {reason}")
        case 404 | 410 | 451:
            return ForgeNotFound(f"there is no {name}, or the token may not see it")
        case 422:
            return _refused_proposal(reason)
        case status if 400 <= status < 500:
            return ForgeForbidden(f"the forge refuses ({status}): {reason}")
        case status:
            return ForgeUnavailable(f"the forge answers {status}")


def _refused_proposal(reason: str) -> ForgeError:
    folded = reason.lower()
    if "already exists" in folded:
        return AlreadyExists(reason)
    if "no commits between" in folded:
        return NothingToPush(f"the forge sees no change: {reason}")
    if "base" in folded and "invalid" in folded:
        return BaseMissing(f"the forge refuses the base branch: {reason}")
    if "draft" in folded:
        return ForgeForbidden(
            f"the forge refuses a draft: {reason}", what_to_do="Call again with draft=false: this repository has none."
        )
    return ForgeForbidden(f"the forge refuses: {reason}", what_to_do="Read the forge's reason in the message.")


def _limited_until(status: int, headers: Mapping[str, str], reason: str) -> datetime | None:
    """When a rate limit ends, as `retry-after` (seconds) or `x-ratelimit-reset` (Unix time) says; None for no limit."""
    if status not in (403, 429):
        return None
    now = datetime.now(UTC)
    after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if after.isdecimal():
        return now + timedelta(seconds=min(int(after), 86_400))
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        return min(datetime.fromtimestamp(min(int(reset), 1 << 35), UTC), now + timedelta(days=1))
    if status == 429 or "rate limit" in reason.lower():
        return now + timedelta(seconds=SECONDARY_LIMIT_S)
    return None


def _reason(error: "GithubException") -> str:
    """Every `message` in the forge's answer, in one line: text of others, so cleaned."""
    said = re.findall(r'"message": "((?:[^"\\]|\\.)*+)"', json.dumps(error.data, ensure_ascii=False))
    line = " ".join(" ".join(dict.fromkeys([*said, error.message or ""])).split())
    return redact(strip_invisible(line))[:_MAX_REASON] or f"status {error.status}"
