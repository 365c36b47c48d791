"""The tools as a client sees them, read from the generated files."""

from functools import cache
from pathlib import Path

from mcp.types import Tool

from repowright_server.protocol.run_tools import RUN_TOOLS
from repowright_tools import PIPELINE

FOLDER = Path(__file__).parent / "published"


@cache
def published_tools() -> list[Tool]:
    """All tools, in order."""
    names = [*PIPELINE, *RUN_TOOLS]
    return [Tool.model_validate_json((FOLDER / f"{name}.json").read_bytes()) for name in names]
