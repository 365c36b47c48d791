"""Modules, their layers, and where programs start."""

from pathlib import Path

import pytest

from repowright_tools.index.index import Index, RepositoryIndex
from repowright_tools.index.modules import components
from support.repositories import make_repository


def imports(index: RepositoryIndex) -> dict[str, tuple[str, ...]]:
    return {module.path: module.imports for module in index.modules()}


async def opened(root: Path, files: dict[str, str]) -> RepositoryIndex:
    make_repository(root, files)
    return await Index().open(root)


@pytest.mark.anyio
async def test_layers_rise_along_imports_and_cycles_are_one_layer(tmp_path: Path) -> None:
    index = await opened(
        tmp_path,
        {
            "app/__init__.py": "",
            "app/main.py": "from app.web import views\nimport os\n",
            "app/web/__init__.py": "",
            "app/web/views.py": "from ..store import db\nfrom app.core import base\n",
            "app/store/__init__.py": "",
            "app/store/db.py": "from app.web.views import x\n",
            "app/core/__init__.py": "",
            "app/core/base.py": "import json\n",
        },
    )
    assert [(m.path, m.files, m.lines, m.imports, m.layer, m.in_cycle) for m in index.modules()] == [
        ("app", 2, 2, ("app/web",), 2, False),
        ("app/core", 2, 1, (), 0, False),
        ("app/store", 2, 1, ("app/web",), 1, True),
        ("app/web", 2, 2, ("app/core", "app/store"), 1, True),
    ]


@pytest.mark.anyio
async def test_python_imports_are_resolved_from_src_packages_and_scripts(tmp_path: Path) -> None:
    index = await opened(
        tmp_path,
        {
            "src/pkg/__init__.py": "",
            "src/pkg/a.py": "from . import b\nfrom .sub.c import d\n",
            "src/pkg/sub/c.py": "d = 1\n",
            "tests/test_a.py": "from pkg.sub import c\nimport helpers\nimport json\n",
            "tests/helpers.py": "",
            "examples/json.py": "",
        },
    )
    assert imports(index) == {
        "examples": (),
        "src/pkg": ("src/pkg/sub",),
        "src/pkg/sub": (),
        "tests": ("src/pkg/sub",),
    }


@pytest.mark.anyio
async def test_imports_of_the_other_languages_are_resolved(tmp_path: Path) -> None:
    index = await opened(
        tmp_path,
        {
            "web/src/index.ts": 'import {a} from "./lib/a.js";\nimport React from "react";\n',
            "web/src/lib/a.ts": 'export * from "../util";\n',
            "web/src/util/index.tsx": "export const u = 1;\n",
            "go.mod": "module example.org/x\n",
            "cmd/x/main.go": 'package main\nimport "example.org/x/internal/y"\nfunc main() {}\n',
            "internal/y/y.go": 'package y\nimport "fmt"\n',
            "r/src/main.rs": "mod a;\nuse crate::b::c::f;\nfn main() {}\n",
            "r/src/a.rs": "",
            "r/src/b/c.rs": "use super::super::a::q;\npub fn f() {}\n",
            "java/org/x/A.java": "package org.x;\nimport org.x.y.B;\nimport org.x.z.*;\nclass A {}\n",
            "java/org/x/y/B.java": "package org.x.y;\npublic class B {}\n",
            "java/org/x/z/C.java": "package org.x.z;\npublic class C {}\n",
        },
    )
    assert {path: found for path, found in imports(index).items() if found} == {
        "cmd/x": ("internal/y",),
        "java/org/x": ("java/org/x/y", "java/org/x/z"),
        "r/src": ("r/src/b",),
        "r/src/b": ("r/src",),
        "web/src": ("web/src/lib",),
        "web/src/lib": ("web/src/util",),
    }


def test_components_come_after_those_they_lead_to_and_depth_does_not_matter() -> None:
    chain = {str(number): [str(number + 1)] if number < 5000 else [] for number in range(5001)}
    assert components(chain)[0] == ["5000"]
    ring = {str(number): [str((number + 1) % 3000)] for number in range(3000)}
    assert [len(group) for group in components(ring)] == [3000]


@pytest.mark.anyio
async def test_entry_points_are_found_where_they_are(tmp_path: Path) -> None:
    index = await opened(
        tmp_path,
        {
            "pyproject.toml": '[project]\nname = "x"\n[project.scripts]\nx-tool = "pkg.cli:main"\ngone = "no:main"\n',
            "pkg/__init__.py": "",
            "pkg/__main__.py": "from pkg.cli import main\nmain()\n",
            "pkg/cli.py": "import sys\n\ndef main(): pass\n",
            "script.py": 'def f(): pass\n\nif __name__ == "__main__":\n    f()\n',
            "web/package.json": '{\n "name": "web",\n "main": "index.js",\n "bin": {"webx": "bin.js"}\n}\n',
            "cmd/x/main.go": "package main\n\nfunc main() {}\n",
            "lib/y.go": "package lib\n\nfunc main() {}\n",
            "r/src/main.rs": "fn main() {}\n",
            "r/src/bin/tool.rs": "\nfn main() {}\n",
            "J.java": "class J {\n  public static void main(String[] a) {}\n}\n",
        },
    )
    assert [(e.name, e.kind, e.path, e.line) for e in index.entry_points()] == [
        ("gone", "console_script", "pyproject.toml", 5),
        ("x-tool", "console_script", "pkg/cli.py", 3),
        ("webx", "package_bin", "web/package.json", 4),
        ("web", "package_main", "web/package.json", 3),
        ("J", "java_main", "J.java", 2),
        ("cmd/x", "go_main", "cmd/x/main.go", 3),
        ("pkg", "module_main", "pkg/__main__.py", 1),
        ("tool", "rust_main", "r/src/bin/tool.rs", 2),
        ("r", "rust_main", "r/src/main.rs", 1),
        ("script.py", "main_guard", "script.py", 3),
    ]


@pytest.mark.anyio
async def test_languages_are_counted_by_files_lines_and_bytes(tmp_path: Path) -> None:
    index = await opened(tmp_path, {"a.py": "x = 1\ny = 2\n", "b.py": "z", "c.go": "package c\n", "LICENSE": "free\n"})
    assert list(index.languages) == [("Python", 2, 3, 13), ("Go", 1, 1, 10)]
