"""A vocabulary that tests can write themselves, known to tiktoken as the encoding `tiny` by its plugin mechanism."""

import base64
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

from tiktoken.load import load_tiktoken_bpe

from repowright_tools.llm.vocabulary import Vocabulary

_ADDRESS = "http://127.0.0.1:9/tiny.tiktoken"
"""Where nothing is."""
_TOKENS = [bytes([byte]) for byte in range(256)] + [b"th", b"the"]
_CONTENT = b"".join(b"%s %d\n" % (base64.b64encode(token), rank) for rank, token in enumerate(_TOKENS))

TINY = Vocabulary("tiny", sha1(_ADDRESS.encode()).hexdigest(), sha256(_CONTENT).hexdigest())

asked: list[str] = []
"""Encodings that tiktoken was asked for: it fetches what is missing then."""


def write_vocabulary(folder: Path) -> Path:
    """Put the vocabulary where tiktoken caches it."""
    path = folder / TINY.file
    path.write_bytes(_CONTENT)
    return path


def _tiny() -> dict[str, Any]:
    asked.append("tiny")
    ranks = load_tiktoken_bpe(_ADDRESS, expected_hash=TINY.sha256)
    special = {"<|endoftext|>": len(ranks)}
    return {"name": "tiny", "pat_str": r"\S+|\s+(?!\S)|\s+", "mergeable_ranks": ranks, "special_tokens": special}


ENCODING_CONSTRUCTORS = {"tiny": _tiny}
