"""What of a repository's text may stand in a rule: plain names and plain commands, never prose.

An assistant obeys rules files, so whoever can write a file name or a README must not be able to write a rule.
"""

import re

from repowright_tools.secrets import redact, strip_invisible

_NAME = re.compile(r"[\w.@+-]+(?:/[\w.@+-]+)*/?")
_MOST_NAME = 120
_COMMAND = re.compile(r"(?:[\w ./:=@,+*\[\]'\"-]|&&)+")
_MOST_COMMAND = 120
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

    Refused are pipes, redirections, variables, downloads, inline programs, deletion, other users' rights and, when a
    README or CI says so (`path`), the installation of packages by name: such a line is about something else than this
    repository, or is bait.
    """
    if (
        len(command) > _MOST_COMMAND
        or not _COMMAND.fullmatch(command)
        or not _is_clean(command)
        or _ODD.search(command)
    ):
        return None
    if _TOLD.fullmatch(path) and _names_packages(command):
        return None
    return f"`{command}`"


def _names_packages(command: str) -> bool:
    match = _INSTALLS.search(command)
    words = match["what"].split() if match else []
    return any(not re.match(r"-|['\"]?\.|[\w./-]+\.(?:txt|in|toml)$", word) for word in words)


def _is_clean(text: str) -> bool:
    return strip_invisible(text) == text and redact(text) == text
