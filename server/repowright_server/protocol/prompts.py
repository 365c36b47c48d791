"""Ready-made requests that a client offers its user."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repowright_server.protocol.tools import RepowrightServer

_LOOP = (
    "When an answer says IN_PROGRESS, make the call in `next_actions` again: it attaches to the same work. "
    "When it says INPUT_REQUIRED with a brief, think about the brief, answer it in the shape of its "
    "`response_schema`, and hand the answer in as `submission` to the tool that the brief names. "
    "When it says INPUT_REQUIRED with an approval, show the user the command and wait: only the user can say yes. "
    "When it says FAILED, do what `what_to_do` says."
)


def publish_prompts(server: "RepowrightServer") -> None:
    """Register the prompts deliver_feature, onboard and fix_failing_tests."""

    @server.prompt(title="Deliver a feature")
    def deliver_feature(source: str, request: str) -> str:
        """Take a feature from request to pull request."""
        return (
            f"Use the tool deliver_feature with source {source!r} and this request:\n\n{request}\n\n{_LOOP}\n\n"
            "At the end, report the verdict of the tests and the pull request."
        )

    @server.prompt(title="Get to know a repository")
    def onboard(source: str) -> str:
        """Explain a repository to a newcomer."""
        return (
            f"Use the tool analyse_repo with source {source!r}. From its result, explain to a newcomer what the "
            "repository is, how it is laid out, where it starts, and how it is installed, tested and run. "
            "Name files and lines. "
            f"Then offer to write rules files with generate_cursor_rules.\n\n{_LOOP}"
        )

    @server.prompt(title="Fix failing tests")
    def fix_failing_tests(source: str) -> str:
        """Find out why tests fail and propose a tested fix."""
        return (
            f"Use the tool run_tests_sandboxed with source {source!r} and baseline false. If tests fail, describe the "
            "cause, and use generate_code on the same run_id with an `instruction` that mends the code and leaves the "
            f"tests alone. Run run_tests_sandboxed on the run again and report what changed.\n\n{_LOOP}"
        )
