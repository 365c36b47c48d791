"""Writes the README's generated part: the table of the tools, from what the server publishes of them.

`python -m repowright_server.commands.readme`, part of `make generate`; a test sees that it is fresh.
"""

import re
from pathlib import Path

from repowright_server.protocol.published import published_tools

README = Path(__file__).parents[3] / "README.md"
_PART = re.compile(r"(<!-- tools:begin -->\n).*?(<!-- tools:end -->)", re.DOTALL)


def tools_table() -> str:
    """One row a tool: its name, what its description says first, and what it may do."""
    rows = ["| Tool | What it does | Reads only | Reaches out |", "| --- | --- | --- | --- |"]
    for tool in published_tools():
        said = re.split(r"(?<=\.)\s", " ".join((tool.description or "").split()))[0]
        hints = tool.annotations
        reads, reaches = (hints.read_only_hint, hints.open_world_hint) if hints is not None else (None, None)
        rows.append(f"| `{tool.name}` | {said} | {'yes' if reads else 'no'} | {'yes' if reaches else 'no'} |")
    return "\n".join(rows) + "\n"


def with_table(text: str) -> str:
    """The README's text with a fresh table."""
    return _PART.sub(lambda found: f"{found[1]}{tools_table()}{found[2]}", text)


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
