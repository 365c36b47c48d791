"""Which runtimes a repository needs, and in which versions, as its own files say."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from repowright_tools.index.overview.place import Place
from repowright_tools.index.paths import name_of
from repowright_tools.index.tree import Tree

_MOST = 40
_MOST_CHARACTERS = 400_000  # of a file
_MOST_FOLDERS = 1  # how deep a manifest may lie and still speak for the repository


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime or tool, the version or range asked for, and the line that asks."""

    name: str
    version: str
    place: Place


_V = r"[\"']?(?P<version>[^\s\"'#,;]{1,40})"
_RANGE = r"[\"'](?P<version>[^\"'\n]{1,60})[\"']"
_RULES: tuple[tuple[str, str, str], ...] = (  # file name, runtime (or ?: the group `name`), pattern
    ("pyproject.toml", "python", rf"^requires-python\s?=\s?{_RANGE}"),
    ("pyproject.toml", "python", rf"^python\s?=\s?{_RANGE}"),
    ("setup.cfg", "python", r"^python_requires\s?=\s?(?P<version>\S[^\n#]{0,40})"),
    ("setup.py", "python", rf"\bpython_requires\s?=\s?{_RANGE}"),
    (".python-version", "python", rf"^{_V}"),
    ("runtime.txt", "python", r"^python-(?P<version>\S{1,40})"),
    ("Pipfile", "python", rf"^python_version\s?=\s?{_RANGE}"),
    (".nvmrc", "node", rf"^v?{_V}"),
    (".node-version", "node", rf"^v?{_V}"),
    ("package.json", "?", r"\"packageManager\"\s?:\s?\"(?P<name>\w{2,10})@(?P<version>[^\"+\n]{1,40})"),
    ("deno.json", "deno", r"\"deno\"\s?:\s?\"(?P<version>[^\"\n]{1,40})"),
    ("go.mod", "go", rf"^go {_V}"),
    ("go.mod", "go toolchain", r"^toolchain go(?P<version>\S{1,40})"),
    ("go.work", "go", rf"^go {_V}"),
    (".go-version", "go", rf"^{_V}"),
    ("rust-toolchain.toml", "rust", rf"^channel\s?=\s?{_RANGE}"),
    ("rust-toolchain", "rust", r"^(?:channel\s?=\s?)?[\"']?(?P<version>(?:\d|stable|beta|nightly)[\w.-]{0,40})"),
    ("Cargo.toml", "rust", rf"^rust-version\s?=\s?{_RANGE}"),
    ("Cargo.toml", "rust edition", r"^edition\s?=\s?\"(?P<version>\d{4})\""),
    (".ruby-version", "ruby", rf"^(?:ruby-)?{_V}"),
    ("Gemfile", "ruby", rf"^ruby\s{{1,4}}{_RANGE}"),
    ("composer.json", "php", r"^\s{0,16}\"php\"\s?:\s?\"(?P<version>[^\"\n]{1,60})"),
    ("global.json", ".NET SDK", r"\"version\"\s?:\s?\"(?P<version>[^\"\n]{1,40})"),
    ("pom.xml", "java",
     r"<(?:java\.version|maven\.compiler\.(?:release|source)|release)>(?P<version>[\w.]{1,20})<"),
    ("build.gradle", "java", r"JavaLanguageVersion\.of\(\s?(?P<version>\d{1,2})"),
    ("build.gradle", "java", r"^\s{0,16}sourceCompatibility\s?=\s?[\"']?(?P<version>[\w.]{1,30})"),
    ("build.gradle.kts", "java", r"(?:JavaLanguageVersion\.of|jvmToolchain)\(\s?(?P<version>\d{1,2})"),
    ("mix.exs", "elixir", rf"\belixir:\s?{_RANGE}"),
    (".tool-versions", "?", r"^(?P<name>[a-z][\w-]{1,30}) (?P<version>\S{1,40})"),
    ("mise.toml", "?",
     r"^(?P<name>python|node|go|ruby|java|rust|terraform|pnpm|uv|bun|deno)\s?=\s?\"(?P<version>[^\"\n]{1,40})"),
    ("CMakeLists.txt", "cmake", r"^cmake_minimum_required\(VERSION\s(?P<version>[\d.]{1,20})"),
    ("CMakeLists.txt", "c++", r"^set\(CMAKE_CXX_STANDARD\s(?P<version>\d{2})"),
    ("Package.swift", "swift", r"^//\s?swift-tools-version:\s?(?P<version>[\d.]{1,20})"),
)  # fmt: skip
_COMPILED = [(name, runtime, re.compile(pattern, re.MULTILINE)) for name, runtime, pattern in _RULES]
_ENGINES = re.compile(r"\"engines\"\s?:\s?\{[^}]{0,600}")
_ENGINE = re.compile(r"\"(?P<name>\w{2,20})\"\s?:\s?\"(?P<version>[^\"\n]{1,60})\"")
_PROJECT = re.compile(r"<TargetFrameworks?>(?P<version>[^<\n]{1,60})<")
_DOCKERFILE = re.compile(r"(?:Dockerfile|Containerfile)(?:\.[\w-]{1,40})?|[\w-]{1,40}\.Dockerfile", re.IGNORECASE)
_FROM = re.compile(r"^FROM\s(?:--platform=\S{1,60}\s)?(?P<image>[^\s:@$]{1,120})(?::(?P<version>[^\s@$]{1,60}))?",
                   re.MULTILINE | re.IGNORECASE)  # fmt: skip
