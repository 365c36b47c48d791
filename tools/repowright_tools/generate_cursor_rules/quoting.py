"""What of a repository's text may stand in a rule: plain names and plain commands, never prose.

An assistant obeys rules files, so whoever can write a file name or a README must not be able to write a rule.
"""

import re

from repowright_tools.secrets import redact, strip_invisible

_NAME = re.compile(r"[\w.@+-]+(?:/[\w.@+-]+)*/?")
_MOST_NAME = 120
_COMMAND = re.compile(r"(?:[\w ./:=@,+*\[\]'\"-]|&&)+")
_MOST_COMMAND = 120
_LEAD = re.compile(r"^(?:cd [\w./-]+ && )?(?:[A-Z][A-Z0-9_]*=\S* )*")
_PROGRAM = re.compile(
    r"python3?|pip3?|uv|poetry|pdm|hatch|pipenv|rye|tox|nox|pytest|ruff|flake8|pylint|mypy|pyright|black|isort|pre-commit"
    r"|npm|npx|pnpm|yarn|bun|jest|vitest|mocha|eslint|prettier|tsc|go|gofmt|golangci-lint|staticcheck|cargo|dotnet"
    r"|mvn|\./mvnw|gradle|\./gradlew|make|just|task|cmake|ctest|bundle|rspec|composer|phpunit|docker|uvicorn|gunicorn"
    r"|flask|streamlit"
)
_BARE_WORD = re.compile(r"(?<![\w./=@:+-])[A-Za-z]+(?![\w./=@:+-])")
_MOST_BARE_WORDS = 5  # `uv run python -m pytest tests` has five; a sentence has more
_ODD = re.compile(
    r"(?<![\w-])(?:curl|wget|sudo|su|doas|rm|dd|mkfs|eval|ssh|scp|nc|ncat|telnet|chmod|chown|base64|iex|powershell)\b"
    r"|\b(?:python[\d.]*|node|perl|ruby|php|(?:ba|z|da)?sh)(?: -\S+)* -\w*[ce]\b"
    r"|//",
    re.IGNORECASE,
)
_TOLD = re.compile(r"(?:.*/)?(?:readme|contributing|development)(?:\..*)?|\.github/.*|\.gitlab-ci\.yml", re.IGNORECASE)
_INSTALLS = re.compile(r"\b(?:install|add|i|get)\b(?P<what>.*)")


def quoted(name: str) -> str | None:
    """A path or name in backticks; None when it is not one word that everybody reads the same way."""
    plain = _NAME.fullmatch(name) and len(name) <= _MOST_NAME and _is_clean(name)
    return f"`{name}`" if plain else None


def quoted_command(command: str, path: str) -> str | None:
    """A command in backticks; None when it is not taught.

    Taught are single words (a project's own command) and lines of well-known programs. Refused are pipes, redirections,
    variables, downloads, inline programs, deletion, other users' rights, what reads like a sentence and, when a README
    or CI says so (`path`), the installation of packages by name: such a line is about something else than this
    repository, or is bait.
    """
    if len(command) > _MOST_COMMAND or not _COMMAND.fullmatch(command) or not _is_clean(command):
        return None
    if _ODD.search(command) or not _is_known(command) or (_TOLD.fullmatch(path) and _names_packages(command)):
        return None
    return f"`{command}`"


def _is_known(command: str) -> bool:
    line = _LEAD.sub("", command)
    program, *arguments = line.split() or [""]
    if not arguments:
        return _NAME.fullmatch(program) is not None
    return _PROGRAM.fullmatch(program) is not None and len(_BARE_WORD.findall(line)) <= _MOST_BARE_WORDS


def _names_packages(command: str) -> bool:
    match = _INSTALLS.search(command)
    words = match["what"].split() if match else []
    return any(not re.match(r"-|['\"]?\.|[\w./-]+\.(?:txt|in|toml)$", word) for word in words)


def _is_clean(text: str) -> bool:
    return strip_invisible(text) == text and redact(text) == text
