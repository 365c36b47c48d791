"""Tables and lists of a page, each with what it leaves out said."""

from collections.abc import Sequence

from repowright_server.report.markup import Markup, element

MOST_ROWS = 1_000
"""Rows of one table; more are counted below it. A browser shows a page of some megabytes, a reader not even that."""

Cell = Markup | str | int | None


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str, most: int = MOST_ROWS) -> Markup:
    """A table; a column whose head begins with `#` holds counts, and stands to the right."""
    counts = [title.startswith("#") for title in head]
    titles = [
        element("th", title.removeprefix("#"), scope="col", class_="count" if count else None)
        for title, count in zip(head, counts, strict=True)
    ]
    body = [element("tr", *map(_cell, row, counts)) for row in rows[:most]]
    made = element(
        "table",
        element("thead", element("tr", *titles)),
        element("tbody", *body),
        aria_label=caption,
        class_="narrow" if len(head) < 3 else None,
    )
    return element(
        "div", made, left_out(len(rows) - most, "more rows are left out here; --json has them all"), class_="scroll"
    )


def left_out(count: int, what: str) -> Markup | None:
    return element("p", f"{count:,} {what}.", class_="soft") if count > 0 else None


def code(text: object) -> Markup:
    return element("code", str(text))


def place(path: object, line: object = 0) -> Markup:
    """A path, and the line in it if there is one."""
    return element("span", f"{path}:{line}" if line else str(path), class_="path")


def folded(summary: str, *content: Markup | None, open_: bool = False) -> Markup:
    return element("details", element("summary", summary), *content, open=open_)


def section(identifier: str, title: str, *content: Markup | None) -> Markup:
    return element("section", element("h2", title, id=f"{identifier}-title"), *content,
                   id=identifier, aria_labelledby=f"{identifier}-title")  # fmt: skip


def _cell(cell: Cell, count: bool) -> Markup:
    return element("td", f"{cell:,}" if isinstance(cell, int) else cell, class_="count" if count else None)
