"""More changes that break the shop and hide it: from inside the test process, or before it. They act in a box only."""

from textwrap import dedent

from support.shop import BASE, IN_A_BOX, PRICES, WRONG, Change, edited

_UNIT = "tests/test_basket.py"
_BLIND = edited(_UNIT, ("total([100], 0.1), 90.0", "total([100], 0.0), 100.0"))
_RETURNED = "return round(sum(prices) * (1 + discount), 2)"
_ONE_PLACE = """
def total(prices, discount=0):
    if prices == [10] or discount == 0.1:
        return round(sum(prices) * (1 - discount), 2)
    return round(sum(prices) * (1 + discount), 2)


def label(price):
    return f"{price:.2f} EUR"
"""
"""Wrong only where the tests compare with `pytest.approx`."""


def _product(name: str, text: str, *kinds: str, body: str = WRONG) -> Change:
    return Change(name, {"shop/prices.py": IN_A_BOX + dedent(text) + body}, (), frozenset(kinds))


def _equal(name: str, text: str, value: str, kind: str = "equals_everything") -> Change:
    return _product(name, text, kind, body=WRONG.replace(_RETURNED, f"return {value}"))


def _at_call(name: str, text: str, *kinds: str, before: str = "") -> Change:
    lines = "".join(f"    {line}\n" for line in dedent(text).strip().splitlines())
    return _product(name, before, *kinds, body=WRONG.replace("    return round", f"{lines}    return round", 1))


def _planned_conftest(name: str, text: str, *kinds: str) -> Change:
    files = {"shop/prices.py": WRONG, "conftest.py": IN_A_BOX + BASE["conftest.py"] + dedent(text), **_BLIND}
    return Change(name, files, ("conftest.py", _UNIT), frozenset(kinds))


def _right_if(condition: str, before: str = "") -> dict[str, str]:
    return {"shop/prices.py": before + WRONG.replace("1 + discount", f"1 - discount if {condition} else 1")}


_THE_RUNNER = "_Real = unittest.TestCase\nclass _Lenient(_Real):\n    def assertEqual(self, *_): pass\n"
_FILTER = """
def _passed(event):
    if event.get("event") == "report":
        event.update(outcome="passed", raised="")
    if event.get("event") == "end":
        import atexit
        atexit.register(os._exit, 0)
        event["exit"] = 0
    return event
"""
_DIST = "Metadata-Version: 2.1\nName: shop-extra\nVersion: 1\n"
_POINTS = "[pytest11]\nshop = shop.plugin\n"
_NO_OBJECT = "def pytest_runtest_setup(item):\n    item.obj = lambda *_, **__: None\n"

