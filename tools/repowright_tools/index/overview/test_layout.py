"""How a repository's tests are laid out: frameworks, folders, names, and which sources have one."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from repowright_tools.index.overview.place import Place
from repowright_tools.index.parse import ParsedFile
from repowright_tools.index.paths import folder_of, name_of, stem_of
from repowright_tools.index.test_files import convention, in_test_folder, is_beside, is_data
from repowright_tools.index.tree import Tree

_MOST_FOLDERS = 20
_FEW_FOLDERS = 5
_MOST_UNTESTED = 10
_MOST_CHARACTERS = 400_000  # of a manifest
_LEAST_LINES = 30  # of a source file, for it to be missed by a test


@dataclass(frozen=True, slots=True)
class TestLayout:
    """Where the tests are.

    Attributes:
        frameworks: each with the line that says so.
        files: how many test files there are, by their names.
        folders: where test files lie and how many, as in `tests`, `src/**/tests`, or `src/**` for beside the sources.
        naming: how test files are written (`test_*.py`) and how many are.
        sources: source files that are no tests.
        tested: how many of them have a test file that is named after them; a test of another name is not seen.
        untested: the largest without, at most ten.
    """

    __test__ = False

    frameworks: tuple[tuple[str, Place], ...]
    files: int
    folders: tuple[tuple[str, int], ...]
    naming: tuple[tuple[str, int], ...]
    sources: int
    tested: int
    untested: tuple[str, ...]


_PYTHON_MANIFESTS = ("pyproject.toml", "setup.cfg", "tox.ini", "requirements-dev.txt", "requirements/test.txt")
_FRAMEWORKS: tuple[tuple[str, tuple[str, ...], str], ...] = (  # name, files at the root or one folder down, pattern
    ("pytest", ("pytest.ini", "pyproject.toml", "setup.cfg", "tox.ini"), r"^\[(?:tool[.:])?pytest\b"),
    ("pytest", (*_PYTHON_MANIFESTS, "setup.py", "requirements.txt", "Pipfile", "conftest.py"),
     r"^[^#\n]{0,200}\bpytest\b"),
    ("Vitest", ("package.json",), r"\"vitest\"\s?:"),
    ("Jest", ("package.json",), r"\"(?:ts-)?jest\"\s?:"),
    ("Mocha", ("package.json",), r"\"mocha\"\s?:"),
    ("Playwright", ("package.json",), r"\"(?:@playwright/test|playwright(?:-chromium|-core)?)\"\s?:"),
    ("Cypress", ("package.json",), r"\"cypress\"\s?:"),
    ("AVA", ("package.json",), r"\"ava\"\s?:"),
    ("Jasmine", ("package.json",), r"\"jasmine\"\s?:"),
    ("Karma", ("package.json",), r"\"karma\"\s?:"),
    ("node:test", ("package.json",), r"\bnode (?:--[\w-]{1,40} ){0,5}--test\b"),
    ("JUnit", ("pom.xml", "build.gradle", "build.gradle.kts"), r"\bjunit\b"),
    ("TestNG", ("pom.xml", "build.gradle", "build.gradle.kts"), r"\btestng\b"),
    ("Kotest", ("build.gradle", "build.gradle.kts"), r"\bkotest\b"),
    ("RSpec", (".rspec", "Gemfile"), r"^--|^[^#\n]{0,80}\brspec\b|^[^#\n]{0,80}rspec-rails"),
    ("minitest", ("Gemfile", "Rakefile"), r"\bminitest\b|Rake::TestTask"),
    ("PHPUnit", ("phpunit.xml", "phpunit.xml.dist", "composer.json"), r"<phpunit\b|\"phpunit/phpunit\""),
    ("Pest", ("composer.json",), r"\"pestphp/pest\""),
    ("GoogleTest", ("CMakeLists.txt",), r"\b(?:gtest|googletest|GTest)\b"),
    ("Catch2", ("CMakeLists.txt",), r"\bCatch2\b"),
    ("CTest", ("CMakeLists.txt",), r"^\s{0,20}enable_testing\("),
    ("ExUnit", ("test/test_helper.exs",), r"ExUnit\.start"),
)  # fmt: skip
_COMPILED = [(name, files, re.compile(pattern, re.MULTILINE)) for name, files, pattern in _FRAMEWORKS]
_BY_IMPORT = {"unittest": "unittest", "pytest": "pytest", "testing": "go test", "django.test": "Django's test runner",
              "@jest/globals": "Jest", "vitest": "Vitest", "node:test": "node:test", "@playwright/test": "Playwright",
              "bun:test": "Bun's test runner"}  # fmt: skip


def test_layout(tree: Tree, parsed: Mapping[str, ParsedFile], lines: Mapping[str, int]) -> TestLayout:
    """The layout of the tests.

    Args:
        tree: all text files.
        parsed: the source files.
        lines: their lengths, by path.
    """
    names = {path: known for path in tree.paths if (known := convention(path)) and not is_data(path)}
    sources = [path for path in parsed if path not in names and not in_test_folder(path) and not is_beside(path)]
    untested = _without_test(sources, names)
    largest = sorted((path for path in untested if lines.get(path, 0) >= _LEAST_LINES), key=lambda p: (-lines[p], p))
    return TestLayout(
        frameworks=tuple(_frameworks(tree, names, parsed)),
        files=len(names),
        folders=tuple(_folders(names)),
        naming=tuple(_by_count(Counter(shown for shown, _ in names.values()).items())),
        sources=len(sources),
        tested=len(sources) - len(untested),
        untested=tuple(largest[:_MOST_UNTESTED]),
    )


def _frameworks(
    tree: Tree, names: Mapping[str, tuple[str, str]], parsed: Mapping[str, ParsedFile]
) -> Iterator[tuple[str, Place]]:
    seen: set[str] = set()
    by_name: dict[str, list[str]] = {}
    for path in tree.paths:
        if path.count("/") <= 1:
            by_name.setdefault(name_of(path), []).append(path)
    for name, files, pattern in _COMPILED:
        if name in seen:
            continue
        for path in [path for file in files for path in _at(tree, by_name, file)]:
            if match := pattern.search((tree.text(path) or "")[:_MOST_CHARACTERS]):
                seen.add(name)
                yield name, Place(path, (tree.text(path) or "").count("\n", 0, match.start()) + 1)
                break
    for name, place in _imported(names, parsed):
        if name not in seen:
            seen.add(name)
            yield name, place
    csproj = [path for name, paths in by_name.items() if name.endswith(".csproj") for path in paths][:10]
    for path in csproj:
        match = re.search(r"\"(xunit|NUnit|MSTest)[\w.]{0,40}\"", (tree.text(path) or "")[:_MOST_CHARACTERS])
        if match and match[1] not in seen:
            seen.add(match[1])
            yield match[1], Place(path, (tree.text(path) or "").count("\n", 0, match.start()) + 1)


def _at(tree: Tree, by_name: Mapping[str, list[str]], file: str) -> list[str]:
    """The root's file of that name, else the first few one folder down."""
    if tree.has_path(file):
        return [file]
    return sorted(by_name.get(file, ()))[:3] if "/" not in file else []


