"""The vocabulary of a tokeniser, where it is on the machine already. Nothing is downloaded."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tiktoken

_LARGEST_FILE = 64_000_000
_PIECE = 100_000
"""Characters that are counted at a time: tiktoken 0.14 panics at a million spaces, and not yet at 400,000."""


@dataclass(frozen=True)
class Vocabulary:
    """Where tiktoken keeps the vocabulary of an encoding.

    Attributes:
        encoding: tiktoken's name for it.
        file: its name in tiktoken's cache folder: SHA-1 of the address that it is published at.
        sha256: what the file must hash to.
    """

    encoding: str
    file: str
    sha256: str


O200K_BASE = Vocabulary(
    "o200k_base",
    "fb374d419588a4632f3f557e76b4b70aebbca790",
    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
)


def load_counter(vocabulary: Vocabulary) -> Callable[[str], int] | None:
    """What counts the tokens of a text; None when the vocabulary is not on the machine. Takes some 0.4 s.

    tiktoken is asked only when the whole file is there: it would fetch a missing one, and replace a damaged one.
    """
    if not _is_cached(vocabulary):
        return None
    import tiktoken

    try:
        encoding = tiktoken.get_encoding(vocabulary.encoding)
    except Exception:  # the file has gone since; what tiktoken raises then depends on the network
        return None
    return lambda text: _count(encoding, text)


def _count(encoding: "tiktoken.Encoding", text: str) -> int:
    # Ordinary: names of special tokens in a text are text.
    pieces = (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
    return sum(len(encoding.encode_ordinary(piece)) for piece in pieces)


def _is_cached(vocabulary: Vocabulary) -> bool:
    folder = _cache_folder()
    if folder is None:
        return False
    path = folder / vocabulary.file
    try:
        # The default folder is open to all users of the machine: no pipe and no endless file is read there.
        if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
            return False
        return sha256(path.read_bytes()).hexdigest() == vocabulary.sha256
    except OSError:
        return False


def _cache_folder() -> Path | None:
    """Where tiktoken looks; None when it is told to keep nothing."""
    for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        folder = os.environ.get(name)
        if folder is not None:
            return Path(folder) if folder else None
    return Path(tempfile.gettempdir()) / "data-gym-cache"
