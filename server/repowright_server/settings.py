"""Settings: environment variables, or the server's own `.env` in REPOWRIGHT_HOME.

Never a file of an analysed repository.
`.env.example` is generated from this model: `python -m repowright_server.settings > .env.example`.
"""

import ast
import os
import re
import textwrap
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeGuard
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from repowright_tools import DELIVERY


def _split(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _bytes(value: Any) -> Any:
    """`512m` and `1.5g` as Docker writes them, or a plain number of bytes."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kmg]?)b?", value.strip().lower())
    if found is None:
        raise ValueError("give a number of bytes, or one with k, m or g behind it, such as 512m")
    return int(float(found[1]) * _UNITS[found[2]])


def _stages(names: tuple[str, ...]) -> tuple[str, ...]:
    if set(names) - set(DELIVERY):
        raise ValueError(f"give stages of {', '.join(DELIVERY)}")  # a misspelt pause would be none
    return names


def _web_address(value: str) -> str:
    with suppress(ValueError):  # as of a port that is no number, which only its use shows
        parts = urlsplit(value)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return value
    raise ValueError("give an http or https address, such as https://HOST/path")


def _indexes(values: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    from repowright_tools.sandbox.indexes import operators_indexes

    try:
        operators_indexes({tool: url for tool, _, url in (value.get_secret_value().partition("=") for value in values)})
    except ValueError:  # its words could hold a password
        raise ValueError("give pip=URL, npm=URL or go=URL, each an http(s) address") from None
    return values


def _services(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        from repowright_tools.sandbox.services import declared_services

        declared_services(value.get_secret_value())
    return value


List = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Folder = Annotated[Path, AfterValidator(Path.expanduser)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Size = Annotated[int, BeforeValidator(_bytes)]


def home_folder() -> Path:
    """REPOWRIGHT_HOME, which must be known before the settings file inside it can be read."""
    return Path(os.environ.get("REPOWRIGHT_HOME") or "~/.repowright").expanduser()


class Settings(BaseSettings):
    """Everything an operator can set. Names are those of the environment variables, in capitals."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    llm_provider: str = "anthropic"
    """Who thinks: `anthropic`; `bedrock` or `vertex`, Claude by those clouds' own credentials; `openai`, any compatible
    endpoint; `host`, the assistant in your IDE (no key); `scripted`, a recording (no key)."""
    llm_model: str | None = None
    """Model of the provider; unset, each stage has a sensible one. `MODEL,plan_feature=OTHER` names another one for a
    stage, `MODEL|OTHER` one that stands in while the first cannot answer (`openai:OTHER`: of another provider). For
    `scripted`: path of the recording."""
    llm_max_tokens: int = Field(default=32_000, ge=256, le=200_000)
    """Most tokens one answer may have."""
    llm_timeout: float = Field(default=300.0, gt=0)
    """Seconds without a byte after which a model call is given up."""
    anthropic_api_key: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)] = ()
    """API key of the provider `anthropic`; several, separated by commas, are used together. Limits are counted for
    each organisation, so that keys of one organisation add nothing to them."""
    anthropic_base_url: WebAddress | None = None
    """Where the Messages API is, when not at its usual place."""
    openai_api_key: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)] = ()
    """API key of the provider `openai`; not needed where OPENAI_BASE_URL is an endpoint without keys."""
    openai_base_url: WebAddress | None = None
    """A compatible endpoint, such as http://localhost:11434/v1 for Ollama; unset, OpenAI's own."""
    max_run_cost_usd: float | None = Field(default=None, gt=0)
    """Most a run may cost, in US dollars; unset means no limit. A call that could exceed it is not made."""
    max_call_input_tokens: int = Field(default=150_000, ge=1_000)
    """Most tokens a prompt may have; longer context is shortened, least important part first."""
    max_retries: int = Field(default=4, ge=0, le=20)
    """Times a failed model call is repeated, for failures that may pass; 0 means never."""
    rate_limit_max_calls: int | None = Field(default=None, ge=1)
    """Requests in RATE_LIMIT_PERIOD to endpoints whose answers tell no limits; unset, as many as there are."""
    rate_limit_period: float = Field(default=60.0, gt=0)
    """Seconds that RATE_LIMIT_MAX_CALLS is counted over."""
    retry_initial_wait: float = Field(default=1.0, gt=0)
    """Seconds before the first repetition; doubles from there, with jitter."""
    retry_max_wait: float = Field(default=60.0, gt=0)
    """Longest wait in seconds, for capacity or before a repetition; where a longer one is needed the attempt ends, and
    can be resumed later."""
    cache_enabled: bool = False
    """Whether accepted answers of the model are kept, so that the same request is not paid for again."""
    cache_ttl: float = Field(default=7 * 86_400.0, gt=0)
    """Seconds for which a kept answer is good."""
    cache_size_limit: Annotated[Size, Field(ge=1 << 20)] = 256 << 20
    """Most bytes of kept answers (k, m and g are understood); those not used for longest go first."""

    github_token: SecretStr | None = None
    """Token for clones, pushes and pull requests on the forge; needs contents and pull requests: write."""
    github_base_url: WebAddress = "https://api.github.com"
    """REST API of the forge; for GitHub Enterprise `https://HOST/api/v3`."""
    allowed_repositories: List = ()
    """Repositories that may be pushed to, separated by commas: owner/name, host/owner/name, or the absolute path
    of a bare repository inside ALLOWED_ROOTS. Empty: nothing may be pushed."""
    allowed_roots: List = ()
    """Folders that local repositories may lie in, separated by commas; unset, the work tree the server starts in."""
    allowed_clone_hosts: List = ()
    """Hosts that may be cloned from, separated by commas; unset, github.com and the forge."""
    git_user_name: str = "Repowright"
    """Author of generated commits."""
    git_user_email: str = "repowright@users.noreply.github.com"
    """Address of that author."""
    approval_policy: Literal["ask", "auto"] = "ask"
    """`ask`: nothing leaves the machine without the operator's yes; `auto`: the operator has said yes in advance."""
    breakpoints: Annotated[List, AfterValidator(_stages)] = ()
    """Stages after which a run pauses until the operator says to go on, separated by commas."""

    repowright_home: Folder = Path("~/.repowright").expanduser()
    """Folder of the state, the logs and the server's own .env; private to you (0700)."""
    workspace_base_path: Folder | None = None
    """Folder of the runs' private clones; unset, `workspaces` in REPOWRIGHT_HOME."""
    max_workspace_size: Size = 2 << 30
    """Most bytes a clone may have; k, m and g are understood."""
    database_url: str | None = None
    """SQLAlchemy URL of the state; unset, a SQLite file in REPOWRIGHT_HOME."""
    max_concurrent_tasks: int = Field(default=4, ge=1, le=64)
    """Stages one server runs at a time; more are queued."""
    wait_s: float = Field(default=45.0, ge=0, le=600)
    """Seconds a tool call waits for its result before it answers with the run_id; below the client's own timeout."""
    workflow_timeout: float = Field(default=3600.0, gt=0)
    """Seconds one attempt of a stage may take."""

    sandbox_backend: Literal["docker"] = "docker"
    """What tests run in. There is no fallback to a weaker one."""
    sandbox_image: str = "python:3.11-slim"
    """Base image of the sandbox; the engine must have it already, it is never pulled."""
    sandbox_memory: Annotated[Size, Field(ge=32 << 20)] = 1 << 30
    """Memory of a test run in bytes; k, m and g are understood."""
    sandbox_cpus: float = Field(default=2.0, gt=0)
    """Processors of a test run."""
    sandbox_pids: int = Field(default=256, ge=16)
    """Processes and threads of a test run."""
    testing_timeout: float = Field(default=3600.0, gt=0)
    """Most seconds any test run may take, whatever its `timeout_s` asks for."""
    sandbox_ca_bundle: Folder | None = None
    """CA certificates (PEM file) that the install phase trusts, for networks behind a TLS proxy."""
    sandbox_indexes: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split), AfterValidator(_indexes)] = ()
    """Package indexes of your own, separated by commas: pip=URL, npm=URL, go=URL, with user and password where needed.
    Installations reach these and the public indexes, and nothing else; they never see the password."""
    sandbox_index_hosts: List = ()
    """Further hosts that installations may reach over https, separated by commas."""
    sandbox_services: Annotated[SecretStr | None, AfterValidator(_services)] = None
    """Databases and caches beside the tests: a JSON object that gives each name its image and port, and where needed
    command, environment, tmpfs, healthcheck, test_environment (see the README). No repository can add to it."""
    sandbox_runtime: str | None = None
    """A stronger runtime that the engine has, such as runsc; unset, its own. There is no fallback from it."""
    docker_host: str | None = None
    """Engine to use, as for the docker command; unset, the local one."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe entries that are logged."""
    log_format: Literal["json", "console"] = "json"
    """`json`, one object a line, or `console` for eyes."""


