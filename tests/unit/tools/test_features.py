"""Features mined without a model, from routes, commands, pages, the public API and tests."""

import time
from pathlib import Path

import pytest

from repowright_tools.analyse_repo.features import MOST, fair_shares, mine
from repowright_tools.analyse_repo.mining import declared, file_route
from repowright_tools.analyse_repo.patterns import BY_LANGUAGE
from repowright_tools.analyse_repo.ui_strings import strings
from repowright_tools.index.index import Index
from repowright_tools.index.languages import language_of
from support.repositories import make_repository


async def features(root: Path, files: dict[str, str]) -> list[tuple[str, list[tuple[str, int]]]]:
    make_repository(root, files)
    index = await Index().open(root)
    return [(it.title, [(place.path, place.line) for place in it.evidence]) for it in mine(index, index.entry_points())]


def in_file(path: str, text: str) -> list[tuple[str, int]]:
    found = declared(path, language_of(path) or "", text.encode())
    return [(title, line) for _, title, line in found]


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("a.py", '\n@app.route("/x", methods=["POST"])\ndef x(): ...\n', [("route POST /x", 2)]),
        ("a.py", '@router.get(\n    "/items/{id}",\n)\ndef x(): ...\n', [("route GET /items/{id}", 2)]),
        ("urls.py", 'from django.urls import path\nurlpatterns = [\n  path("a/", v),\n]\n', [("route a/", 3)]),
        ("a.py", 'x = [\n  path("a/", v),\n]\n', []),
        (
            "a.py",
            '@cli.command("sync")\n@click.option("--x")\ndef run(x):\n    """Fetch new orders. More."""\n',
            [("command sync: Fetch new orders", 1)],
        ),
        (
            "a.py",
            "@cli.command()\ndef sync_all():\n    pass\n\ndef other():\n    '''No.'''\n",
            [("command sync_all", 2)],
        ),
        ("a.py", 's.add_parser("sync", help="fetch new orders")\n', [("command sync: fetch new orders", 1)]),
        (
            "shop/management/commands/fix.py",
            'class Command(BaseCommand):\n    help = "Mend orders"\n',
            [("command manage.py fix: Mend orders", 1)],
        ),
        ("a.ts", "apiRouter.post('/orders', x)\n", [("route POST /orders", 1)]),
        ("a.ts", "@Controller('x')\nclass A {\n  @Get(':id')\n  one() {}\n}\n", [("route GET :id", 3)]),
        ("a.ts", "map.get('/x')\n", []),
        (
            "a.js",
            "cli\n  .command('build [root]', 'build for production')\n",
            [("command build: build for production", 2)],
        ),
        ("a.js", "p.command('up').description('Start it')\n", [("command up: Start it", 1)]),
        ("a.go", 'package a\nfunc f() { m.HandleFunc("GET /x/{id}", h) }\n', [("route GET /x/{id}", 2)]),
        (
            "a.go",
            'var c = &cobra.Command{\n\tUse:   "sync [flags]",\n\tShort: "Fetch orders",\n}\n',
            [("command sync: Fetch orders", 2)],
        ),
        ("a.go", 'x = map[string]F{\n\t"state list": func() (cli.Command, error) {\n', [("command state list", 2)]),
        ("a.rs", 'fn r() { Router::new().route("/x", post(h)) }\n', [("route POST /x", 1)]),
        (
            "a.rs",
            "#[derive(Debug, Subcommand)]\nenum C {\n    /// Fetch orders\n    SyncAll { x: u8 },\n    Stop,\n}\n",
            [("command sync-all: Fetch orders", 4), ("command stop", 5)],
        ),
        ("A.java", '@PostMapping("/x")\nvoid a() {}\n', [("route POST /x", 1)]),
        ("A.java", '@RequestMapping(value = "/x", method = RequestMethod.PUT)\n', [("route PUT /x", 1)]),
        ("A.kt", 'import io.ktor.server\nfun f() {\n    get("/x") {\n', [("route GET /x", 3)]),
        ("A.cs", 'app.MapDelete("/x", h);\n[HttpGet("list")]\n', [("route DELETE /x", 1), ("route GET list", 2)]),
        (
            "config/routes.rb",
            "  get '/x', to: 'a#b'\n  resources :orders\n",
            [("route GET /x", 1), ("route orders", 2)],
        ),
        ("lib/a.rb", "  get '/x', to: 'a#b'\n", []),
        ("a.rb", "require 'sinatra'\nget '/x' do\n", [("route GET /x", 2)]),
        ("routes/web.php", "<?php\nRoute::post('/x', f);\n", [("route POST /x", 2)]),
        (
            "A.php",
            "<?php\nclass A {\n    protected $signature = 'shop:sync {id}';\n    protected $description = 'Fetch';\n",
            [("command shop:sync: Fetch", 3)],
        ),
    ],
)
def test_what_frameworks_declare_is_read_with_its_line(path: str, text: str, told: list[tuple[str, int]]) -> None:
    assert in_file(path, text) == told


