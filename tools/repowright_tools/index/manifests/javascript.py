"""package.json and the lock files beside it."""

import re
from collections.abc import Iterator

from repowright_tools.index.manifests.found import Found, found, json_object, manifests, mapping
from repowright_tools.index.tree import Tree, line_of

_MANAGERS = (  # lock file, manager, install from the lock
    ("pnpm-lock.yaml", "pnpm", "pnpm install --frozen-lockfile"),
    ("yarn.lock", "yarn", "yarn install --frozen-lockfile"),
    ("bun.lock", "bun", "bun install --frozen-lockfile"),
    ("bun.lockb", "bun", "bun install --frozen-lockfile"),
    ("package-lock.json", "npm", "npm ci"),
    ("npm-shrinkwrap.json", "npm", "npm ci"),
)
_KINDS = (
    ("test", re.compile(r"tests?(:(unit|all|ci|run))?")),
    ("lint", re.compile(r"(lint|typecheck|type-check|check)(:(js|ts|all|ci|types))?|format:check")),
    ("build", re.compile(r"build(:(prod|production|all))?|compile")),
    ("run", re.compile(r"start(:(prod|dev))?|dev|serve")),
)
_NO_TEST = "no test specified"  # what `npm init` writes


def commands(tree: Tree) -> Iterator[Found]:
    for path, text, prefix in manifests(tree, "package.json"):
        folder = path.removesuffix("package.json")
        document = json_object(text)
        manager, install, lock = _manager(tree, folder, document.get("packageManager"))
        declared = line_of(text, r'"packageManager"\s*:') or 1
        yield found("install", prefix + install, *((lock, 1) if lock else (path, declared)))
        block = line_of(text, r'"scripts"\s*:')
        start = len("\n".join(text.split("\n")[: (block or 1) - 1]))
        for name, script in mapping(document.get("scripts")).items():
            if not isinstance(script, str) or _NO_TEST in script:
                continue
            for kind, names in _KINDS:
                if names.fullmatch(name):
                    line = line_of(text, rf'"{re.escape(name)}"\s*:', start)
                    yield found(kind, f"{prefix}{_run(manager, name)}", path, line)


def _manager(tree: Tree, folder: str, declared: object) -> tuple[str, str, str | None]:
    """The package manager, what installs with it, and the lock file that says so when there is one."""
    for lock, manager, install in _MANAGERS:
        if tree.has_path(folder + lock):
            return manager, _frozen(install, declared), folder + lock
    name = declared.split("@")[0] if isinstance(declared, str) else "npm"
    return (name, f"{name} install", None) if name in {"pnpm", "yarn", "bun"} else ("npm", "npm install", None)


def _frozen(install: str, declared: object) -> str:
    """Yarn renamed its option in version 2."""
    modern = isinstance(declared, str) and re.match(r"yarn@(?:[2-9]|\d\d)", declared)
    return "yarn install --immutable" if modern else install


def _run(manager: str, script: str) -> str:
    return f"{manager} {script}" if script in {"test", "start"} and manager != "bun" else f"{manager} run {script}"
