"""Which files say nothing about the code, by their path and by their bytes."""

import re
from typing import Literal

from repowright_tools.git.names import is_private
from repowright_tools.index.paths import name_of
from repowright_tools.index.reading import Refusal

Reason = (
    Refusal
    | Literal["binary", "generated", "minified", "vendored", "lock_file", "lfs_pointer"]
    | Literal["private", "user_glob", "over_limit"]
)

HEAD_BYTES = 8000
"""How far git looks for a NUL to call a file binary (its `buffer_is_binary`)."""

_VENDORED = frozenset({
    ".venv", ".yarn", "_vendor", "bower_components", "carthage", "jspm_packages", "node_modules", "pods",
    "site-packages", "third-party", "third_party", "vendor", "vendored", "venv",
})  # fmt: skip
_LOCK_FILES = frozenset({
    "bun.lock", "bun.lockb", "cargo.lock", "composer.lock", "deno.lock", "flake.lock", "gemfile.lock", "go.sum",
    "go.work.sum", "gradle.lockfile", "mix.lock", "npm-shrinkwrap.json", "package-lock.json",
    "packages.lock.json", "pdm.lock", "pipfile.lock", "pixi.lock", "pnpm-lock.yaml", "podfile.lock",
    "poetry.lock", "pubspec.lock", "uv.lock", "yarn.lock",
})  # fmt: skip
_GENERATED_NAME = re.compile(
    r"(\.pb\.(go|cc|h)|_pb2(_grpc)?\.pyi?|\.pb\.gw\.go|_grpc\.pb\.go|\.g\.dart|\.freezed\.dart|\.designer\.cs"
    r"|\.generated\.\w+|_generated\.\w+|\.(js|css)\.map)$"
)
_MINIFIED_NAME = re.compile(r"[.-]min\.(js|mjs|cjs|css)$")
_GENERATED_MARK = re.compile(
    rb"^\W{1,4}.{0,80}(@generated\b|<auto-?generated|\bgenerated\b.{0,200}\bdo not (edit|modify)\b"
    rb"|\bdo not (edit|modify)\b.{0,200}\bgenerated\b)",
    re.IGNORECASE | re.MULTILINE,
)
_LFS_MARK = b"version https://git-lfs.github.com/spec/v1\n"


def reason_by_path(path: str) -> Reason | None:
    """Why a file of this name is left out; None to look at its bytes."""
    *folders, name = path.lower().split("/")
    if not _VENDORED.isdisjoint(folders):
        return "vendored"
    if is_private(name):
        return "private"
    if name in _LOCK_FILES:
        return "lock_file"
    if _MINIFIED_NAME.search(name):
        return "minified"
    return "generated" if _GENERATED_NAME.search(name) else None


def reason_by_head(head: bytes) -> Reason | None:
    """Why a file that begins so is left out; `head` is its first HEAD_BYTES bytes."""
    if head.startswith(_LFS_MARK):
        return "lfs_pointer"
    if b"\0" in head or _mostly_unprintable(head):
        return "binary"
    if b"generated" not in head.lower():  # no mark is without the word, and looking for it is fast
        return None
    lines = head.split(b"\n", 20)[:20]
    return "generated" if _GENERATED_MARK.search(b"\n".join(lines)) else None


def is_minified(path: str, size: int, lines: int) -> bool:
    """Whether a person cannot have written lines this long: a mean above 200 bytes in scripts, 2,000 in any text."""
    if size <= 4096 or size <= lines * 200:
        return False
    script = name_of(path).lower().endswith((".js", ".mjs", ".cjs", ".css"))
    return script or size > lines * 2000


def _mostly_unprintable(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start > len(head) - 4:  # a character cut in two by the end of the head
            return False
        odd = sum(byte < 9 or 13 < byte < 32 or byte > 126 for byte in head)
        return odd > 0.3 * len(head)
    return False
