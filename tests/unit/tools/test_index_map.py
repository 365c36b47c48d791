"""The ranked map: inside its budget, the same for the same tree, and what it ranks first."""

import random
from pathlib import Path

import pytest

from repowright_tools.index.change import changed
from repowright_tools.index.graph import MAX_DEFINERS, FileNames, ReferenceGraph, reference_graph
from repowright_tools.index.index import Index
from repowright_tools.index.keys import Keys
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
    (names,) = names_in([dumped(parse(grammar, data))])
    return FileNames(family_of(grammar), *names)


def graph_of(files: dict[str, tuple[str, bytes]]) -> dict[str, dict[str, int]]:
    """Who refers to whom, in thousandths of a telling use."""
    paths = sorted(files)
    graph = reference_graph([names_of(*files[path]) for path in paths])
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
    graph = reference_graph([names_of("python", b"def %s(): pass\nb()\n" % name) for name in (b"a", b"b", b"c")])
    rank, preferred = graph.ranked(), graph.ranked([0.0, 0.0, 2.0])

    assert sum(rank) == pytest.approx(1)
    assert sum(preferred) == pytest.approx(1)
    assert max(range(3), key=rank.__getitem__) == 1
    assert preferred[2] > rank[2]
    assert list(reference_graph([]).ranked()) == []


def test_a_graph_that_was_kept_is_the_same_graph() -> None:
    graph = reference_graph([names_of("python", b"def %s(): pass\nb()\n" % name) for name in (b"a", b"b", b"c")])
    assert ReferenceGraph.loaded(graph.dumped()) == graph
    with pytest.raises(ValueError, match="not a graph"):
        ReferenceGraph.loaded(graph.dumped()[:-1])


@pytest.mark.parametrize("seed", range(8))
def test_a_graph_after_changes_is_that_of_a_new_one(seed: int) -> None:
    choice = random.Random(seed)
    names = [f"{letter}_name" for letter in "abcdefgh"]

    def some() -> FileNames:
        used = {name: choice.randrange(1, 9) for name in choice.sample(names, choice.randrange(6))}
        return FileNames("python", choice.sample(names[seed % 2 :], choice.randrange(4)), used)

    for _ in range(50):
        before = [some() for _ in range(6)]
        after = [names if choice.randrange(3) else some() for names in before]
        files = {node: pair for node, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]}
        graph = ReferenceGraph.loaded(reference_graph(before).dumped())
        found, new = changed(graph, files), reference_graph(after)
        used, defined = {name for it in before for name in it.used}, {name for it in before for name in it.defined}
        now = {name for it in after for name in it.defined}
        assert (found is None) == bool(used & now - defined)
        if found is not None:
            assert (found.links(), list(found.rank)) == (new.links(), list(new.rank))
            keys = [f"python {name}" for name in sorted(now)]
            assert [found.flow_to(key, range(6)) for key in keys] == [new.flow_to(key, range(6)) for key in keys]
            assert [list(found.definers_of(key)) for key in keys] == [list(new.definers_of(key)) for key in keys]


def test_a_key_is_found_by_its_place() -> None:
    texts = sorted({f"{number}\n{chr(number * 37)}" for number in range(1, 1500)})
    keys = Keys.loaded(Keys.of(texts).dumped())
    assert [keys.place(text) for text in texts] == list(range(len(texts)))
    assert [keys.place(text) for text in ("", "0", "1", "1\n", "9", "\U0010ffff")] == [None] * 6
    assert Keys.loaded(Keys.of([]).dumped()).place("a") is None


@pytest.mark.anyio
@pytest.mark.parametrize("definitions", [0, 1, 30])
async def test_a_map_is_full_when_the_best_of_the_last_one_are_gone(tmp_path: Path, definitions: int) -> None:
    """Of 70 files, the best 64 are looked into; of their definitions, the best are kept for the next map."""
    root = tmp_path / "repository"
    make_repository(root, {f"m{file:02}.py": functions(f"old{file}", 9) for file in range(70)})
    index = Index(folder=tmp_path / "index", repository="x")
    for budget in (256, 1024):
        await (await index.open(root)).render_map(budget)
        for file in range(40):
            (root / f"m{file:02}.py").write_text(functions(f"of_{budget}_{file}", definitions))
        assert await (await index.open(root)).render_map(budget) == await (await Index().open(root)).render_map(budget)


def functions(name: str, count: int) -> str:
    return "".join(f"def {name}_{number}(): pass\n" for number in range(count))


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
