"""The ranked map: inside its budget, the same for the same tree, and what it ranks first."""

from pathlib import Path

import pytest

from repowright_tools.index.graph import MAX_DEFINERS, FileNames, ReferenceGraph, reference_graph
from repowright_tools.index.index import Index
from repowright_tools.index.languages import family_of
from repowright_tools.index.parse import parse
from repowright_tools.index.wire import dumped, names_in
from repowright_tools.tokens import estimate_tokens
from support.repositories import make_repository

LIBRARY = {
    "core.py": (
        "class Engine:\n    def start(self, fuel: int) -> bool:\n        return True\n\n\ndef unused_helper(): pass\n"
    ),
    "users/a.py": "from core import Engine\n\ndef drive_a(): return Engine().start(1)\n",
    "users/b.py": "from core import Engine\n\ndef drive_b(): return Engine().start(2)\n",
    "users/payments.py": "def charge_card(amount): return amount\n",
    "README.md": "An engine.\n",
}


def names_of(grammar: str, data: bytes) -> FileNames:
    return FileNames(family_of(grammar), *names_in(dumped(parse(grammar, data))))


def graph_of(files: dict[str, tuple[str, bytes]]) -> dict[str, dict[str, int]]:
    """Who refers to whom, in thousandths of a telling use."""
    paths = sorted(files)
    graph = reference_graph(names_of(*files[path]) for path in paths)
    links: dict[str, dict[str, int]] = {}
    for target, path in enumerate(paths):
        for source, weight in graph.row(target).items():
            links.setdefault(paths[source], {})[path] = weight
    return links


@pytest.mark.anyio
async def test_what_others_lean_on_comes_first_with_true_line_numbers(tmp_path: Path) -> None:
    make_repository(tmp_path, LIBRARY)
    index = await Index().open(tmp_path)
    rendered = await index.render_map(4096)

    assert rendered.text == (
        "core.py\n"
        "    1  class Engine\n"
        "    2    def start(self, fuel: int) -> bool\n"
        "    6  def unused_helper()\n"
        "users/a.py\n"
        "    3  def drive_a()\n"
        "users/b.py\n"
        "    3  def drive_b()\n"
        "users/payments.py\n"
        "    1  def charge_card(amount)\n"
        "README.md\n"
    )
    assert rendered.tokens == estimate_tokens(rendered.text)


@pytest.mark.anyio
async def test_the_map_never_exceeds_its_budget(tmp_path: Path) -> None:
    package = Path(pytest.__file__).parent.parent / "_pytest"
    make_repository(tmp_path, {f"p/{file.name}": file.read_text() for file in sorted(package.glob("*.py"))[:40]})
    index = await Index().open(tmp_path)
    for budget in (256, 300, 512, 1000, 1024, 4096):
        rendered = await index.render_map(budget)
        assert 0.9 * budget < rendered.tokens <= budget
        assert estimate_tokens(rendered.text) == rendered.tokens
        assert "more not shown)" in rendered.text


@pytest.mark.anyio
async def test_a_budget_too_small_for_anything_gives_an_empty_map(tmp_path: Path) -> None:
    make_repository(tmp_path, LIBRARY)
    assert (await (await Index().open(tmp_path)).render_map(3)).text == ""


@pytest.mark.anyio
async def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, files in (("one", LIBRARY), ("two", dict(reversed(LIBRARY.items())))):
        make_repository(tmp_path / name, files)
    texts = [
        (await (await Index().open(tmp_path / name)).render_map(512, "charge")).text for name in ("one", "two", "one")
    ]
    assert len(set(texts)) == 1


@pytest.mark.anyio
async def test_a_focus_brings_its_files_to_the_front(tmp_path: Path) -> None:
    make_repository(tmp_path, LIBRARY)
    index = await Index().open(tmp_path)
    assert (await index.render_map(4096, "charge a credit card")).text.startswith("users/payments.py\n")


@pytest.mark.anyio
async def test_secrets_and_invisible_characters_do_not_reach_the_map(tmp_path: Path) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    make_repository(tmp_path, {"a.py": f"def connect(token='{token}'): pass\nESCAPE = '\x1b]0;x\x07\u202e'\n"})
    text = (await (await Index().open(tmp_path)).render_map(4096)).text

    assert token not in text
    assert "def connect(token=" in text
    assert text.isascii()
    assert "\x1b" not in text


def test_a_name_that_many_files_define_links_nothing() -> None:
    files = {f"d{number}.py": ("python", b"def run(): pass\n") for number in range(MAX_DEFINERS + 1)}
    assert graph_of({**files, "user.py": ("python", b"run()\n")}) == {}
    del files["d0.py"]
    assert len(graph_of({**files, "user.py": ("python", b"run()\n")})["user.py"]) == MAX_DEFINERS


def test_no_link_crosses_languages_but_typescript_and_javascript_are_one() -> None:
    files = {
        "a.py": ("python", b"def a_helper(): pass\n"),
        "b.js": ("javascript", b"export function a_helper() {}\n"),
        "c.ts": ("typescript", b"a_helper();\n"),
        "d.go": ("go", b"package d\nfunc f() { a_helper() }\n"),
    }
    assert graph_of(files) == {"c.ts": {"b.js": 1000}}


def test_ranks_are_a_distribution_and_follow_preference() -> None:
    graph = reference_graph(names_of("python", b"def %s(): pass\nb()\n" % name) for name in (b"a", b"b", b"c"))
    rank, preferred = graph.ranked(), graph.ranked([0.0, 0.0, 2.0])

    assert sum(rank) == pytest.approx(1)
    assert sum(preferred) == pytest.approx(1)
    assert max(range(3), key=rank.__getitem__) == 1
    assert preferred[2] > rank[2]
    assert list(reference_graph([]).ranked()) == []


def test_a_graph_that_was_kept_is_the_same_graph() -> None:
    graph = reference_graph(names_of("python", b"def %s(): pass\nb()\n" % name) for name in (b"a", b"b", b"c"))
    assert ReferenceGraph.loaded(graph.dumped()) == graph
    with pytest.raises(ValueError, match="not a graph"):
        ReferenceGraph.loaded(graph.dumped()[:-1])


def test_the_estimate_is_rather_too_high_than_too_low() -> None:
    """Counts by o200k_base, taken with a tokeniser and written down."""
    samples = {
        "def estimate_tokens(text: str) -> int:\n    return len(text)\n": 15,
        "The quick brown fox jumps over the lazy dog.": 10,
        "internationalisation and counterrevolutionaries": 7,
        "x = [1234567, 89.5, 0xFF]\n": 17,
        "日本語のテキスト": 6,
    }
    for text, tokens in samples.items():
        assert tokens <= estimate_tokens(text) <= 2.5 * tokens + 2
    assert estimate_tokens("") == 0
