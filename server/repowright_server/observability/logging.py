"""Structured logs on stderr and in a daily file under REPOWRIGHT_HOME/logs, with secrets redacted. Never on stdout.

structlog is imported when the first entry is written: a server that starts has nothing to say yet.
"""

import logging
import os
import sys
from collections.abc import MutableMapping
from functools import cache, cached_property
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path
from typing import Any, Literal

from repowright_tools.secrets import redact

KEPT_DAYS = 14
_CHATTY = ("httpx2", "httpcore2", "urllib3", "git", "docker", "mcp")

Entry = MutableMapping[str, Any]
Style = Literal["json", "console"]


def logger(name: str) -> Any:
    """A structlog logger."""
    return _structlog().stdlib.get_logger(name)


def configure_logging(home: Path, level: str, style: Style, *, quiet: bool = False) -> None:
    """Send the logs, the libraries' too, to stderr (`quiet`: nothing but disasters) and to the daily file."""
    screen = logging.StreamHandler(sys.stderr)
    screen.setFormatter(_Formatter(style))
    if quiet:
        screen.setLevel(logging.CRITICAL)
    file = _daily_file(home / "logs")
    file.setFormatter(_Formatter("json"))
    root = logging.getLogger()
    root.handlers[:] = [screen, file]
    root.setLevel(level)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


class _Formatter(logging.Formatter):
    """structlog's formatter, made when it is first needed."""

    def __init__(self, style: Style) -> None:
        super().__init__()
        self._look: Style = style

    @cached_property
    def _real(self) -> logging.Formatter:
        structlog = _structlog()
        renderer = (
            structlog.processors.JSONRenderer(default=str)
            if self._look == "json"
            else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        )
        made: logging.Formatter = structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=_chain(structlog),
        )
        return made

    def format(self, record: logging.LogRecord) -> str:
        return self._real.format(record)


@cache
def _structlog() -> Any:
    import structlog

    formatter = structlog.stdlib.ProcessorFormatter
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_chain(structlog), formatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return structlog


def _chain(structlog: Any) -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]


def _daily_file(folder: Path) -> logging.Handler:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # each by itself: parents would get the default mode
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "repowright.log"
    os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
    return TimedRotatingFileHandler(path, "midnight", backupCount=KEPT_DAYS, utc=True, encoding="utf-8", delay=True)


def _redact(_logger: Any, _method: str, entry: Entry) -> Entry:
    for name, value in entry.items():
        if isinstance(value, str):
            entry[name] = redact(value)
        elif isinstance(value, dict | list | tuple | Exception):
            entry[name] = redact(str(value))  # pyright: ignore[reportUnknownArgumentType] - whatever a caller logged
    return entry
