"""What a shell line in CI or in a README is for."""

import re

_ASSIGNMENTS = r"(?:[A-Z_][A-Z0-9_]*=\S*\s+)*"
_RUNNERS = r"""(?:
    (?:(?:uv|poetry|pdm|hatch|pipenv|rye)\ run|npx|(?:pnpm|yarn)\ exec|python3?\ -m|python3?)\ (?:--?\S+\ )*
    )*"""
_SCRIPT = r"(?:npm|pnpm|yarn|bun)(?:\ run)?"
_TASK = r"(?:make|just|task)"
_KINDS = {
    "install": rf"""
        (?:pip3?|uv\ pip)\ install\b | (?:uv|pdm)\ sync\b | (?:poetry|pdm|pipenv|bundle|composer)\ install\b
        | npm\ ci\b | (?:npm|pnpm|bun)\ (?:install|i)(?:\ --\S+)*$ | yarn(?:\ install\b.*)?$
        | go\ mod\ download\b | cargo\ fetch\b | {_TASK}\ (?:install|setup|deps|bootstrap)\b""",
    "test": rf"""
        (?:pytest|tox|nox|unittest|jest|vitest|mocha|ctest|rspec|phpunit)\b | {_SCRIPT}\ (?:test|t)\b
        | (?:go|dotnet)\ test\b | cargo\ (?:test|nextest)\b | (?:\./)?mvnw?\b.*\ (?:test|verify)\b
        | (?:gradle|\./gradlew)\b.*\ (?:test|check)\b | {_TASK}\ tests?\b | manage\.py\ test\b""",
    "lint": rf"""
        (?:ruff|flake8|pylint|mypy|pyright|black|isort|eslint|prettier|tsc|golangci-lint|staticcheck|pre-commit)\b
        | {_SCRIPT}\ (?:lint|typecheck|format)\b | go\ vet\b | gofmt\b | cargo\ (?:clippy|fmt)\b
        | {_TASK}\ (?:lint|check|format|typecheck)\b""",
    "build": rf"""
        build\b | {_SCRIPT}\ (?:build|compile)\b | (?:go|cargo|dotnet|docker|hatch|uv|poetry)\ build\b
        | (?:\./)?mvnw?\b.*\ package\b | (?:gradle|\./gradlew)\b.*\ (?:build|assemble)\b
        | {_TASK}\ (?:build|all)\b | make$""",
    "run": rf"""
        (?:uvicorn|gunicorn|flask\ run|streamlit\ run|(?:go|cargo|dotnet)\ run|docker\ compose\ up)\b
        | {_SCRIPT}\ (?:start|dev|serve)\b | {_TASK}\ (?:run|start|serve|dev)\b | manage\.py\ runserver\b""",
}
_PATTERNS = {
    kind: re.compile(f"{_ASSIGNMENTS}{_RUNNERS}(?:{rule})", re.VERBOSE | re.DOTALL) for kind, rule in _KINDS.items()
}
_PROMPT = re.compile(r"^[$>%]\s+")
_COMMENT = re.compile(r"\s#.*$")
_MOST_CHARACTERS = 200


def command_in(line: str) -> tuple[str, str] | None:
    """Kind and command of a line that is one of the known kinds; None for anything else.

    Lines with variables of the CI system, or that go on in the next line, cannot be run as they stand.
    """
    if len(line) > _MOST_CHARACTERS:
        return None
    command = _COMMENT.sub("", _PROMPT.sub("", line.strip())).strip()
    if "${{" in command or command.endswith(("\\", "&&", "|")):
        return None
    return next(((kind, command) for kind, pattern in _PATTERNS.items() if pattern.match(command)), None)
