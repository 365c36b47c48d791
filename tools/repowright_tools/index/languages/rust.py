"""Rust."""

from __future__ import annotations

import re
from collections.abc import Sequence

from repowright_tools.index.languages.language import Docs, Grammar, Language, Sources
from repowright_tools.index.paths import folder_of, name_of, stem_of

_ROOTS = frozenset({"lib", "main", "mod"})
_NAMES = re.compile(r"[\w*]+")


def exported(name: str, head: str, within: str, access: str) -> bool:
    """`pub`, and what a public trait asks for."""
    return within == "interface" or head.startswith("pub") or "macro_rules" in head


class RustImports:
    """`crate::a`, `self::a`, `super::a` and the repository's own crates by name."""

    def __init__(self, sources: Sources) -> None:
        self._paths = sources.files.keys()
        self._crates: dict[str, list[str]] = {}
        for path, text in sources.manifests.items():
            if name_of(path) == "Cargo.toml" and (name := _package_name(text)):
                self._crates[name.replace("-", "_")] = [part for part in [*folder_of(path).split("/"), "src"] if part]

    def resolve(self, path: str, target: str) -> Sequence[str]:
        names = _NAMES.findall(target.split("{")[0].split(" as ")[0])
        if not names:
            return []
        folder, stem = folder_of(path), stem_of(path)
        here = [part for part in folder.split("/") if part] + ([] if stem in _ROOTS else [stem])
        if names[0] == "crate":
            here = here[: here.index("src") + 1] if "src" in here else []
            names = names[1:]
        elif names[0] in self._crates:
            here = self._crates[names[0]]
            return self._file(here, names[1:]) or self._file(here, ["lib"])
        elif names[0] not in {"self", "super"}:
            return []
        while names and names[0] in {"self", "super"}:
            here = here[:-1] if names[0] == "super" else here
            names = names[1:]
        return self._file(here, names)

    def _file(self, here: Sequence[str], names: Sequence[str]) -> list[str]:
        """The file of the longest path of modules that is one."""
        for end in range(min(len(names), 20), 0, -1):
            base = "/".join([*here, *names[:end]])
            if found := [name for name in (f"{base}.rs", f"{base}/mod.rs") if name in self._paths]:
                return found[:1]
        return []


def _package_name(text: str) -> str | None:
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip()
        elif section == "[package]" and line.partition("=")[0].strip() == "name":
            return line.partition("=")[2].strip().strip("\"'")
    return None


LANGUAGE = Language(
    "Rust",
    "rs",
    grammars=(Grammar("rust", "tree_sitter_rust", ("rust",), exact=True),),
    exported=exported,
    docs=Docs(lines=(b"///",), blocks=(b"/**",)),
    resolver=RustImports,
)
