"""repowright serve: the MCP server."""

import argparse
import sys
from typing import TYPE_CHECKING

import anyio

from repowright_server.commands.exits import CANNOT, DONE
from repowright_server.settings import Settings, load_settings
from repowright_tools import PIPELINE

if TYPE_CHECKING:
    from repowright_tools.llm.choice import Choice

_KEYLESS = "host (the assistant in your IDE does the thinking) and scripted (replays a recording)"


def run(args: argparse.Namespace) -> int:
    roots = tuple(str(root.expanduser().resolve()) for root in args.allow_root)
    settings = load_settings(**({"allowed_roots": roots} if roots else {}))
    reason = cannot_start(settings)
    if reason is not None:
        sys.stderr.write(f"repowright: {reason}\n")
        return CANNOT
    from repowright_server.app import build_server
    from repowright_server.observability.logging import configure_logging
    from repowright_server.protocol.stdio import leave

    try:
        server = build_server(settings, read_only=args.read_only, closed=leave)
        configure_logging(settings.repowright_home, settings.log_level, settings.log_format)
    except OSError as error:
        sys.stderr.write(f"repowright: REPOWRIGHT_HOME cannot be used: {error}\n")
        return CANNOT
    anyio.run(server.run_stdio_async)
    return DONE


def cannot_start(settings: Settings) -> str | None:
    """Why a server with these settings would be of no use; None when it would."""
    from repowright_tools.llm.choice import choices, parse
    from repowright_tools.llm.factory import PROVIDERS, REMOTE

    provider = settings.llm_provider
    if provider not in PROVIDERS:
        return f"LLM_PROVIDER is {provider!r}, which is none of: {', '.join(PROVIDERS)}."
    if provider not in REMOTE:
        return None
    try:
        unknown = set(parse(settings.llm_model or provider)) - {"", *PIPELINE}
    except ValueError as error:
        return f"LLM_MODEL cannot be read: {error}."
    if unknown:
        return f"LLM_MODEL names {', '.join(sorted(unknown))}, which is none of: {', '.join(PIPELINE)}."
    asked = [each for stage in PIPELINE for each in choices(settings.llm_model, provider, stage, REMOTE)]
    return next(filter(None, (_missing(each, settings) for each in asked)), None)


def _missing(choice: "Choice", settings: Settings) -> str | None:
    """What a model that is asked cannot do without."""
    if choice.provider == "anthropic" and not settings.anthropic_api_key:
        return (
            "the provider anthropic is asked, but ANTHROPIC_API_KEY is not set.\n"
            f"Set it, or set LLM_PROVIDER to one that needs no key: {_KEYLESS}."
        )
    if choice.provider == "openai" and not (settings.openai_api_key or settings.openai_base_url):
        return "the provider openai is asked: set OPENAI_API_KEY, or OPENAI_BASE_URL to an endpoint that needs no key."
    if choice.provider == "openai" and settings.llm_model is None:
        return "the provider openai is asked: set LLM_MODEL to a model of that endpoint."
    return None