class SettingsInvalid(Exception):
    """A setting has a value that it cannot have; the message names it and never shows the value."""


def load_settings(**overrides: Any) -> Settings:
    """Read the environment and REPOWRIGHT_HOME/.env; `overrides` (by field name) win over both.

    Raises:
        SettingsInvalid: with one line for each setting that is wrong.
    """
    from pydantic import ValidationError

    home = home_folder()
    try:
        values: dict[str, Any] = {"_env_file": home / ".env", "repowright_home": home}
        return Settings(**(values | overrides))
    except ValidationError as error:
        lines = [f"{'.'.join(str(part) for part in each['loc']).upper()}: {each['msg']}" for each in error.errors()]
        raise SettingsInvalid("\n".join(lines)) from None


def meanings() -> dict[str, str]:
    """The docstring under each field. Read from the source: having pydantic do it would cost every start 10 ms."""
    (body,) = (node.body for node in ast.walk(ast.parse(Path(__file__).read_text("utf-8"))) if _is_settings(node))
    texts = {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
    return {name: texts.get(name, "") for name in Settings.model_fields}


def _is_settings(node: ast.AST) -> TypeGuard[ast.ClassDef]:
    return isinstance(node, ast.ClassDef) and node.name == Settings.__name__


def env_example() -> str:
    """The text of `.env.example`: every setting with its meaning and default, commented out."""
    said = meanings()
    lines = ["# Copy what you need to .env in REPOWRIGHT_HOME (default ~/.repowright), or use the environment."]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if default in (None, ()) else default
        if name == "repowright_home":
            shown = "~/.repowright"
        lines += ["", *textwrap.wrap(f"# {said[name]}", 118, subsequent_indent="# ")]
        lines.append(f"#{name.upper()}={shown}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(env_example())

__all__ = ["Settings", "SettingsInvalid", "env_example", "home_folder", "load_settings"]