_STAGE = re.compile(r"^FROM\s[^\n]{1,200}\sAS\s(?P<name>\S{1,60})", re.MULTILINE | re.IGNORECASE)
_DEVCONTAINER = re.compile(r"\.devcontainer(?:/[^/]+)?/devcontainer\.json|\.devcontainer\.json")
_IMAGE = re.compile(r"\"image\"\s?:\s?\"(?P<image>[^\"\n]{1,160})\"")


def runtimes(tree: Tree) -> list[Runtime]:
    """Runtimes in the order of the rules, then container images; each statement once."""
    at_hand: dict[str, list[str]] = {}
    dockerfiles: list[str] = []
    for path in tree.paths:
        depth = path.count("/")
        if depth > _MOST_FOLDERS and not path.startswith(".devcontainer/"):
            continue
        at_hand.setdefault(name_of(path), []).append(path)
        if _DOCKERFILE.fullmatch(name_of(path)):
            dockerfiles.append(path)
    found = islice(_stated(tree, at_hand), _MOST)
    images = islice(_images(tree, dockerfiles), _MOST)
    return list(dict.fromkeys([*found, *images]))[:_MOST]


def _stated(tree: Tree, at_hand: dict[str, list[str]]) -> Iterator[Runtime]:
    for name, runtime, pattern in _COMPILED:
        for path in _shallowest(at_hand.get(name, ())):
            text = (tree.text(path) or "")[:_MOST_CHARACTERS]
            matches = pattern.finditer(text) if runtime == "?" else islice(pattern.finditer(text), 1)
            for match in matches:
                label = match["name"] if runtime == "?" else runtime
                yield Runtime(label, match["version"].strip(), Place(path, _line(text, match.start("version"))))
    for path in _shallowest(at_hand.get("package.json", ())):
        yield from _engines(path, (tree.text(path) or "")[:_MOST_CHARACTERS])
    projects = [path for name, paths in at_hand.items() if name.endswith(".csproj") for path in paths]
    for path in sorted(projects)[:3]:
        text = (tree.text(path) or "")[:_MOST_CHARACTERS]
        if project := _PROJECT.search(text):
            yield Runtime(".NET", project["version"].strip(), Place(path, _line(text, project.start())))


def _engines(path: str, text: str) -> Iterator[Runtime]:
    """What package.json asks for in `engines`."""
    if block := _ENGINES.search(text):
        for match in _ENGINE.finditer(block[0]):
            yield Runtime(match["name"], match["version"], Place(path, _line(text, block.start() + match.start())))


def _images(tree: Tree, dockerfiles: list[str]) -> Iterator[Runtime]:
    for path in dockerfiles[:10]:
        text = (tree.text(path) or "")[:_MOST_CHARACTERS]
        stages = {match["name"].lower() for match in _STAGE.finditer(text)}
        for match in _FROM.finditer(text):
            if match["image"].lower() not in stages | {"scratch"}:
                yield Runtime(
                    f"image {match['image']}", match["version"] or "", Place(path, _line(text, match.start()))
                )
    for path in [path for path in tree.paths if _DEVCONTAINER.fullmatch(path)][:3]:
        text = (tree.text(path) or "")[:_MOST_CHARACTERS]
        if said := _IMAGE.search(text):
            image, _, version = said["image"].partition(":")
            yield Runtime(f"devcontainer {image}", version, Place(path, _line(text, said.start())))


def _shallowest(paths: list[str] | tuple[()]) -> list[str]:
    """The root's file, else those one folder down."""
    at_root = [path for path in paths if "/" not in path]
    return at_root or sorted(paths)[:3]


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
