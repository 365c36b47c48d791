"""CMake, Meson, Bazel, .NET, Swift packages and Dart."""

import re
from collections.abc import Iterator

from repowright_tools.index.manifests.found import Found, found, manifests
from repowright_tools.index.paths import folder_of, name_of
from repowright_tools.index.tree import Tree, line_of

_TESTS = r"^\s{0,20}(enable_testing|add_test|gtest_discover_tests|catch_discover_tests|include\(\s?CTest)\b"
_PROJECT = re.compile(r"[\w./-]+\.(?:sln|slnx)")


def commands(tree: Tree) -> Iterator[Found]:
    yield from _cmake(tree)
    yield from _dotnet(tree)
    for path, text, prefix in manifests(tree, "meson.build"):
        line = line_of(text, r"^project\(")
        yield found("build", f"{prefix}meson setup build && meson compile -C build", path, line)
        if at := line_of(text, r"^\s{0,20}test\(|^subdir\('tests?'"):
            yield found("test", f"{prefix}meson test -C build", path, at)
    for path, text, prefix in manifests(tree, "Package.swift"):
        yield found("build", f"{prefix}swift build", path, line_of(text, r"\bPackage\("))
        if at := line_of(text, r"\.testTarget\("):
            yield found("test", f"{prefix}swift test", path, at)
    for path, text, prefix in manifests(tree, "pubspec.yaml"):
        tool = "flutter" if line_of(text, r"^\s{0,8}sdk:\s?flutter\b") else "dart"
        yield found("install", f"{prefix}{tool} pub get", path, line_of(text, r"^dependencies:"))
        yield found("test", f"{prefix}{tool} test", path, line_of(text, r"^dev_dependencies:"))
    for name in ("MODULE.bazel", "WORKSPACE", "WORKSPACE.bazel"):
        if (workspace := tree.text(name)) is not None:
            line = line_of(workspace, r"^\w")
            yield found("build", "bazel build //...", name, line)
            yield found("test", "bazel test //...", name, line)


def _cmake(tree: Tree) -> Iterator[Found]:
    text = tree.text("CMakeLists.txt")
    if text is None:
        return
    line = line_of(text, r"(?i)^\s{0,8}project\s?\(")
    yield found("build", "cmake -B build && cmake --build build", "CMakeLists.txt", line)
    places = ["CMakeLists.txt", *(p for p in tree.paths if p.count("/") == 1 and name_of(p) == "CMakeLists.txt")]
    for path in places[:20]:
        if at := line_of(tree.text(path) or "", _TESTS):
            yield found("test", "ctest --test-dir build", path, at)
            return


def _dotnet(tree: Tree) -> Iterator[Found]:
    solutions = sorted(path for path in tree.paths if path.count("/") <= 1 and _PROJECT.fullmatch(path))
    projects = sorted(path for path in tree.paths if path.endswith((".csproj", ".fsproj")))
    chosen = (solutions or projects)[:1]
    for path in chosen:
        alone = folder_of(path) == "" and len(solutions) <= 1
        target = "" if alone else f" {path}" if re.fullmatch(r"[\w./-]+", path) and path[0] != "-" else None
        if target is None:
            return
        for kind, verb in (("install", "restore"), ("build", "build")):
            yield found(kind, f"dotnet {verb}{target}", path, 1)
        for project in projects:
            test = line_of(tree.text(project) or "", r"\"(Microsoft\.NET\.Test\.Sdk|xunit|NUnit|MSTest)[\w.]{0,40}\"")
            if test:
                yield found("test", f"dotnet test{target}", project, test)
                break
