"""Which files of a repository an import means, language by language."""

import json

import pytest

from repowright_tools.index.imports import ImportResolver
from repowright_tools.index.languages import grammar_of
from repowright_tools.index.parse import parse

FILES = {
    # C and C++
    "c/src/main.c": '#include "util.h"\n#include "../include/api.h"\n#include <proj/api.h>\n#include <string.h>\n',
    "c/src/util.h": "",
    "c/other/util.h": "",
    "c/include/api.h": "",
    "c/include/proj/api.h": "",
    "c/include/string.h": "",
    # C#
    "cs/A.cs": "using N.M; using static N.M.Helper; using System;\nclass A {}\n",
    "cs/B.cs": "namespace N.M { class Helper {} }\n",
    "cs/C.cs": "namespace N.M;\nclass C {}\n",
    # Java and Kotlin
    "jvm/A.java": (
        "package a; import b.Tool; import static b.Tool.run; import b.missing.X; import c.*; import b.topLevel;\n"
    ),
    "jvm/Tool.java": "package b; public class Tool {}\n",
    "jvm/Tops.kt": "package b\n\nfun topLevel() {}\n",
    "jvm/C.kt": "package c\n\nimport b.Tool\nimport b.topLevel as t\n\nclass C\n",
    # Ruby
    "rb/lib/gem/core.rb": 'require "gem/util"\nrequire_relative "../gem/extra"\nrequire "json"\n',
    "rb/lib/gem/util.rb": "",
    "rb/lib/gem/extra.rb": "",
    "rb/test/gem/util.rb": "",
    # PHP
    "php/index.php": "<?php\nuse App\\Model\\User;\nuse Other\\Thing;\nrequire __DIR__ . '/inc/boot.php';\n",
    "php/src/User.php": "<?php\nnamespace App\\Model;\nclass User {}\n",
    "php/inc/boot.php": "<?php\n",
    # Shell
    "sh/bin/run.sh": '. ./near.sh\nsource "$(dirname "$0")/../lib/x.sh"\n. sh/lib/y.sh\n. "$HOME/.profile"\n',
    "sh/bin/near.sh": "",
    "sh/lib/x.sh": "",
    "sh/lib/y.sh": "",
    # Rust
    "rs/app/src/main.rs": "use engine_core::fuel::Tank;\nuse engine_core::Engine;\nuse std::io;\n",
    "rs/engine/src/lib.rs": "",
    "rs/engine/src/fuel.rs": "",
    # TypeScript
    "ts/apps/web/src/page.ts": (
        'import a from "@/lib/a";\nimport b from "@scope/ui";\nimport c from "@scope/ui/button";\n'
        'import d from "react";\nimport e from "exact";\nimport f from "./near.js?raw";\n'
    ),
    "ts/apps/web/src/near.ts": "",
    "ts/apps/web/src/lib/a.tsx": "",
    "ts/apps/web/src/shims/exact.ts": "",
    "ts/packages/ui/src/index.ts": "",
    "ts/packages/ui/src/button.ts": "",
}
MANIFESTS = {
    "rs/engine/Cargo.toml": '[workspace]\nname = "no"\n[package]\nedition = "2021"\nname = "engine-core"\n',
    "ts/packages/ui/package.json": '{"name": "@scope/ui", "main": "dist/index.js"}',
    "ts/apps/web/tsconfig.json": (
        '{ // a comment, and "paths"\n "compilerOptions": { "baseUrl": ".", /* more */\n'
        '  "paths": { "@/*": ["./src/*"], "exact": ["src/shims/exact"], }, } }'
    ),
    "ts/apps/web/src/lib/tsconfig.json": "not JSON",
    "ts/apps/other/package.json": json.dumps({"name": ["no", "name"], "main": 3}),
    "ts/tsconfig.json": "[" * 100_000,
}


@pytest.fixture(scope="module")
def resolver() -> ImportResolver:
    files = {
        path: (grammar, parse(grammar, text.encode())) for path, text in FILES.items() if (grammar := grammar_of(path))
    }
    return ImportResolver(files, MANIFESTS)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("c/src/main.c", ["c/src/util.h", "c/include/api.h", "c/include/proj/api.h"]),
        ("cs/A.cs", ["cs/B.cs", "cs/C.cs", "cs/B.cs"]),
        ("jvm/A.java", ["jvm/Tool.java", "jvm/Tool.java", "jvm/Tops.kt", "jvm/C.kt"]),
        ("jvm/C.kt", ["jvm/Tool.java", "jvm/Tops.kt"]),
        ("rb/lib/gem/core.rb", ["rb/lib/gem/util.rb", "rb/lib/gem/extra.rb"]),
        ("php/index.php", ["php/src/User.php", "php/inc/boot.php"]),
        ("sh/bin/run.sh", ["sh/bin/near.sh", "sh/lib/x.sh", "sh/lib/y.sh"]),
        ("rs/app/src/main.rs", ["rs/engine/src/fuel.rs", "rs/engine/src/lib.rs"]),
        (
            "ts/apps/web/src/page.ts",
            [
                "ts/apps/web/src/lib/a.tsx",
                "ts/packages/ui/src/index.ts",
                "ts/packages/ui/src/button.ts",
                "ts/apps/web/src/shims/exact.ts",
                "ts/apps/web/src/near.ts",
            ],
        ),
    ],
)
def test_imports_mean_files_of_the_repository(resolver: ImportResolver, path: str, expected: list[str]) -> None:
    grammar = grammar_of(path)
    assert grammar
    imported = parse(grammar, FILES[path].encode()).imports
    assert sorted(found for item in imported for found in resolver.resolve(path, grammar, item.target)) == sorted(
        expected
    )