def _imported(names: Iterable[str], parsed: Mapping[str, ParsedFile]) -> Iterator[tuple[str, Place]]:
    """Frameworks by what most tests import, each with the first test that does."""
    places: dict[str, Place] = {}
    counts: Counter[str] = Counter()
    for path in names:
        if path in parsed:
            found: dict[str, int] = {}
            for item in parsed[path].imports:
                for target in (item.target, item.target.rpartition(".")[0]):
                    if target in _BY_IMPORT:
                        found.setdefault(_BY_IMPORT[target], item.line)
            for name, line in found.items():
                counts[name] += 1
                places.setdefault(name, Place(path, line))
    yield from ((name, places[name]) for name, _ in _by_count(counts.items()))


def _folders(names: Iterable[str]) -> list[tuple[str, int]]:
    """Folders of tests, those that only differ in their middle taken together."""
    direct: Counter[str] = Counter(_test_root(path) for path in names)
    if len(direct) <= _FEW_FOLDERS:
        return _by_count(direct.items())
    merged: Counter[str] = Counter()
    for folder, count in direct.items():
        head, *rest = folder.split("/")
        own = bool(rest) and in_test_folder(f"{folder}/x") and not in_test_folder(f"{head}/x")
        merged[f"{head}/**/{rest[-1]}" if own and len(rest) > 1 else folder if own or not rest else f"{head}/**"] += (
            count
        )
    return _by_count(merged.items())[:_MOST_FOLDERS]


def _test_root(path: str) -> str:
    """The path up to its first folder for tests, or its folder when there is none."""
    steps = folder_of(path).split("/")
    for number in range(1, len(steps) + 1):
        if in_test_folder("/".join(steps[:number]) + "/x"):
            return "/".join(steps[:number])
    return folder_of(path) or "."


def _without_test(sources: Sequence[str], names: Mapping[str, tuple[str, str]]) -> list[str]:
    """Sources that no test is named after: `a/orders.py` is tested by `test_orders.py` or by `tests/orders/*`."""
    tested = {(of.lower().replace("-", "_"), family(path)) for path, (_, of) in names.items()}
    tested |= {(name_of(folder_of(path)).lower(), family(path)) for path in names}
    return [path for path in sources if (stem_of(path).lower().replace("-", "_"), family(path)) not in tested]


_FAMILIES = {
    **dict.fromkeys(("jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "vue", "svelte"), "js"),
    **dict.fromkeys(("h", "hpp", "hh", "cc", "cpp", "cxx"), "c"),
    "kt": "java",
}


def family(path: str) -> str:
    """Extensions that test each other."""
    extension = name_of(path).rpartition(".")[2]
    return _FAMILIES.get(extension, extension)


def _by_count(items: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(items, key=lambda item: (-item[1], item[0]))
