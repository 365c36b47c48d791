"""How much of a repository is looked at. Whatever a limit leaves out is counted or warned of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on one index. The defaults let a repository of 37,000 files through whole.

    Attributes:
        files: files that are opened; source code goes first.
        file_bytes: size of one file that is read at all.
        parse_bytes: size of one file that is parsed in full.
        parse_total_bytes: source that is parsed in full, in all.
        tags_bytes: size of one file of which only the definitions are kept; a tree takes up to 136 bytes a byte.
        tags_total_bytes: source that is parsed in any way, in all.
        search_total_bytes: text that enters the search index; of the rest, only paths and symbols do.
        answer_bytes: what a parser may say of a batch of files, or else of one.
        parse_deadline_s: seconds a batch of files may take before its process is killed.
        exclude_deadline_s: seconds that matching the caller's patterns may take.
    """

    files: int = 50_000
    file_bytes: int = 2 * 1024 * 1024
    parse_bytes: int = 512 * 1024
    parse_total_bytes: int = 96 * 1024 * 1024
    tags_bytes: int = 1024 * 1024
    tags_total_bytes: int = 192 * 1024 * 1024
    search_total_bytes: int = 64 * 1024 * 1024
    answer_bytes: int = 64 * 1024 * 1024
    parse_deadline_s: float = 10
    exclude_deadline_s: float = 20
