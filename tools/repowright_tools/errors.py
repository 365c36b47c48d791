"""The one error tree. What is not in it is a bug.

    RepowrightError
    ├── InvalidArguments                 the call itself is wrong
    ├── SourceError                      the repository asked for cannot be used
    │   ├── PathNotAbsolute, PathNotAllowed, PathNotFound, NotARepository, EmptyRepository, RepositoryUnreadable
    │   ├── UnknownRef, InvalidRef, UrlNotAllowed, HostNotAllowed
    │   └── CloneFailed, CloneTimeout, WorkspaceTooLarge
    ├── RunError                         the run asked for cannot go on
    │   ├── UnknownRun, StageBusy, ArtifactMissing
    │   └── StateUnavailable, StateTooNew, StageTimeout
    ├── ModelError                       the model gave no usable answer
    │   ├── NoApiKey, ProviderMissing, ModelNotNamed, KeyRejected, KeyForbidden, PaymentRequired, ModelNotFound
    │   ├── RequestRefused, RateLimited, ModelOverloaded, ModelUnreachable
    │   ├── ModelRefused, AnswerTruncated, AnswerMalformed, AnswerRejected
    │   └── ContextTooLarge, BudgetExceeded, PriceUnknown, PricesInvalid, ScriptExhausted
    ├── EditError                        the edits cannot be applied
    │   └── NothingToChange, PlanMissing
    ├── SandboxError                     the sandbox broke; never "the tests failed"
    │   ├── SandboxUnreachable, SandboxStalled, ImageMissing, InstallFailed, PatchRejected, SandboxBroken
    │   └── CommandUnknown
    ├── ForgeError                       the pull request cannot be made
    │   ├── PushNotAllowed, ReadOnly, NoRemote, RemoteNotSupported, BranchMissing, BaseMissing, NothingToPush
    │   ├── SecretFound, ProtectedPath, ChangeTooLarge
    │   └── ForgeUnauthorized, ForgeForbidden, ForgeNotFound, ForgeRateLimited, ForgeUnavailable, PushFailed
    ├── ApprovalDeclined                 the operator said no
    └── InternalError                    anything not foreseen; the log has the traceback

Each class says three things a caller can act on: `code`, `retryable` (the same call may succeed later) and
`what_to_do`. A failing test or command is data, never one of these.
"""

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime


