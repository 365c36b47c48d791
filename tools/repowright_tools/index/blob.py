"""What the bytes of a file are known by."""

from hashlib import sha1


def blob_id(data: bytes) -> bytes:
    """The id that git gives these bytes as a blob (SHA-1, also where a repository uses another)."""
    return sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).digest()
