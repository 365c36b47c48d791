"""Text of others inside Markdown that is ours: it may not look like a part of it, notify people or hide anything."""

import re

from repowright_tools.secrets import strip_invisible

_MENTION = re.compile(r"(?<![\w@/.])@([A-Za-z0-9][A-Za-z0-9_-]*+(?:/[A-Za-z0-9._-]+)?)")
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_BACKTICKS = re.compile(r"`+")


def inline(text: str, limit: int = 500) -> str:
    """One line of prose of at most `limit` visible characters, safe in a paragraph, list or table cell.

    Markup is shown, not applied: HTML, images, headings and table borders. Simple code spans stay what they are; any
    other backtick is no more than that. A mention becomes code and notifies nobody.
    """
    line = " ".join(strip_invisible(text).split())
    line = line if len(line) <= limit else f"{line[: limit - 1]}…"
    # Every second piece is the inside of a code span.
    pieces = _SPAN.split(line)
    line = "".join(code(piece) if number % 2 else _prose(piece) for number, piece in enumerate(pieces))
    return f"\\{line}" if line[:1] in set("#>-+*=~_") else line


def _prose(text: str) -> str:
    for character, shown in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        ("`", "&#96;"),
        ("\\", "\\\\"),
        ("|", "\\|"),
        ("![", "!\\["),
    ):
        text = text.replace(character, shown)
    return _MENTION.sub(r"`@\1`", text)


def code(text: str) -> str:
    """One line of code, safe in a paragraph, list or table cell."""
    line = " ".join(strip_invisible(text).split()).replace("|", "\\|") or " "
    ticks = "`" * (_longest(line) + 1)
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{padding}{line}{padding}{ticks}"


def fenced(text: str) -> str:
    """A block of code, fenced by more backticks than it holds."""
    visible = strip_invisible(text).rstrip("\n")
    fence = "`" * max(3, _longest(visible) + 1)
    return f"{fence}text\n{visible}\n{fence}"


def block(text: str) -> str:
    """Markdown that a caller wrote and wants rendered; HTML comments, which no reader would see, are shown."""
    return strip_invisible(text).replace("\r\n", "\n").replace("<!--", "&lt;!--").strip()


def _longest(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)
