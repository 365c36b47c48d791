"""Markup whose every text is escaped: a page is built from elements, never from pieces of text put together."""

import html
from collections.abc import Iterable

from repowright_tools.secrets import redact, strip_invisible

MOST_CHARS = 2_000
"""Characters of one text that are shown; a repository could make a name as long as it likes."""

_VOID = frozenset({"meta", "rect", "circle", "path", "line", "br"})

Content = "Markup | str | int | None | Iterable[Markup | str | int | None]"


class Markup(str):
    """Markup that is safe as it is. Only `element`, `joined` and the page's own constants make it."""

    __slots__ = ()


def plain(text: object, most: int = MOST_CHARS) -> str:
    """Text of the repository as a reader may see it: no secret, no control or bidirectional character, bounded."""
    shown = redact(strip_invisible(str(text)[: 4 * most]))
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def escaped(text: object, most: int = MOST_CHARS) -> Markup:
    """`plain` text as markup, for an element's content and for an attribute's value alike."""
    return Markup(html.escape(plain(text, most), quote=True))


def joined(parts: Iterable["Markup | str | int | None"]) -> Markup:
    """Parts one after the other; what is not markup yet is escaped, and None is left out."""
    return Markup("".join(part if isinstance(part, Markup) else escaped(part) for part in parts if part is not None))


def element(name: str, /, *content: "Markup | str | int | None", **attributes: "str | float | bool | None") -> Markup:
    """An element of HTML or SVG.

    Args:
        name: of the element.
        content: what is in it, in order; text is escaped, markup is not.
        attributes: values are escaped; None and False leave one out, True gives it no value. An underscore at the end
            of a name is dropped and others become dashes (`class_`, `aria_label`); numbers keep one decimal.
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID and not content:
        return Markup(f"<{name}{given}>" if name in {"meta", "br"} else f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{joined(content)}</{name}>")


def _attribute(key: str, value: "str | float | bool | None") -> str:
    name = key.rstrip("_").replace("_", "-").replace("view-box", "viewBox")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    if isinstance(value, float):
        return f' {name}="{value:.1f}"'.replace('.0"', '"')
    return f' {name}="{value if isinstance(value, Markup) else escaped(value)}"'


def shortened(text: str, most: int) -> str:
    """The text in at most so many characters, its end kept: what tells paths apart is there."""
    return text if len(text) <= most else f"…{text[len(text) - most + 1 :]}"
