"""SANDBOX_SERVICES: what an operator may declare beside the tests, and what is refused at the start."""

import json
from typing import Any

import pytest

from repowright_server.adapters import Adapters
from repowright_server.settings import SettingsInvalid, load_settings
from repowright_tools.sandbox.services import MOST_SERVICES, declared_services, known_by

CACHE = {"image": "redis:7", "port": 6379}
PASSWORD = "a-password-of-mine"


def test_a_service_needs_no_more_than_an_image_and_a_port() -> None:
    (cache,) = declared_services(json.dumps({"cache": CACHE})).values()

    assert (cache.image, cache.port) == ("redis:7", 6379)
    assert not any((cache.command, cache.environment, cache.tmpfs, cache.healthcheck, cache.test_environment))


def test_all_that_a_service_may_say_reaches_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = CACHE | {
        "image": "registry.example:5000/library/redis:7@sha256:" + "0" * 64,
        "command": ["redis-server", "--save", ""],
        "environment": {"REDIS_PASSWORD": PASSWORD},
        "tmpfs": ["/var/lib/redis", "/dev/shm"],
        "healthcheck": ["redis-cli", "ping"],
        "test_environment": {"REDIS_URL": f"redis://:{PASSWORD}@cache:6379/0"},
    }
    monkeypatch.setenv("SANDBOX_SERVICES", json.dumps({"cache": whole}))

    settings = load_settings()

    assert Adapters(settings).services()["cache"].model_dump(mode="json") == whole
    assert PASSWORD not in repr(settings)


def test_without_a_declaration_there_are_no_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_SERVICES", "")

    assert Adapters(load_settings()).services() == {}


WRONG: list[tuple[str, Any, str]] = [
    ("no JSON", "cache=redis:7", "Invalid JSON"),
    ("a list", [CACHE], "should be an object"),
    ("no image", {"cache": {"port": 6379}}, "cache.image: Field required"),
    ("no port", {"cache": {"image": "redis"}}, "cache.port: Field required"),
    ("a key that is misspelt", {"cache": CACHE | {"enviroment": {}}}, "cache.enviroment"),
    ("a port as a text", {"cache": CACHE | {"port": "6379"}}, "cache.port"),
    ("a port that there is not", {"cache": CACHE | {"port": 65_536}}, "cache.port"),
    ("a name that is no host's", {"my cache": CACHE}, "my cache"),
    ("a name that would be a line of its own", {"cache\n10.0.0.1 host": CACHE}, "cache"),
    ("the name of the box itself", {"localhost": CACHE}, "localhost: give the service a name of its own"),
    ("an image that is an option", {"cache": CACHE | {"image": "--privileged"}}, "cache.image"),
    ("a command line", {"cache": CACHE | {"command": "redis-server"}}, "cache.command"),
    ("the root as a folder", {"cache": CACHE | {"tmpfs": ["/"]}}, "cache.tmpfs.0"),
    ("a folder of the kernel", {"cache": CACHE | {"tmpfs": ["/proc"]}}, "cache.tmpfs.0"),
    ("a folder of the tests", {"cache": CACHE | {"tmpfs": ["/work/repo"]}}, "cache.tmpfs.0"),
    ("a folder with options", {"cache": CACHE | {"tmpfs": ["/data:exec,size=9g"]}}, "cache.tmpfs.0"),
    ("a folder that climbs", {"cache": CACHE | {"tmpfs": ["/data/../etc"]}}, "cache.tmpfs.0"),
    ("a variable that is none", {"cache": CACHE | {"environment": {"A=B": "c"}}}, "cache.environment"),
    ("a variable that is a number", {"cache": CACHE | {"environment": {"A": 1}}}, "cache.environment.A"),
    ("one port twice", {"a": CACHE, "b": CACHE}, "port 6379 is taken by two services"),
    (
        "one variable twice",
        {
            "a": CACHE | {"test_environment": {"URL": "x"}},
            "b": CACHE | {"port": 1, "test_environment": {"URL": "y"}},
        },
        "test_environment.URL is given by two services",
    ),
    ("too many", {f"s{n}": CACHE | {"port": n + 1} for n in range(MOST_SERVICES + 1)}, f"at most {MOST_SERVICES}"),
]


@pytest.mark.parametrize(("declared", "said"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
def test_what_cannot_be_right_is_named_at_the_start(declared: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_SERVICES", declared if isinstance(declared, str) else json.dumps(declared))

    with pytest.raises(SettingsInvalid, match="SANDBOX_SERVICES") as refused:
        load_settings()

    assert said in str(refused.value)


def test_a_refusal_shows_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """K02"""
    wrong = CACHE | {
        "environment": {"A": PASSWORD + "\0"},
        "tmpfs": [PASSWORD],
        "image": f"-{PASSWORD}",
        "port": PASSWORD,
    }
    monkeypatch.setenv("SANDBOX_SERVICES", json.dumps({"cache": wrong}))

    with pytest.raises(SettingsInvalid) as refused:
        load_settings()

    assert "cache.environment.A" in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_another_declaration_is_known_by_something_else_and_none_by_nothing() -> None:
    first, second = ({"cache": CACHE | {"image": image}} for image in ("redis:7", "redis:8"))

    digests = {known_by(declared_services(json.dumps(each))) for each in (first, first, second)}

    assert len(digests) == 2
    assert known_by({}) == ""
