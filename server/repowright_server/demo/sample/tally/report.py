"""Figures as text for people and for programs."""

import json
from dataclasses import asdict

from tally.stats import Summary


def as_table(summary: Summary) -> str:
    """Lay the figures out for people.

    Args:
        summary: the figures.

    Returns:
        One line a figure.
    """
    rows = [(name.replace("_", " "), value) for name, value in asdict(summary).items()]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}} {value}" for name, value in rows)


def as_json(summary: Summary) -> str:
    """Lay the figures out for programs.

    Args:
        summary: the figures.

    Returns:
        A JSON object.
    """
    return json.dumps(asdict(summary), indent=2)
