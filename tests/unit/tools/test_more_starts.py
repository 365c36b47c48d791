"""Where programs start in languages whose manifests do not say it."""

from pathlib import Path

import pytest

from repowright_tools.index.index import Index
from repowright_tools.index.overview import overview
from support.repositories import make_repository


async def starts(root: Path, files: dict[str, str]) -> list[tuple[str, str, str, int]]:
    make_repository(root, files)
    found = overview(await Index().open(root), [])
    return [(entry.name, entry.kind, entry.path, entry.line) for entry in found.entry_points]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "text", "start"),
    [
        ("src/app.c", "#include <stdio.h>\n\nint main(int argc, char **argv) { return 0; }\n", ("app", "c_main", 3)),
        ("src/app.cpp", "int main() { return 0; }\n", ("app", "c_main", 1)),
        ("src/App.kt", "package a\n\nfun main() { }\n", ("App", "kotlin_main", 3)),
        ("src/App.cs", "class App {\n  static void Main(string[] args) { }\n}\n", ("App", "csharp_main", 2)),
        ("public/index.php", "<?php\nrequire 'x';\n", ("public/index.php", "php_front", 1)),
        ("bin/tool", "#!/usr/bin/env ruby\nputs 1\n", ("tool", "script", 1)),
        ("scripts/up.sh", "#!/bin/sh\necho\n", ("up.sh", "script", 1)),
    ],
)
async def test_a_start_is_found_in_its_language(
    tmp_path: Path, path: str, text: str, start: tuple[str, str, int]
) -> None:
    name, kind, line = start
    assert await starts(tmp_path, {path: text}) == [(name, kind, path, line)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/App.cs", "class App {\n  void Main() { }\n}\n"),
        ("src/a.cpp", "struct A { int main() { return 0; } };\n"),
        ("scripts/lib.sh", "echo\n"),
        ("deep/scripts/up.sh", "#!/bin/sh\n"),
    ],
)
async def test_what_only_looks_like_a_start_is_none(tmp_path: Path, path: str, text: str) -> None:
    assert await starts(tmp_path, {path: text}) == []


@pytest.mark.anyio
async def test_what_is_installed_comes_first_and_tests_and_examples_come_last(tmp_path: Path) -> None:
    found = await starts(
        tmp_path,
        {
            "pyproject.toml": "[project]\nname = 'x'\n[project.scripts]\nx = 'x:main'\n",
            "examples/a.c": "int main() { return 0; }\n",
            "bin/up": "#!/bin/sh\n",
            "deep/down/b.c": "int main() { return 0; }\n",
            "c.c": "int main() { return 0; }\n",
        },
    )
    assert [name for name, _, _, _ in found] == ["x", "c", "b", "up", "a"]