def test_an_enum_that_does_not_end_in_sight_is_left_out() -> None:
    head = "#[derive(Subcommand)]\nenum C {\n"
    assert in_file("a.rs", f"{head}    Add,\n}}\n") == [("command add", 3)]
    assert in_file("a.rs", head + "    Add,\n" * 5_000 + "}\n") == []


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("pages/index.tsx", "route /"),
        ("src/pages/orders/[id].tsx", "route /orders/[id]"),
        ("app/(shop)/orders/page.tsx", "route /orders"),
        ("app/api/orders/route.ts", "route /api/orders"),
        ("pages/_app.tsx", None),
        ("lib/orders.ts", None),
    ],
)
def test_a_file_of_next_is_a_route_by_its_place(path: str, route: str | None) -> None:
    assert file_route(path) == route


@pytest.mark.anyio
async def test_files_are_routes_only_where_next_is_a_dependency(tmp_path: Path) -> None:
    files = {"pages/orders.tsx": "export default 1\n"}
    assert await features(tmp_path / "a", files) == []
    found = await features(tmp_path / "b", files | {"package.json": '{"dependencies": {"next": "15"}}\n'})
    assert found == [("route /orders", [("pages/orders.tsx", 1)])]


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("a.html", "<head>\n<title>Your orders</title>\n", [("page", "Your orders")]),
        ("a.html", "<title>{{ title }}</title>", []),
        ("a.html", "{% block title %}{% trans 'Sign in' %}{% endblock %}", [("page", "Sign in")]),
        ("a.tsx", "<h1 x=1>\n  Basket\n</h1><NavLink to='/a'>Home</NavLink>", [("page", "Basket"), ("menu", "Home")]),
        ("a.py", "x = MenuItem(_('Reports'), url)", [("menu", "Reports")]),
        ("locales/en.json", '{"orders.title": "Orders", "orders.text": "Some long text"}', [("page", "Orders")]),
        ("a.html", "<h1>42</h1>", []),
    ],
)  # fmt: skip
def test_titles_headings_and_menus_are_what_users_read(path: str, text: str, told: list[tuple[str, str]]) -> None:
    assert [(kind, said.decode().strip()) for kind, said, _ in strings(path, text.encode())] == told


@pytest.mark.anyio
async def test_the_front_door_of_a_library_is_its_api(tmp_path: Path) -> None:
    found = await features(
        tmp_path,
        {
            "src/shop/__init__.py": "from .orders import place, _hidden\nfrom os import path\n",
            "src/shop/orders.py": 'import os\n\n\ndef place():\n    """Place an order. More."""\n\ndef other(): ...\n',
            "src/shop/inner/__init__.py": "from shop.orders import other\n",
            "kit/package.json": '{"name": "@x/kit", "main": "dist/index.js"}\n',
            "kit/src/index.ts": "export { draw, type Size } from './draw'\nexport const VERSION = 1\n",
            "kit/src/draw.ts": "// x\nexport function draw() {}\n",
            "go.mod": "module x/queue\n",
            "queue.go": "package queue\n\ntype Full struct{}\n\n// Push adds.\nfunc Push() {}\n\nfunc hidden() {}\n",
            "lib/src/lib.rs": "pub fn open() {}\nfn shut() {}\npub use crate::a::{Reader, Writer as W};\n",
        },
    )
    assert found == [
        ("API queue: Push: Push adds", [("queue.go", 6)]),
        ("API queue: Full", [("queue.go", 3)]),
        ("API @x/kit: draw", [("kit/src/draw.ts", 2)]),
        ("API @x/kit: VERSION", [("kit/src/index.ts", 2)]),
        ("API lib: open", [("lib/src/lib.rs", 1)]),
        ("API lib: Reader", [("lib/src/lib.rs", 3)]),
        ("API lib: W", [("lib/src/lib.rs", 3)]),
        ("API shop: place: Place an order", [("src/shop/orders.py", 4)]),
    ]


@pytest.mark.anyio
async def test_a_list_of_all_names_decides_what_a_package_opens(tmp_path: Path) -> None:
    found = await features(
        tmp_path,
        {
            "shop/__init__.py": "from .a import one, two\n\n__all__ = [\n    'one',\n]\n",
            "shop/a.py": "def one(): ...\n",
        },
    )
    assert found == [("API shop: one", [("shop/a.py", 1)])]


