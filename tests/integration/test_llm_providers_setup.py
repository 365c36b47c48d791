"""What every provider needs before it can send: libraries, credentials, a region and a model."""

import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import anyio
import pytest

from fakes.messages_api import MessagesApi
from repowright_tools.errors import ModelError, NoApiKey, ProviderMissing
from repowright_tools.llm.clients import Clients
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.openai import OpenAIProvider
from repowright_tools.llm.policy import Endpoint, ModelPolicy
from repowright_tools.llm.provider import Usage
from support.google_account import google_account
from support.providers import MODEL, PROVIDERS, Subject, base_url, credentials, policy_of, word_request

__all__ = ["credentials", "google_account"]

pytestmark = pytest.mark.anyio


async def test_requests_at_once_share_the_client_of_their_key_and_no_other() -> None:
    made: list[str] = []

    class Client:
        def __init__(self, key: str) -> None:
            made.append(key)

        async def close(self) -> None:
            """Nothing to close."""

    clients = Clients(Client)
    async with anyio.create_task_group() as group:
        for key in ("one", "two", "one", "two"):
            group.start_soon(clients.of, key)

    assert sorted(made) == ["one", "two"]
    assert await clients.of("one") is await clients.of("one")


async def refusal_of(name: str) -> ModelError:
    """Why a request is not even sent."""
    with MessagesApi() as api:
        provider = PROVIDERS[name](policy_of(name, base_url(name, api.url)))
        failed = await Subject(name, api, provider).fail()
        assert await provider.count(word_request(), MODEL, provider.keys[0]) is None
        await provider.aclose()
        assert api.ledger == []
    assert (failed.blame, failed.may_pass, failed.billed) == ("request", False, Usage())
    return failed.failure


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [("bedrock", "boto3", "bedrock"), ("vertex", "google.auth", "vertex"), ("openai", "openai", "openai")],
)
async def test_a_library_that_is_not_installed_is_named_with_the_way_to_get_it(
    name: str, package: str, extra: str, credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    failure = await refusal_of(name)

    assert isinstance(failure, ProviderMissing)
    assert f"repowright[{extra}]" in failure.what_to_do


@pytest.mark.parametrize(("name", "variable"), [("bedrock", "AWS_REGION"), ("vertex", "CLOUD_ML_REGION")])
async def test_a_missing_region_is_named(
    name: str, variable: str, credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable)

    failure = await refusal_of(name)

    assert isinstance(failure, NoApiKey)
    assert variable in failure.what_to_do


async def test_missing_aws_credentials_are_named(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")  # the SDK keeps what it has found, by region

    assert isinstance(await refusal_of("bedrock"), NoApiKey)


async def test_missing_google_credentials_are_named(
    credentials: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))

    failure = await refusal_of("vertex")

    assert isinstance(failure, NoApiKey)
    assert "GOOGLE_APPLICATION_CREDENTIALS" in failure.what_to_do


@pytest.mark.parametrize(
    ("name", "models"),
    [
        ("anthropic", ("claude-opus-5-5", "claude-sonnet-5-5")),
        ("vertex", ("claude-opus-5-5", "claude-sonnet-5-5")),
        ("bedrock", ("global.anthropic.claude-opus-5-5", "global.anthropic.claude-sonnet-5-5")),
        ("openai", (None, None)),
    ],
)
def test_a_plan_is_asked_of_the_stronger_model(name: str, models: tuple[str | None, str | None]) -> None:
    provider = PROVIDERS[name](policy_of(name, None))

    assert (provider.default_model("plan"), provider.default_model("edits")) == models


@pytest.mark.parametrize("name", ["anthropic", "bedrock", "vertex"])
async def test_default_models_have_a_price(name: str) -> None:
    import genai_prices

    provider = PROVIDERS[name](policy_of(name, None))
    for ask in ("plan", "edits"):
        usage = genai_prices.Usage(input_tokens=1_000_000)
        model = provider.default_model(ask)
        assert model is not None
        assert genai_prices.calc_price(usage, model_ref=model, provider_id=provider.price_list).total_price > 0


@pytest.mark.parametrize(
    ("url", "prices"),
    [
        (None, "openai"),
        ("https://api.openai.com/v1", "openai"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("http://127.0.0.1:11434/v1", None),
        ("https://api.openai.com.example.org/v1", None),
    ],
)
def test_a_price_list_is_used_where_it_holds(url: str | None, prices: str | None) -> None:
    assert OpenAIProvider(policy_of("openai", url)).price_list == prices


def test_without_a_key_there_is_nothing_to_choose_from_unless_none_is_needed() -> None:
    def keys(name: str, endpoint: Endpoint) -> tuple[str, ...]:
        return PROVIDERS[name](ModelPolicy(name, endpoints={name: endpoint})).keys

    assert keys("anthropic", Endpoint()) == keys("openai", Endpoint()) == ()
    assert keys("bedrock", Endpoint()) == keys("vertex", Endpoint()) == ("",)
    assert keys("openai", Endpoint((), "http://127.0.0.1:11434/v1")) == ("",)
    assert keys("openai", Endpoint(("k",), "http://127.0.0.1:11434/v1")) == ("k",)


def test_importing_and_making_providers_loads_no_sdk() -> None:
    names = ", ".join(f"{provider.__name__}" for provider in PROVIDERS.values())
    imports = "\n".join(f"from {provider.__module__} import {provider.__name__}" for provider in PROVIDERS.values())
    program = (
        f"{imports}\nimport sys\nfrom repowright_tools.llm.policy import ModelPolicy\n"
        f"[make(ModelPolicy('x')) for make in ({names})]\n"
        "print([n for n in ('anthropic', 'openai', 'boto3', 'google.auth', 'httpx2') if n in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


async def test_a_library_that_is_broken_is_a_failure_that_costs_nothing_and_blames_no_key() -> None:
    def broken(key: str) -> NoReturn:
        raise OSError("a library of the system is gone")

    with pytest.raises(CallFailed, match="OSError") as raised:
        await Clients(broken).of("one")

    assert isinstance(raised.value.failure, ProviderMissing)
    assert (raised.value.blame, raised.value.may_pass, raised.value.billed) == ("request", False, Usage())
