"""The page in a real browser, offline."""

import random
from pathlib import Path

import pytest

from repowright_server.report.page import page
from support.analysis import facts_of, modules_of, result_of
from support.browser import Browser, Rendered

pytestmark = pytest.mark.browser

BAIT = "http://bait.invalid"
HOSTILE = (
    "<script>console.error('ran')</script>"
    f"\"'><img src={BAIT}/a onerror=console.error('ran')></title></style></svg>"
    f"<iframe src='{BAIT}/b'></iframe><link rel=stylesheet href={BAIT}/c>"
    f"<style>@import url({BAIT}/d); body {{ background: url({BAIT}/e) }}</style>\u202egnp.exe"
)
SLIPPED = (  # no frame: for one, this browser connects ahead of asking the policy, so that only escaping keeps it out
    f"<script>console.error('ran')</script><script src={BAIT}/a></script>"
    f"<img src={BAIT}/b onerror=console.error('ran')>"
    f"<style>body {{ background: url({BAIT}/c) }}</style>"
)


def render(browser: Browser, file: Path, html: str) -> Rendered:
    file.write_text(html, encoding="utf-8")
    return browser.render(file)


def page_of(name: str, edges: dict[str, list[str]]) -> str:
    modules = modules_of(edges)
    return page(result_of(name, modules), facts_of(name, modules))


def test_a_page_is_drawn_without_a_complaint_or_a_request(browser: Browser, tmp_path: Path) -> None:
    edges = {"app": ["core", "web"], "web": ["core"], "core": ["store"], "store": ["core"]}
    shown = render(browser, tmp_path / "page.html", page_of("shop", edges))

    assert (shown.complaints, shown.requests) == ([], [])
    assert shown.count("a", class_="box") == 4
    assert shown.count("a", class_="cycle") == 2
    assert shown.count("circle", class_="spot") == 7
    assert shown.count("rect", class_="cell") == 4
    assert shown.count("section") == 12


def test_hostile_names_neither_run_nor_ask_for_anything(browser: Browser, tmp_path: Path) -> None:
    shown = render(browser, tmp_path / "page.html", page_of(HOSTILE, {HOSTILE: [f"{HOSTILE}/b"]}))

    assert (shown.complaints, shown.requests) == ([], [])
    assert [shown.count(tag) for tag in ("script", "img", "iframe", "link")] == [0, 0, 0, 0]
    assert "<script>console.error('ran')</script>" in shown.text


def test_what_slipped_through_all_the_same_is_stopped_by_the_policy_of_the_page(
    browser: Browser, tmp_path: Path
) -> None:
    good = page_of("shop", {"a": ["b"]})
    slipped = good.replace("<main", f"{SLIPPED}<main", 1)
    guarded = render(browser, tmp_path / "guarded.html", slipped)
    bare = render(browser, tmp_path / "bare.html", slipped.replace("Content-Security-Policy", "x-nothing"))

    assert guarded.requests == []
    assert not any("ran" in line and "Content Security Policy" not in line for line in guarded.complaints)
    assert any("Content Security Policy" in line for line in guarded.complaints)
    assert {f"{BAIT}/{each}" for each in "abc"} <= set(bare.requests)  # the bait is seen when it is taken
    assert any("ran" in line for line in bare.complaints)


def test_eight_hundred_modules_are_drawn_as_a_few_boxes_with_all_of_them_in_the_table(
    browser: Browser, tmp_path: Path
) -> None:
    dice = random.Random(5)
    names = [f"p{number % 40}/s{number % 7}/m{number}" for number in range(800)]
    html = page_of("large", {name: dice.sample(names, 2) for name in names})
    shown = render(browser, tmp_path / "page.html", html)
    picture = browser.screenshot(tmp_path / "page.html", tmp_path / "page.png")

    assert (shown.complaints, shown.requests) == ([], [])
    assert 20 <= len([box for box in shown.all("a", class_="box") if (box["id"] or "").startswith("m-")]) <= 30
    assert "800 modules as a table" in shown.text
    assert len(html) < 2_000_000
    assert picture.startswith(b"\x89PNG")
