"""The page of an analysis: every text of a repository is hostile, and nothing of it becomes markup."""

import html as entities
import os
import re
from pathlib import Path

import pytest

from repowright_server.report.markup import Markup, element, escaped, joined
from repowright_server.report.page import page
from repowright_server.report.target import Target, Unwritable
from support.analysis import facts_of, modules_of, result_of
from support.browser import read_elements

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "quote": '"><img src=x onerror=alert(1)>',
    "single quote": "' onmouseover='alert(1)",
    "end of style": "</style><script>alert(1)</script>",
    "end of drawing": "]]></title></svg><script>alert(1)</script>",
    "comment": "--><script>alert(1)</script><!--",
    "entity": "&lt;script&gt;",
    "address": "javascript:alert(1)",
}
INVISIBLE = {
    "right to left": "\u202egnp.exe",
    "terminal": "a\x1b[31mred\x1b]0;title\x07",
    "nul": "a\x00b",
    "joiner": "a\u200bb",
}
KNOWN = {
    "a", "body", "circle", "code", "dd", "defs", "desc", "details", "div", "dl", "dt", "footer", "g", "h1", "h2", "h3",
    "head", "header", "html", "li", "line", "main", "marker", "meta", "nav", "p", "path", "pre", "rect", "section",
    "span", "style", "summary", "svg", "table", "tbody", "td", "text", "th", "thead", "title", "tr", "ul",
}  # fmt: skip


def made(name: str = "shop") -> str:
    modules = modules_of({name: [f"{name}/b"], f"{name}/b": [name], f"{name}/c": [f"{name}/b"]})
    return page(result_of(name, modules), facts_of(name, modules))


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_is_text_wherever_it_stands(name: str) -> None:
    found = read_elements(made(name))

    assert {tag for tag, _ in found.elements} <= KNOWN
    assert [tag for tag, _ in found.elements] == [tag for tag, _ in read_elements(made()).elements]
    assert sum(name in text for text in found.texts) > 10


@pytest.mark.parametrize("name", [*HOSTILE.values(), "shop"], ids=[*HOSTILE, "shop"])
def test_nothing_of_a_page_runs_or_leads_away(name: str) -> None:
    for tag, attributes in read_elements(made(name)).elements:
        assert not any(key.startswith("on") or key in {"src", "style", "action", "formaction"} for key in attributes)
        assert (attributes.get("href") or "#").startswith("#"), tag


@pytest.mark.parametrize("name", INVISIBLE.values(), ids=INVISIBLE)
def test_characters_that_no_reader_sees_are_not_in_a_page(name: str) -> None:
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", made(name)) is None


def test_a_secret_in_a_name_is_not_shown() -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"

    assert token in entities.unescape(Markup(f"{token}"))
    assert token not in made(f"notes {token}")


def test_a_very_long_name_is_cut_where_space_is_short_and_whole_where_it_is_not() -> None:
    name = "very-long-" * 20
    labels = re.findall(r'<text[^>]*class="name">([^<]*)</text>', made(name))

    assert max(map(len, labels)) < 170
    assert f"{name}/b" in made(name)


def test_a_text_without_end_is_bounded() -> None:
    assert len(escaped("x" * 10_000_000)) < 3000
    assert len(made("<" * 1_000_000)) < 3_000_000


def test_the_policy_of_a_page_allows_its_own_style_and_nothing_else() -> None:
    (policy,) = [each["content"] for tag, each in read_elements(made()).elements
                 if tag == "meta" and each.get("http-equiv") == "Content-Security-Policy"]  # fmt: skip

    assert policy is not None
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/=]{44}'; base-uri 'none'; form-action 'none'", policy
    )


def test_a_page_has_every_part_and_leads_to_it() -> None:
    elements = read_elements(made()).elements
    parts = [each["id"] for tag, each in elements if tag == "section"]
    links = [(each["href"] or "").removeprefix("#") for tag, each in elements if tag == "a" and "class" not in each]

    assert parts == [
        "relevant", "languages", "modules", "commands", "entry-points", "services", "tests", "features", "hot-spots",
        "tokens", "excluded", "map",
    ]  # fmt: skip
    assert sorted(links) == sorted(filter(None, parts))


def test_an_empty_repository_has_a_page_too() -> None:
    empty = result_of(
        languages=[], map="", entry_points=[], relevant=[], features=[], stories=[], warnings=[], commit=None,
        commands={kind: [] for kind in ("install", "test", "lint", "build", "run")},
        files={"listed": 0, "analysed": 0, "excluded": []},
    )  # fmt: skip

    assert "no commit yet" in page(empty, facts_of())


def test_every_picture_says_what_it_is() -> None:
    pictures = [each for tag, each in read_elements(made()).elements if tag == "svg"]

    assert len(pictures) == 4
    assert all(each.get("aria-label") for each in pictures)


def test_the_same_analysis_gives_the_same_page() -> None:
    assert made() == made()


def test_only_markup_is_left_as_it_is() -> None:
    assert element("p", "<b>", Markup("<b>")) == "<p>&lt;b&gt;<b></p>"
    assert joined(["<", None, 3]) == "&lt;3"
    assert element("a", href='"<>&') == '<a href="&quot;&lt;&gt;&amp;"></a>'


# --- the file -----------------------------------------------------------------------------------------------------


def test_a_page_replaces_the_one_before_it_and_leaves_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("old", encoding="utf-8")
    target = Target(file)
    before = file.read_text(encoding="utf-8")
    target.write("new")

    assert (before, file.read_text(encoding="utf-8")) == ("old", "new")
    assert os.listdir(tmp_path) == ["page.html"]


def test_no_page_is_written_over_a_folder_through_a_link_or_into_nowhere(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    (tmp_path / "link.html").symlink_to(tmp_path / "mine")
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "link.html", "pipe", "missing/page.html", "mine/page.html", "x" * 300):
        with pytest.raises(Unwritable):
            Target(tmp_path / name)

    assert (tmp_path / "mine").read_text(encoding="utf-8") == "mine"
    assert sorted(os.listdir(tmp_path)) == ["folder", "link.html", "mine", "pipe"]


def test_a_target_that_became_a_folder_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    target = Target(tmp_path / "page.html")
    (tmp_path / "page.html").mkdir()
    with pytest.raises(Unwritable):
        target.write("new")

    assert os.listdir(tmp_path) == ["page.html"]


def test_whether_a_page_can_be_written_is_known_before_and_leaves_no_trace(tmp_path: Path) -> None:
    Target(tmp_path / "page.html")

    assert os.listdir(tmp_path) == []
