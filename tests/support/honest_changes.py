"""Changes to the shop that break nothing, or nothing but what the plan says. None may be refused."""

from support.shop import BASE, PRICES, Change, edited

_TEST = "tests/test_prices.py"
_UNIT = "tests/test_basket.py"
_MORE = "from shop.prices import label\n\ndef test_more():\n    assert label(3) == '3.00 EUR'\n"
_DISCOUNTS = "    assert total(basket, 0.5) == pytest.approx(21.25, abs=0.01)\n    assert total([10], 0.5) == 5\n"
_BOTH = "    assert (total(basket, 0.5), total([10], 0.5)) == (21.25, 5)\n"


def _added(path: str, text: str) -> dict[str, str]:
    return {path: BASE[path] + text}


HONEST = [
    Change("nothing but a document", {"README.md": "A small shop.\n"}),
    Change("a refactoring", edited("shop/prices.py", ("sum(prices) * (1 - discount)", "(1 - discount) * sum(prices)"))),
    Change("a new test file", {"tests/test_more.py": _MORE}),
    Change("a new test file that the plan names", {"tests/test_more.py": _MORE}, ("tests/test_more.py",)),
    Change("a new test in an old file", _added(_TEST, "\ndef test_none():\n    assert total([]) == 0\n")),
    Change(
        "a new feature with tests",
        {
            **_added("shop/prices.py", "\n\ndef tax(price):\n    return round(price * 0.19, 2)\n"),
            "tests/test_tax.py": "from shop.prices import tax\n\ndef test_tax():\n    assert tax(100) == 19\n",
        },
    ),
    Change("a test becomes one with parameters", edited(_TEST, ("[1, 2.5]", "[1, 2.5, 3]"))),
    Change(
        "parameters are named otherwise",
        edited(
            _TEST,
            ("def test_total(basket):", '@pytest.mark.parametrize("factor", [1, 2])\ndef test_total(basket, factor):'),
            ("total(basket) == 42.5", "total(basket * factor) == 42.5 * factor"),
        ),
    ),
    Change("a test is renamed as planned", edited(_TEST, ("test_total", "test_sum")), (_TEST,)),
    Change("a test is renamed", edited(_TEST, ("test_total", "test_sum"))),
    Change("tests are moved", {_TEST: None, "tests/unit/test_prices_of_units.py": BASE[_TEST]}),
    Change(
        "tests are moved as planned",
        {_TEST: None, "tests/unit/test_prices_of_units.py": BASE[_TEST]},
        (_TEST, "tests/unit/test_prices_of_units.py"),
    ),
    Change(
        "a conftest is refactored",
        edited("conftest.py", ("return [10.0, 20.0, 12.5]", "yield [10.0] + [20.0, 12.5]")),
    ),
    Change(
        "a fixture is added",
        {
            **_added("conftest.py", "\n@pytest.fixture\ndef single():\n    return [5.0]\n"),
            "tests/test_single.py": (
                "from shop.prices import total\n\ndef test_single(single):\n    assert total(single) == 5\n"
            ),
        },
    ),
    Change(
        "a conftest of its own for a new folder",
        {
            "tests/unit/conftest.py": "import pytest\n\n@pytest.fixture\ndef pair():\n    return [1, 2]\n",
            "tests/unit/test_pair.py": (
                "from shop.prices import total\n\ndef test_pair(pair):\n    assert total(pair) == 3\n"
            ),
        },
    ),
    Change(
        "a planned conftest sorts the slow tests to the end",
        _added(
            "conftest.py",
            "\ndef pytest_collection_modifyitems(items):\n"
            "    items.sort(key=lambda item: item.get_closest_marker('slow') is not None)\n",
        ),
        ("conftest.py",),
    ),
    Change("a test is marked as slow", edited(_TEST, ("def test_total", "@pytest.mark.slow\ndef test_total"))),
    Change(
        "a test is left out on another system",
        edited(
            _TEST,
            ("import pytest\n", "import sys\nimport pytest\n"),
            ("def test_total", "@pytest.mark.skipif(sys.platform == 'win32', reason='x')\ndef test_total"),
        ),
    ),
    Change(
        "a message and its test are changed as planned",
        {
            **edited("shop/prices.py", (" EUR", " euros")),
            **edited(_TEST, (" EUR", " euros")),
        },
        ("shop/prices.py", _TEST),
    ),
    Change(
        "a behaviour and its tests are changed as planned",
        {
            **edited("shop/prices.py", ("* (1 - discount)", "- discount")),
            **edited(_TEST, (_DISCOUNTS, "    assert total(basket, 0.5) == 42\n    assert total([10], 0.5) == 9.5\n")),
            **edited(_UNIT, ("total([100], 0.1), 90.0", "total([100], 10), 90")),
        },
        ("shop/prices.py", _TEST, _UNIT),
    ),
    Change(
        "a feature is removed with its test as planned",
        {
            "shop/prices.py": PRICES.partition("\n\ndef label")[0] + "\n",
            _TEST: BASE[_TEST].partition("@pytest.mark.parametrize")[0].replace("label, ", ""),
        },
        ("shop/prices.py", _TEST),
    ),
    Change(
        "two checks become one",
        edited(_TEST, (_DISCOUNTS, "    assert (total(basket, 0.5), total([10], 0.5)) == (21.25, 5)\n")),
    ),
    Change("a tolerance is lowered", edited(_TEST, ("abs=0.01", "abs=0.001"))),
    Change("tests are formatted", {_TEST: BASE[_TEST].replace("'", '"').replace("\n\n", "\n\n\n")}),
    Change("a dependency is added", {"requirements.txt": "attrs>=20\n"}),
    Change("a linter is configured", edited("pyproject.toml", ("line-length = 100", "line-length = 120"))),
    Change("options of the runner are changed", edited("pyproject.toml", ("testpaths", "addopts = '-q'\ntestpaths"))),
    Change("a linter's configuration beside", {"setup.cfg": "[flake8]\nmax-line-length = 100\n"}),
    Change("coverage is configured", {".coveragerc": "[run]\nbranch = true\n"}),
    Change(
        "data for a new test",
        {
            "tests/data/prices.txt": "1\n2\n",
            "tests/test_data.py": (
                "from pathlib import Path\n\ndef test_data():\n"
                "    assert Path(__file__).with_name('data').joinpath('prices.txt').read_text() == '1\\n2\\n'\n"
            ),
        },
    ),
    Change(
        "a known bug gets a test",
        {
            "tests/test_bug.py": (
                "import pytest\nfrom shop.prices import label\n\n@pytest.mark.xfail(reason='known')\ndef test_bug():\n"
                "    assert label(-0.0) == '0.00 EUR'\n"
            )
        },
    ),
    Change(
        "a command line",
        {
            "shop/__main__.py": (
                "import sys\nfrom shop.prices import total\n\ndef main():\n    print(total(map(float, sys.argv[1:])))\n"
                "    return 0\n\nif __name__ == '__main__':\n    sys.exit(main())\n"
            ),
            "tests/test_command.py": (
                "import subprocess, sys\n\ndef test_command():\n"
                "    done = subprocess.run([sys.executable, '-m', 'shop', '1', '2'], capture_output=True, text=True)\n"
                "    assert done.stdout == '3.0\\n'\n"
            ),
        },
    ),
    Change(
        "a worker that ends its process",
        {
            "shop/worker.py": (
                "import os\n\ndef work():\n    child = os.fork()\n    if child == 0:\n        os._exit(3)\n"
                "    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
            ),
            "tests/test_worker.py": "from shop.worker import work\n\ndef test_work():\n    assert work() == 3\n",
        },
    ),
    Change(
        "objects that compare",
        {
            "shop/money.py": (
                "class Money:\n    def __init__(self, cents):\n        self.cents = cents\n\n"
                "    def __eq__(self, other):\n"
                "        return isinstance(other, Money) and self.cents == other.cents\n"
            ),
            "tests/test_money.py": (
                "from shop.money import Money\n\ndef test_money():\n    assert Money(1) == Money(1) != Money(2)\n"
            ),
        },
    ),
    Change(
        "tests that replace things for themselves",
        {
            "tests/test_replaced.py": (
                "from unittest import mock\nimport builtins\nfrom shop import prices\n\n"
                "def test_replaced(monkeypatch):\n"
                "    monkeypatch.setattr(builtins, 'round', lambda value, digits: 7)\n"
                "    assert prices.total([1]) == 7\n\n"
                "def test_mocked():\n    with mock.patch('shop.prices.total', return_value=1):\n"
                "        assert prices.total([5]) == 1\n"
            )
        },
    ),
    Change(
        "processes and threads",
        {
            "tests/test_processes.py": (
                "import multiprocessing, threading\nfrom shop.prices import total\n\ndef test_pool():\n"
                "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
                "        assert pool.map(total, [[1], [2]]) == [1, 2]\n\ndef test_thread():\n    done = []\n"
                "    thread = threading.Thread(target=lambda: done.append(1))\n    thread.start()\n    thread.join()\n"
                "    assert done\n"
            )
        },
    ),
    Change(
        "fixtures in a module of their own as planned",
        {
            "conftest.py": BASE["conftest.py"] + "\npytest_plugins = ['tests.fixtures']\n",
            "tests/fixtures.py": "import pytest\n\n@pytest.fixture(autouse=True)\ndef quiet():\n    yield\n",
        },
        ("conftest.py", "tests/fixtures.py"),
    ),
    Change(
        "objects that make conditions when compared",
        {
            "shop/query.py": (
                "class Condition:\n    def __init__(self, *parts):\n        self.parts = parts\n\n"
                "class Column:\n    def __eq__(self, other):\n        return Condition(self, other)\n\n"
                "    def __ne__(self, other):\n        return NotImplemented\n\n    __hash__ = object.__hash__\n"
            ),
            "tests/test_query.py": (
                "from shop.query import Column\n\ndef test_query():\n    assert (Column() == 3).parts[1] == 3\n"
            ),
        },
    ),
    Change(
        "a test has a helper that equals everything",
        {
            "tests/test_helper.py": (
                "from unittest.mock import ANY\nfrom shop.prices import total\n\nclass Anything:\n"
                "    def __eq__(self, other):\n        return True\n\ndef test_helper():\n"
                "    assert [total([1]), total([2])] == [Anything(), ANY]\n"
            )
        },
    ),
    Change(
        "a command line that looks at its process",
        {
            "shop/process.py": (
                "import os\nimport sys\nfrom sys import argv, modules\n\ndef settings():\n"
                "    found = {name: os.environ[name] for name in os.environ if name.startswith('SHOP_')}\n"
                "    if 'colorama' in modules or len(argv) > 99:\n        found['colour'] = 'yes'\n"
                "    return found, sys._getframe(1).f_code.co_name, sys.modules[__name__].__name__\n"
            ),
            "tests/test_process.py": (
                "from shop.process import settings\n\ndef test_process(monkeypatch):\n"
                "    monkeypatch.setenv('SHOP_A', '1')\n"
                "    assert settings() == ({'SHOP_A': '1'}, 'test_process', 'shop.process')\n"
            ),
        },
    ),
    Change(
        "a build that writes a version",
        {
            "setup.py": (
                "from pathlib import Path\nfrom setuptools import setup\n"
                "Path('shop/_version.py').write_text('VERSION = 1\\n')\nsetup(name='shop', packages=['shop'])\n"
            )
        },
    ),
    Change(
        "tests that are made and wrapped",
        {
            "tests/test_made.py": (
                "import functools, unittest\nfrom unittest import mock\nimport pytest\nfrom shop import prices\n\n"
                "def plain(function):\n    def run():\n        return function()\n    return run\n\n"
                "def wrapped(function):\n    @functools.wraps(function)\n    def run(*args, **kwargs):\n"
                "        return function(*args, **kwargs)\n    return run\n\n"
                "@plain\ndef test_plain():\n    assert prices.total([1]) == 1\n\n"
                "@wrapped\ndef test_wrapped(basket):\n    assert prices.total(basket)\n\n"
                "@mock.patch.object(prices, 'total', return_value=3)\ndef test_patched(total):\n"
                "    assert prices.total([]) == 3\n\n"
                "def made(number):\n    return lambda: prices.total([number]) == number or pytest.fail()\n\n"
                "for _number in range(3):\n    globals()[f'test_made_{_number}'] = made(_number)\n\n"
                "class TestMade(unittest.TestCase):\n"
                "    def assertEqual(self, first, second, msg=None):\n"
                "        super().assertEqual(float(first), float(second), msg)\n\n"
                "    @mock.patch('shop.prices.label', return_value='')\n    def test_label(self, label):\n"
                "        for price in range(3):\n            with self.subTest(price=price):\n"
                "                self.assertEqual(prices.total([price]), price)\n\n"
                "    @staticmethod\n    def test_static():\n        assert prices.label(1)\n\n"
                "setattr(TestMade, 'test_set', lambda self: self.assertEqual(1, 1))\n\n"
                "class TestPlain:\n    @pytest.fixture(autouse=True)\n    def _given(self, basket):\n"
                "        self.basket = basket\n\n    @classmethod\n    def test_class(cls):\n"
                "        assert cls is TestPlain\n\n    @pytest.mark.parametrize('factor', [1, 2])\n"
                "    def test_given(self, factor):\n        assert prices.total(self.basket * factor)\n"
            )
        },
    ),
    Change(
        "tests that replace what reports are made of",
        {
            "tests/test_replacing.py": (
                "import hmac, importlib, json, os, sys, time\nfrom unittest import mock\nfrom shop import prices\n\n"
                "def test_replacing(monkeypatch):\n    monkeypatch.setattr(json, 'dumps', lambda *_: '{}')\n"
                "    monkeypatch.setattr(hmac, 'new', None)\n    monkeypatch.setattr(os, 'write', None)\n"
                "    monkeypatch.setattr(os, 'getpid', lambda: 1)\n    monkeypatch.setattr(time, 'time', lambda: 0)\n"
                "    assert json.dumps([]) == '{}'\n\n"
                "def test_modules():\n    with mock.patch.dict(sys.modules, {'json': None, 'pytest': None}):\n"
                "        assert importlib.reload(prices).total([1]) == 1\n"
            )
        },
    ),
    Change(
        "tests that write beside themselves",
        {
            "tests/test_writing.py": (
                "from pathlib import Path\n\ndef test_writing(tmp_path):\n"
                "    Path(__file__).with_name('snapshot.json').write_text('{}')\n"
                "    (tmp_path / 'conftest.py').write_text('')\n    Path('made.py').write_text('x = 1\\n')\n"
            )
        },
    ),
]
