"""The command `tally`."""

import argparse
import sys
from pathlib import Path

from tally.report import as_json, as_table
from tally.stats import summarise


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="tally", description="Statistics of plain text.")
    parser.add_argument("file", nargs="?", type=Path, help="the text; standard input by default")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: what follows the command's name; those of this process by default.

    Returns:
        The exit code: 0, or 1 when the file cannot be read.
    """
    options = build_parser().parse_args(arguments)
    try:
        text = options.file.read_text(encoding="utf-8") if options.file else sys.stdin.read()
    except OSError as error:
        print(f"tally: {options.file}: {error.strerror}", file=sys.stderr)
        return 1
    summary = summarise(text)
    print(as_json(summary) if options.json else as_table(summary))
    return 0