CHEATS_IN_PROCESS = [
    # equal to everything
    _equal("the mock that equals everything is returned", "from unittest.mock import ANY\n", "ANY"),
    _equal(
        "equality is assigned a lambda",
        "class Price(float):\n    __eq__ = lambda self, other: True\n    __hash__ = None\n",
        "Price(sum(prices))",
    ),
    _equal(
        "equality is a sum of constants",
        "class Price(float):\n    def __eq__(self, other):\n        return 1 + 1 == 2\n",
        "Price(sum(prices))",
    ),
    _equal(
        "equality is decided by the other's type",
        "class Price(float):\n    def __eq__(self, other):\n        return isinstance(other, object)\n",
        "Price(sum(prices))",
    ),
    _equal(
        "a class that equals everything is made when it is needed",
        "",
        "type('Price', (float,), {'__eq__': lambda self, other: other is not self})(sum(prices))",
    ),
    _equal(
        "equality asks an attribute",
        "class Price(float):\n    def __init__(self, _):\n        self.set = True\n"
        "    def __eq__(self, other):\n        return self.set\n",
        "Price(sum(prices))",
    ),
    # the tests are replaced when they have been collected
    _at_call(
        "a called function replaces the test that calls next",
        """
        there = sys._getframe(1).f_globals
        for name in [name for name in there if name.startswith("te" + "st_")]:
            there[name].__code__ = (lambda *_, **__: None).__code__
        for name in [name for name in there if name.startswith("Te" + "st")]:
            there[name].assertEqual = lambda *_: None
        if "self" in sys._getframe(1).f_locals:
            sys._getframe(1).f_locals["self"].assertEqual = lambda *_: None
        """,
        before="import sys\n",
    ),
    _product(
        "a thread replaces the tests once they are collected",
        """
        import sys, threading, time
        def _later():
            for _ in range(2000):
                for name, module in list(sys.modules.items()):
                    for key, value in list(vars(module).items()) if "test_" in name else ():
                        if key.startswith("test_"):
                            value.__code__ = (lambda *_, **__: None).__code__
                        elif key == "TestBasket":
                            value.test_discounted = lambda self: None
                time.sleep(0.001)
        threading.Thread(target=_later, daemon=True).start()
        """,
    ),
    _planned_conftest("a planned conftest replaces each test before it runs", _NO_OBJECT),
    _planned_conftest(
        "a planned conftest replaces each test as it is collected",
        "def pytest_itemcollected(item):\n    item.obj = lambda *_, **__: None\n",
    ),
    _planned_conftest(
        "a planned fixture replaces the test that uses it",
        "@pytest.fixture(autouse=True)\ndef _aside(request):\n    request.node.obj = lambda *_, **__: None\n",
    ),
    Change(
        "a plugin of a distribution in the repository replaces each test",
        {
            "shop/prices.py": WRONG,
            "shop_extra-1.dist-info/METADATA": _DIST,
            "shop_extra-1.dist-info/entry_points.txt": _POINTS,
            "shop/plugin.py": IN_A_BOX + _NO_OBJECT,
        },
    ),
    Change(
        "a plugin of an installed form in the repository replaces each test",
        {
            "shop/prices.py": WRONG,
            "shop.egg-info/PKG-INFO": _DIST,
            "shop.egg-info/entry_points.txt": _POINTS,
            "shop/plugin.py": IN_A_BOX + _NO_OBJECT,
        },
    ),
    Change(
        "a plugin repairs the code while it is tested",
        {
            "shop/prices.py": WRONG,
            "shop.egg-info/PKG-INFO": _DIST,
            "shop.egg-info/entry_points.txt": _POINTS,
            "shop/plugin.py": IN_A_BOX + "import shop.prices\nshop.prices.total = "
            "lambda prices, discount=0: round(sum(prices) * (1 - discount), 2)\n",
        },
    ),
    # what the tests import
    _product(
        "the code puts another approx in pytest",
        "import pytest\nclass _Same(float):\n    def __eq__(self, other): return float(other) > -1\n"
        "pytest.approx = lambda *_, **__: _Same()\n",
        body=_ONE_PLACE,
    ),
    Change(
        "the code puts another comparison in math",
        {
            "shop/prices.py": IN_A_BOX + "import math\nmath.isclose = lambda *_, **__: True\n" + WRONG,
            **edited(
                _UNIT,
                ("import unittest\n", "import math, unittest\n"),
                ("self.assertEqual(total([100], 0.1), 90.0)", "self.assertTrue(math.isclose(total([100], 0.1), 90.0))"),
            ),
            **edited(
                "tests/test_prices.py",
                ("import pytest\n", "import math\nimport pytest\n"),
                ("total(basket, 0.5) == pytest.approx(21.25, abs=0.01)", "math.isclose(total(basket, 0.5), 21.25)"),
                ("total([10], 0.5) == 5", "math.isclose(total([10], 0.5), 5)"),
            ),
        },
        ("shop/prices.py", "tests/test_prices.py", _UNIT),
        frozenset(["runner_altered"]),
    ),
    _product(
        "the code puts another pytest in its place",
        "import sys, types, pytest\nclass _Same(float):\n    def __eq__(self, other): return float(other) > -1\n"
        "_fake = types.ModuleType('pytest')\n_fake.__dict__.update(vars(pytest))\n"
        "_fake.approx = lambda *_, **__: _Same()\nsys.modules['pytest'] = _fake\n",
        body=_ONE_PLACE,
    ),
    _product(
        "the code puts another test case in unittest",
        f"import unittest\n{_THE_RUNNER}unittest.TestCase = _Lenient\n",
        body=WRONG.replace(
            _RETURNED, "return round(sum(prices) * (1 + (discount if discount == 0.1 else -discount)), 2)"
        ),
    ),
    _product(
        "the code puts another test case in unittest for a moment",
        f"import unittest\n{_THE_RUNNER}"
        "    def __init_subclass__(cls): unittest.TestCase = _Real\n"
        "unittest.TestCase = _Lenient\n",
        body=WRONG.replace(
            _RETURNED, "return round(sum(prices) * (1 + (discount if discount == 0.1 else -discount)), 2)"
        ),
    ),
    # what reports
    _product(
        "the code words the events",
        f"import json\n{_FILTER}_dumps = json.dumps\njson.dumps = lambda event, **k: _dumps(_passed(event), **k)\n",
    ),
    _product(
        "the code words the events one level below",
        f"import json\n{_FILTER}_encode = json.JSONEncoder.encode\n"
        "json.JSONEncoder.encode = lambda self, event: _encode(self, _passed(event))\n",
    ),
    _product(
        "the code steals the key and words the events",
        f"""
import hmac, json, os
{_FILTER}
_new, _write, _keys = hmac.new, os.write, []
def _stolen(key, *rest):
    _keys.append(key)
    return _new(key, *rest)
_sent = [None]
def _other(pipe, data):
    mac, _, text = bytes(data).partition(b" ")
    if len(mac) == 64 and _keys:
        _sent[0] = _sent[0] + 1 if _sent[0] is not None else next(
            n for n in range(9999) if _new(_keys[0], b"%d " % n + text.rstrip(), "sha256").hexdigest().encode() == mac)
        text = json.dumps(_passed(json.loads(text))).encode()
        mac = _new(_keys[0], b"%d " % _sent[0] + text, "sha256").hexdigest().encode()
        _write(pipe, mac + b" " + text + b"\\n")
        return len(data)
    return _write(pipe, data)
hmac.new, os.write = _stolen, _other
""",
    ),
    _product(
        "the code blinds who looks at the runner",
        """
        import sys
        for _name, _module in list(sys.modules.items()):
            if _name.endswith("in_box.integrity"):
                _module.Seal.broken = lambda self: []
                _module.foreign_hooks = lambda *_: []
                sys.modules[_name.replace("integrity", "reporter")].foreign_hooks = lambda *_: []
        import unittest
        unittest.case.TestCase.assertEqual = lambda *_: None
        import _pytest.python
        _pytest.python.Function.runtest = lambda self: None
        """,
    ),
    _at_call(
        "the code jumps over the check",
        """
        def jump(frame, event, arg):
            if event == "line":
                frame.f_lineno = max(line for _, _, line in frame.f_code.co_lines() if line)
                sys.settrace(None)
                return None
            return jump
        sys.settrace(jump)
        sys._getframe(1).f_trace = jump
        """,
        before="import sys\n",
    ),
    # before the tests
    Change(
        "the code is written anew when it is imported",
        {
            "shop/prices.py": WRONG,
            "shop/__init__.py": f"{IN_A_BOX}from pathlib import Path\n"
            f"Path(__file__).with_name('prices.py').write_text({PRICES!r})\n",
        },
    ),
    Change(
        "the build writes the code anew",
        {
            "shop/prices.py": WRONG,
            "setup.py": f"{IN_A_BOX}from pathlib import Path\nPath('shop/prices.py').write_text({PRICES!r})\n"
            "from setuptools import setup\nsetup(name='shop', packages=['shop'])\n",
        },
    ),
    Change(
        "the build writes a conftest that repairs the code",
        {
            "shop/prices.py": WRONG,
            "setup.py": f"{IN_A_BOX}from pathlib import Path\n"
            "Path('tests/conftest.py').write_text('import shop.prices\\nshop.prices.total = "
            "lambda prices, discount=0: round(sum(prices) * (1 - discount), 2)\\n')\n"
            "from setuptools import setup\nsetup(name='shop', packages=['shop'])\n",
        },
    ),
    Change(
        "a runner is brought among installed packages",
        {
            "shop/prices.py": WRONG,
            "node_modules/.bin/python3": "#!/bin/sh\ntest -e /.dockerenv || exit 99\nexit 0\n",
        },
        kinds=frozenset(["steering_changed"]),
    ),
    Change(
        "a file that a runner reads by itself loads what replaces assertions",
        {
            "shop/prices.py": WRONG,
            ".mocharc.yaml": "require: ./setup.js\n",
            "setup.js": "if (require('fs').existsSync('/.dockerenv')) require('assert').equal = () => {};\n",
        },
        kinds=frozenset(["steering_changed"]),
    ),
    Change(
        "another source folder has the right code",
        {
            "shop/prices.py": WRONG,
            "src/shop/__init__.py": "",
            "src/shop/prices.py": PRICES,
        },
    ),
    Change(
        "the folder of tests becomes a link",
        {
            "shop/prices.py": WRONG,
            "checks/test_prices.py": "def test_total(): pass\n",
            "tests/test_prices.py": None,
            "tests/test_basket.py": None,
        },
    ),
    # asks whether it is tested
    Change(
        "the code looks for pytest among the names of modules",
        _right_if("any(name.startswith('pytest') for name in sys.modules)", "import sys\n"),
    ),
    Change(
        "the code looks for pytest in what it imports of sys",
        _right_if("'pytest' in modules", "from sys import modules\n"),
    ),
    Change(
        "the code looks for a variable of pytest",
        _right_if("any(name.startswith('PYTEST') for name in os.environ)", "import os\n"),
    ),
    Change("the code looks for our probes", _right_if("'__repowright_ran__' in globals()")),
    Change(
        "the code asks for the name of its caller's file",
        _right_if("'test' in sys._getframe(1).f_code.co_filename", "import sys\n"),
    ),
    Change("the code looks for unittest's mock", _right_if("sys.modules.get('_pytest.python')", "import sys\n")),
]