@pytest.mark.parametrize(
    ("path", "text", "title", "lines"),
    [
        (
            "tests/test_orders.py",
            "def test_an_empty_cart_is_refused(): ...\nx = 1\nclass TestPaid:\n    def test_kept(self): ...\n",
            "behaviour of orders: an empty cart is refused; paid: kept",
            [1, 4],
        ),
        (
            "orders_test.go",
            'package a\nimport "testing"\nfunc TestEmptyCart_isRefused(t *testing.T) {}\n',
            "behaviour of orders: empty cart is refused",
            [3],
        ),
        (
            "src/orders.spec.ts",
            "describe('x', () => {\n  it('should refuse an empty cart', f)\n  test.skip(`keeps paid ones`, f)\n})\n",
            "behaviour of orders: refuse an empty cart; keeps paid ones",
            [2, 3],
        ),
        (
            "src/test/OrdersTest.java",
            "class OrdersTest {\n  @Test\n  public void refusesEmptyCart() {}\n}\n",
            "behaviour of orders: refuses empty cart",
            [3],
        ),
        ("spec/orders_spec.rb", "it 'refuses an empty cart' do\n", "behaviour of orders: refuses an empty cart", [1]),
    ],
)
@pytest.mark.anyio
async def test_what_tests_promise_is_told_by_file(
    tmp_path: Path, path: str, text: str, title: str, lines: list[int]
) -> None:
    assert await features(tmp_path, {path: text}) == [(title, [(path, line) for line in lines])]


@pytest.mark.anyio
async def test_what_users_meet_first_comes_first(tmp_path: Path) -> None:
    found = await features(
        tmp_path,
        {
            "api.py": '@app.get("/a/{id}/b")\ndef x(): ...\n@app.get("/{id}")\ndef y(): ...\n@app.get("/z")\n',
            "cli.py": 's.add_parser("sync")\n',
            "page.html": "<title>Orders</title>\n",
            "tests/test_api.py": "def test_it_is_kept(): ...\n",
        },
    )
    assert [title for title, _ in found] == [
        *("command sync", "route GET /z", "route GET /{id}", "route GET /a/{id}/b", "page “Orders”"),
        "behaviour of api: it is kept",
    ]


@pytest.mark.anyio
async def test_one_feature_in_several_files_is_one_with_several_places(tmp_path: Path) -> None:
    route = '@app.get("/x")\ndef x(): ...\n'
    assert await features(tmp_path, {"a.py": route, "b.py": route}) == [("route GET /x", [("a.py", 1), ("b.py", 1)])]


@pytest.mark.anyio
async def test_examples_fixtures_and_stand_ins_declare_nothing(tmp_path: Path) -> None:
    route = '@app.get("/x")\ndef x(): ...\n'
    paths = ["examples/a.py", "tests/fixtures/a.py", "docs/a.py", "mock_api.py", "tests/helper.py"]
    assert await features(tmp_path, dict.fromkeys(paths, route)) == []


@pytest.mark.anyio
async def test_a_large_kind_leaves_room_for_the_others(tmp_path: Path) -> None:
    names = "".join(f'@app.get("/r{number}")\ndef r{number}(): ...\n' for number in range(90))
    tests = {f"tests/test_{number}.py": "def test_a_thing_holds(): ...\n" for number in range(110)}
    found = await features(
        tmp_path, {"a.py": names, "b.py": names.replace("/r", "/s"), "cli.py": 's.add_parser("x")\n'} | tests
    )
    kinds = [title.split()[0] for title, _ in found]
    assert len(found) == MOST
    assert (kinds.count("command"), kinds.count("route"), kinds.count("behaviour")) == (1, 100, 99)


def test_shares_are_fair() -> None:
    assert fair_shares({"a": 3, "b": 500, "c": 500}, 200) == {"a": 3, "b": 99, "c": 98}
    assert fair_shares({"a": 3, "b": 0}, 200) == {"a": 3, "b": 0}
    assert fair_shares({}, 200) == {}


@pytest.mark.parametrize("language", sorted(BY_LANGUAGE))
@pytest.mark.parametrize(
    "part",
    ["@a.command(", '@app.get("/', "\n@x.y\n", 'Use: "x" ', "<h1>", "path(", " ", "{% block title %}", "class Command(",
     "#[derive(Subcommand)]\nenum C {\n"]
)  # fmt: skip
def test_mining_hostile_text_takes_time_in_proportion_to_its_length(language: str, part: str) -> None:
    anchors = b"".join(anchor for pattern in BY_LANGUAGE[language] for anchor in (*pattern.anchors, *pattern.needs))
    data = anchors + part.encode() * (200_000 // len(part)) + anchors
    started = time.process_time()
    declared("config/routes.rb", language, data)
    list(strings("a.html", data))
    assert time.process_time() - started < 5
