"""Structured logs on stderr and in a daily file under REPOWRIGHT_HOME/logs, with secrets redacted. Never on stdout."""

import logging
import os
import sys
from collections.abc import MutableMapping
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path
from typing import Any, Literal

import structlog

from repowright_tools.secrets import redact

KEPT_DAYS = 14

Entry = MutableMapping[str, Any]


def logger(name: str) -> Any:
    """A structlog logger; before `configure_logging` it follows the standard library's defaults."""
    return structlog.stdlib.get_logger(name)


def configure_logging(home: Path, level: str, style: Literal["json", "console"], *, quiet: bool = False) -> None:
    """Send the logs, the libraries' too, to stderr (`quiet`: nothing but disasters) and to the daily file."""
    chain: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *chain, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_handler(logging.StreamHandler(sys.stderr), style, chain)]
    if quiet:
        root.handlers[0].setLevel(logging.CRITICAL)
    root.handlers.append(_handler(_daily_file(home / "logs"), "json", chain))
    root.setLevel(level)
    for chatty in ("httpx2", "httpcore2", "urllib3", "git", "docker", "mcp"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def _handler(handler: logging.Handler, style: str, chain: list[Any]) -> logging.Handler:
    renderer = (
        structlog.processors.JSONRenderer(default=str)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    processors = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=processors, foreign_pre_chain=chain))
    return handler


def _daily_file(folder: Path) -> logging.Handler:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "repowright.log"
    os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
    return TimedRotatingFileHandler(
        path, when="midnight", backupCount=KEPT_DAYS, utc=True, encoding="utf-8", delay=True
    )


def _redact(_logger: Any, _method: str, entry: Entry) -> Entry:
    for name, value in entry.items():
        if isinstance(value, str):
            entry[name] = redact(value)
        elif isinstance(value, dict | list | tuple | Exception):
            entry[name] = redact(str(value))  # pyright: ignore[reportUnknownArgumentType] - whatever a caller logged
    return entry
