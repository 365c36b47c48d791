"""Ruby."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from posixpath import normpath

from repowright_tools.index.languages.language import Docs, Grammar, Language, Sources
from repowright_tools.index.paths import folder_of, name_of


def exported(name: str, head: str, within: str, access: str) -> bool:
    """What no `private` or `protected` stands above or before; that does not apply to methods of the class itself."""
    return access not in {"private", "protected"} or "self." in head


class Requires:
    """`require_relative "x"` (seen as `./x`) from the file's folder; `require "a/b"` from a `lib`, then any folder."""

    def __init__(self, sources: Sources) -> None:
        self._paths = sources.files.keys()
        self._by_name: defaultdict[str, list[str]] = defaultdict(list)
        for path in sorted(path for path, (grammar, _) in sources.files.items() if grammar == "ruby"):
            self._by_name[name_of(path)].append(path)

    def resolve(self, path: str, target: str) -> Sequence[str]:
        name = target if target.endswith(".rb") else f"{target}.rb"
        if name.startswith("."):
            beside = normpath(f"{folder_of(path) or '.'}/{name}")
            return [beside] if beside in self._paths else []
        found = [other for other in self._by_name.get(name_of(name), ()) if f"/{other}".endswith(f"/{name}")]
        in_lib = [other for other in found if f"/{other}".endswith(f"/lib/{name}")]
        return in_lib[:1] or (found[:1] if "/" in name or len(found) == 1 else [])


LANGUAGE = Language(
    "Ruby",
    "rb rake gemspec ru",
    "rakefile gemfile guardfile vagrantfile",
    grammars=(Grammar("ruby", "tree_sitter_ruby", ("ruby",)),),
    exported=exported,
    docs=Docs(lines=(b"#",)),
    resolver=Requires,
)
