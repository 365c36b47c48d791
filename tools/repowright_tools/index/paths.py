"""Paths of any bytes as text: readable, injective, and always valid JSON."""


def shown(path: bytes) -> str:
    r"""The path as every result spells it.

    Printable UTF-8 stays as it is. A backslash is doubled; control characters, bidirectional overrides, zero-width
    characters and the like become `\xNN` below U+0080 and `\uNNNN` or `\UNNNNNNNN` above; a byte that is not UTF-8
    becomes `\xNN`, which is at least `\x80` and so never meets a control character's spelling. Two different paths
    never look the same to a program.
    """
    text = path.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(_escaped(character) for character in text)


def folder_of(path: str) -> str:
    """The folder part of a shown path; empty for the root."""
    return path.rpartition("/")[0]


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def stem_of(path: str) -> str:
    """The file name up to its last dot; a dotfile is its own stem."""
    name = name_of(path)
    return name.rpartition(".")[0] or name


def _escaped(character: str) -> str:
    code = ord(character)
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    if 0xDC80 <= code <= 0xDCFF:  # what surrogateescape makes of the byte code - 0xDC00
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
