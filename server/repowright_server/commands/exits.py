"""Exit codes of the commands."""

DONE = 0
NO = 1
"""The command worked, and the answer is no."""
CANNOT = 2
"""The command could not start, or was used wrongly."""