class RepowrightError(Exception):
    """Base of every foreseen failure.

    Attributes:
        code: stable name on the wire.
        retryable: whether the same call may succeed later without a change by the caller.
        what_to_do: the next step, for a person or a model. An instance may be more specific than its class.
        retry_at: when a retry makes sense, timezone-aware; None when unknown.
        stage: the stage that failed, once that is known.
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False
    what_to_do: str = "Read the message."

    def __init__(self, message: str, *, what_to_do: str | None = None, retry_at: "datetime | None" = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_at = retry_at
        self.stage: str | None = None
        if what_to_do is not None:
            self.what_to_do = what_to_do


class InvalidArguments(RepowrightError):
    code = "invalid_arguments"
    what_to_do = "Correct the arguments named in the message and call again; the tool's input schema lists them."


# --- source -----------------------------------------------------------------------------------------------------


class SourceError(RepowrightError):
    code = "source_error"


class PathNotAbsolute(SourceError):
    code = "path_not_absolute"
    what_to_do = "Give the absolute path of the repository."


class PathNotAllowed(SourceError):
    code = "path_not_allowed"
    what_to_do = "Ask the operator to add the folder with --allow-root or ALLOWED_ROOTS, then call again."


class PathNotFound(SourceError):
    code = "path_not_found"
    what_to_do = "Check the spelling of the path; it must be an existing folder."


class NotARepository(SourceError):
    code = "not_a_repository"
    what_to_do = "Give the folder of a git work tree, or run `git init` and commit there first."


class EmptyRepository(SourceError):
    code = "empty_repository"
    what_to_do = "Make a first commit in the repository, then call again."


class RepositoryUnreadable(SourceError):
    code = "repository_unreadable"
    what_to_do = "Run `git fsck` and `git status` in the repository: it is damaged, or git does not get through it."


class UnknownRef(SourceError):
    code = "unknown_ref"
    what_to_do = "Give a branch, tag or commit that exists in the repository, or leave `ref` out."


class InvalidRef(SourceError):
    code = "invalid_ref"
    what_to_do = "Give a plain branch, tag or commit name: no options, ranges or reflog expressions."


class UrlNotAllowed(SourceError):
    code = "url_not_allowed"
    what_to_do = "Give an https git URL without credentials, or owner/name."


class HostNotAllowed(SourceError):
    code = "host_not_allowed"
    what_to_do = "Ask the operator to add the host to ALLOWED_CLONE_HOSTS, then call again."


class CloneFailed(SourceError):
    code = "clone_failed"
    retryable = True
    what_to_do = "Check that the repository exists and that GITHUB_TOKEN may read it, then call again."


class CloneTimeout(SourceError):
    code = "clone_timeout"
    retryable = True
    what_to_do = "Call again later; the host did not deliver the repository in time."


class WorkspaceTooLarge(SourceError):
    code = "workspace_too_large"
    what_to_do = "Raise MAX_WORKSPACE_SIZE or use a smaller repository."


# --- runs -------------------------------------------------------------------------------------------------------


class RunError(RepowrightError):
    code = "run_error"


class UnknownRun(RunError):
    code = "unknown_run"
    what_to_do = "Use a run_id that a tool of this server returned, or leave it out to start a new run."


class StageBusy(RunError):
    code = "stage_busy"
    retryable = True
    what_to_do = "Wait for the attempt in progress (get_run) or end it (cancel_run), then call again."


class ArtifactMissing(RunError):
    code = "artifact_missing"
    what_to_do = "Use a URI from the `artifacts` of a result of this run."


class StateUnavailable(RunError):
    code = "state_unavailable"
    retryable = True
    what_to_do = "Check disk space and permissions of REPOWRIGHT_HOME; `repowright doctor` names the cause."


class StateTooNew(RunError):
    code = "state_too_new"
    what_to_do = "Upgrade repowright, or point REPOWRIGHT_HOME at another folder."


class StageTimeout(RunError):
    code = "stage_timeout"
    retryable = True
    what_to_do = "Call again to resume from the journal, or raise WORKFLOW_TIMEOUT."


# --- model ------------------------------------------------------------------------------------------------------


class ModelError(RepowrightError):
    code = "model_error"


class NoApiKey(ModelError):
    code = "no_api_key"
    what_to_do = (
        "Set ANTHROPIC_API_KEY, or set LLM_PROVIDER=host so that the assistant in the IDE does the thinking (no key)."
    )


class ProviderMissing(ModelError):
    code = "provider_missing"
    what_to_do = "Install the extra of this provider, or set another LLM_PROVIDER."


class KeyRejected(ModelError):
    code = "key_rejected"
    what_to_do = "Replace the API key: the provider refuses it."


class KeyForbidden(ModelError):
    code = "key_forbidden"
    what_to_do = "Give the API key access to the model and workspace, or set another key or LLM_MODEL."


class PaymentRequired(ModelError):
    code = "payment_required"
    what_to_do = "Add credit or raise the spend limit with the provider, then call again; no wait or other key helps."


class ModelNotFound(ModelError):
    code = "model_not_found"
    what_to_do = "Set LLM_MODEL to a model that the provider offers to this key."


class ModelNotNamed(ModelError):
    code = "model_not_named"
    what_to_do = "Set LLM_MODEL to a model of the provider."


class RequestRefused(ModelError):
    code = "request_refused"
    what_to_do = "The provider calls the request invalid; the message has its reason."


class RateLimited(ModelError):
    code = "rate_limited"
    retryable = True
    what_to_do = "Call again after `retry_at`; finished work is kept and nothing is paid twice."


class ModelOverloaded(ModelError):
    code = "model_overloaded"
    retryable = True
    what_to_do = "Call again in a few minutes; finished work is kept."


class ModelUnreachable(ModelError):
    code = "model_unreachable"
    retryable = True
    what_to_do = "Check the network and the provider's base URL, then call again."


class ModelRefused(ModelError):
    code = "model_refused"
    what_to_do = "The model declined the request. Rephrase it, or answer with `submission` yourself."


class AnswerTruncated(ModelError):
    code = "answer_truncated"
    what_to_do = "Raise LLM_MAX_TOKENS or ask for a smaller change."


class AnswerMalformed(ModelError):
    code = "answer_malformed"
    retryable = True
    what_to_do = "Call again; if it stays so, check what answers at the provider's base URL."


class AnswerRejected(ModelError):
    code = "answer_rejected"
    what_to_do = "Every answer failed its checks; the message has the last findings. Change the request."


class ContextTooLarge(ModelError):
    code = "context_too_large"
    what_to_do = "Narrow the request, or raise MAX_CALL_INPUT_TOKENS."


class BudgetExceeded(ModelError):
    code = "budget_exceeded"
    what_to_do = "Raise MAX_RUN_COST_USD and call again with the same run_id; finished work is kept."


class PriceUnknown(ModelError):
    code = "price_unknown"
    what_to_do = "Add the model's price to prices.json in REPOWRIGHT_HOME, change the model, or unset MAX_RUN_COST_USD."


class PricesInvalid(ModelError):
    code = "prices_invalid"
    what_to_do = "Correct or remove prices.json in REPOWRIGHT_HOME; the message says what is wrong with it."


class ScriptExhausted(ModelError):
    code = "script_exhausted"
    what_to_do = "The scripted model has no answer for this ask; add one to the recording named by LLM_MODEL."


# --- edits ------------------------------------------------------------------------------------------------------


class EditError(RepowrightError):
    code = "edit_error"


class NothingToChange(EditError):
    code = "nothing_to_change"
    what_to_do = "Give edits, new files, deletes or renames that change the tree."


class PlanMissing(EditError):
    code = "plan_missing"
    what_to_do = "Give `plan` or `instruction`, or run plan_feature on this run first."


# --- sandbox ----------------------------------------------------------------------------------------------------


class SandboxError(RepowrightError):
    code = "sandbox_error"


class SandboxUnreachable(SandboxError):
    code = "sandbox_unreachable"
    retryable = True
    what_to_do = "Start the Docker engine, or set DOCKER_HOST; `repowright doctor` checks it. Nothing ran on the host."


class SandboxStalled(SandboxError):
    code = "sandbox_stalled"
    retryable = True
    what_to_do = "The engine accepts connections but does not answer: restart it, then call again."


class ImageMissing(SandboxError):
    code = "image_missing"
    what_to_do = "Build or pull the image named in the message, or set SANDBOX_IMAGE to one the engine has."


class ServiceUnready(SandboxError):
    code = "service_unready"
    what_to_do = "Mend the service's declaration in SANDBOX_SERVICES, or take it out; no test ran."


class InstallFailed(SandboxError):
    code = "install_failed"
    retryable = True
    what_to_do = (
        "Read the end of the install output; set SANDBOX_CA_BUNDLE behind a TLS proxy, or fix the dependencies."
    )


class PatchRejected(SandboxError):
    code = "patch_rejected"
    what_to_do = "Give a unified diff that applies to the base commit (`git diff` makes one)."


class SandboxBroken(SandboxError):
    code = "sandbox_broken"
    retryable = True
    what_to_do = "The sandbox failed, not the tests. Call again; `repowright doctor` checks the engine."


class CommandUnknown(SandboxError):
    code = "command_unknown"
    what_to_do = "No test command was found in the repository; give `command`."


# --- forge ------------------------------------------------------------------------------------------------------


class ForgeError(RepowrightError):
    code = "forge_error"


class PushNotAllowed(ForgeError):
    code = "push_not_allowed"
    what_to_do = "Ask the operator to add the repository to ALLOWED_REPOSITORIES (empty means: nothing may be pushed)."


class ReadOnly(ForgeError):
    code = "read_only"
    what_to_do = "The server runs with --read-only; use dry_run, or ask the operator to restart it without."


class NoRemote(ForgeError):
    code = "no_remote"
    what_to_do = "Add a remote called origin to the repository (`git remote add origin URL`)."


class RemoteNotSupported(ForgeError):
    code = "remote_not_supported"
    what_to_do = "Use an https remote of the forge, or a bare repository on disk inside ALLOWED_ROOTS."


class BranchMissing(ForgeError):
    code = "branch_missing"
    what_to_do = "Give a branch that exists in the repository, or run generate_code on this run first."


class BaseMissing(ForgeError):
    code = "base_missing"
    what_to_do = "Give a base branch that exists in the remote repository."


class NothingToPush(ForgeError):
    code = "nothing_to_push"
    what_to_do = "The branch does not differ from its base; make a change first."


class SecretFound(ForgeError):
    code = "secret_found"
    what_to_do = "Remove the secret from every commit of the branch (it must not be pushed), then call again."


class ProtectedPath(ForgeError):
    code = "protected_path"
    what_to_do = "Leave the protected files named in the message out of the change, or push it yourself."


class ChangeTooLarge(ForgeError):
    code = "change_too_large"
    what_to_do = "Split the branch into smaller ones: a change that cannot be read whole is not pushed."


class ForgeUnauthorized(ForgeError):
    code = "forge_unauthorized"
    what_to_do = "Set GITHUB_TOKEN to a valid token for the forge."


class ForgeForbidden(ForgeError):
    code = "forge_forbidden"
    what_to_do = "Give the token 'contents: write' and 'pull requests: write' on the repository."


class ForgeNotFound(ForgeError):
    code = "forge_not_found"
    what_to_do = "Check the repository's name and that GITHUB_TOKEN may see it."


class ForgeRateLimited(ForgeError):
    code = "forge_rate_limited"
    retryable = True
    what_to_do = "Call again after `retry_at`; nothing is pushed or opened twice."


class ForgeUnavailable(ForgeError):
    code = "forge_unavailable"
    retryable = True
    what_to_do = "Call again later; an existing branch or pull request is adopted, not repeated."


class PushFailed(ForgeError):
    code = "push_failed"
    retryable = True
    what_to_do = "Read the remote's reason in the message, then call again."


class ApprovalDeclined(RepowrightError):
    code = "approval_declined"
    what_to_do = "The operator declined; nothing left the machine. Change the work and ask again."


class InternalError(RepowrightError):
    code = "internal_error"
    what_to_do = "This is a bug. Report it with the run_id; the log in REPOWRIGHT_HOME/logs has the details."
