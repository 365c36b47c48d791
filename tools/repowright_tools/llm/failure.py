"""What one request to a provider became when it did not become an answer."""

from typing import Literal

from repowright_tools.errors import ModelError
from repowright_tools.llm.provider import Usage

Blame = Literal["request", "key", "organisation", "service"]
"""Who failed: the request, which nobody can answer; its key; the limits of the key's organisation; the service."""


class CallFailed(Exception):
    """A request failed. What follows from it is data: retry, pool, breaker and budget read it here.

    Attributes:
        failure: what to raise when it is not tried again.
        blame: who is at fault.
        may_pass: whether the same request may succeed later, or with another key.
        wait_s: seconds that the provider asks to wait; None when it does not say.
        billed: what the provider charges for it; nothing is `Usage()`, and None means that nobody can say: then the
            reservation counts.
        request_id: the provider's name for the request; None where it gave none.
        status: HTTP status, or the one that an error inside a stream stands for; None without a response.
    """

    def __init__(
        self,
        failure: ModelError,
        *,
        blame: Blame,
        may_pass: bool,
        wait_s: float | None = None,
        billed: Usage | None = None,
        request_id: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.blame: Blame = blame
        self.may_pass = may_pass
        self.wait_s = wait_s
        self.billed = billed
        self.request_id = request_id
        self.status = status
