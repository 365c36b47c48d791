"""What users read first on a page: its title, its heading, the labels of its menus."""

import re
from collections.abc import Iterator
from itertools import islice

TEMPLATES = frozenset({
    "html", "htm", "jinja", "jinja2", "j2", "erb", "twig", "hbs", "ejs", "njk", "vue", "svelte", "jsx", "tsx", "cshtml",
    "razor", "astro", "liquid", "haml", "php",
})  # fmt: skip
"""Extensions of files with markup."""

CATALOGUE = re.compile(
    r"(?:^|/)(?:locales?|i18n|lang|translations|messages)/(?:en(?:[-_](?:US|GB))?)(?:/[\w-]{1,40})?\.(?:json|ya?ml)$"
)
"""Translation catalogues in English."""

_MOST = 12  # strings of a file
_ANCHORS = (
    b"<title",
    b"<h1",
    b"block title",
    b"block titletag",
    b"MenuItem",
    b"NavLink",
    b"document.title",
    b"content_for",
)
_TEXT = rb"(?P<what>[^<>{}\n]{2,80}?)"
_STRING = rb"[\"'](?P<what>[^\"'{}\n]{2,80})[\"']"
_BLOCK = rb"\{%-? ?block (?:title|titletag|page_title) ?-?%\}\s{0,40}"
_PATTERNS = tuple(
    (kind, re.compile(pattern, re.MULTILINE))
    for kind, pattern in (
        ("page", rb"<title[^>\n]{0,100}>\s{0,60}" + _TEXT + rb"\s{0,60}</title>"),
        ("page", rb"<(?:title|h1)[^>\n]{0,200}>\s{0,60}\{%-? ?(?:trans|translate) " + _STRING),
        ("page", rb"<h1[^>\n]{0,200}>\s{0,60}" + _TEXT + rb"\s{0,60}</h1>"),
        ("page", _BLOCK + rb"\{%-? ?(?:trans|translate|blocktrans) " + _STRING),
        ("page", _BLOCK + _TEXT + rb"\s{0,40}\{%"),
        ("page", rb"\bcontent_for[ (]:title,? " + _STRING),
        ("page", rb"\bdocument\.title\s?=\s?" + _STRING),
        ("menu", rb"\bMenuItem\(\s{0,40}(?:_|gettext|gettext_lazy|t)?\(?" + _STRING),
        ("menu", rb"<(?:MenuItem|NavLink|NavItem|MenuButton)\b[^>\n]{0,200}>\s{0,60}" + _TEXT + rb"\s{0,60}</"),
    )
)  # fmt: skip
_ENTRY = re.compile(
    rb"(?:^|[{,])\s{0,40}[\"']?(?P<key>[\w.-]{0,80}(?:title|heading|menu|nav)[\w.-]{0,40})[\"']?\s?:\s?"
    rb"[\"'](?P<what>[^\"'{}\n]{3,80})[\"']",
    re.MULTILINE | re.IGNORECASE,
)
_SAID = re.compile(rb"[A-Za-z\x80-\xff]{2}")


def strings(path: str, data: bytes) -> Iterator[tuple[str, bytes, int]]:
    """Kind (page, menu), text and offset of the strings of a template or component, in the order of the file."""
    if CATALOGUE.search(path):
        found = [("page", match["what"], match.start("what")) for match in islice(_ENTRY.finditer(data), _MOST)]
    elif any(anchor in data for anchor in _ANCHORS):
        found = [
            (kind, match["what"], match.start("what"))
            for kind, pattern in _PATTERNS
            for match in islice(pattern.finditer(data), _MOST)
        ]
    else:
        return
    kept = sorted((item for item in found if _SAID.search(item[1])), key=lambda item: item[2])
    yield from kept[:_MOST]
