"""C++."""

from repowright_tools.index.languages.c import Includes
from repowright_tools.index.languages.language import Docs, Grammar, Language


def exported(name: str, head: str, within: str, access: str) -> bool:
    """Public members, and elsewhere whatever is not `static`."""
    if within in {"class", "struct"}:
        return access == "public" if access else within == "struct"
    return "static" not in head.split()


LANGUAGE = Language(
    "C++",
    "cc cpp cxx hh hpp hxx",
    grammars=(Grammar("cpp", "tree_sitter_cpp", ("c", "cpp"), extensions="cc cpp cxx hh hpp hxx h"),),
    family="c",
    exported=exported,
    docs=Docs(lines=(b"//",), blocks=(b"/*",)),
    resolver=Includes,
)
