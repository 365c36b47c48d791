"""Services beside the tests, as the operator declares them: a database, a cache, a queue.

The declaration is the operator's alone. What a repository says that it needs starts nothing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

MOST_SERVICES = 8
_EXAMPLE = '{"redis": {"image": "redis:7", "port": 6379, "test_environment": {"REDIS_URL": "redis://redis:6379"}}}'
_OCCUPIED = ("/", "/tmp", "/dev")  # noqa: S108 - paths of the service's container
_OCCUPIED_BELOW = ("proc", "sys", "work")


def _folder(path: str) -> str:
    parts = PurePosixPath(path).parts
    if path in _OCCUPIED or parts[:1] != ("/",) or parts[1] in _OCCUPIED_BELOW or ".." in parts:
        taken = ", ".join((*_OCCUPIED, *(f"/{each}" for each in _OCCUPIED_BELOW)))
        raise ValueError(f"give an absolute folder other than {taken}")
    if re.search(r"[:,\s\0]", path):  # the engine would read options from it
        raise ValueError("give a folder without spaces, colons and commas")
    return str(PurePosixPath(path))


Name = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Folder = Annotated[str, AfterValidator(_folder)]


class Service(BaseModel):
    """One service. The names are those that a compose file uses, as far as it has them.

    Attributes:
        image: what the engine calls it; used by digest and never pulled. It needs `timeout` and `cat`, which coreutils
            and busybox have, and a program that runs as nobody (uid 65534).
        port: TCP port; the tests start when something listens there, and reach it by the service's name.
        command: arguments in place of the image's own; its entry point stays.
        environment: of the service.
        tmpfs: folders that the service writes, beside /tmp and those that its image declares as volumes. They live in
            memory; nothing else of the image can be written.
        healthcheck: command that is run in the service until it exits with 0, for one that listens before it is ready.
        test_environment: what tells the tests of the service, such as DATABASE_URL. They see every value of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    image: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][\w.:/@-]*$")]
    port: Annotated[int, Field(ge=1, le=65_535)]
    command: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    environment: dict[Variable, Text] = {}
    tmpfs: Annotated[tuple[Folder, ...], Field(max_length=20)] = ()
    healthcheck: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    test_environment: dict[Variable, Text] = {}


_DECLARED = TypeAdapter(Annotated[dict[Name, Service], Field(max_length=MOST_SERVICES)])


def declared_services(text: str) -> dict[str, Service]:
    """The services of a declaration (SANDBOX_SERVICES), by the name that tests reach them by.

    Raises:
        ValueError: with the places that are wrong and what they may be, but none of their values: they hold passwords.
    """
    try:
        services = _DECLARED.validate_json(text)
    except ValidationError as error:
        said = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
        raise ValueError(f"{'; '.join(said).removeprefix(': ')}. Give a JSON object such as {_EXAMPLE}") from None
    if wrong := list(_conflicts(services)):
        raise ValueError("; ".join(wrong))
    return services


def known_by(services: Mapping[str, Service]) -> str:
    """A digest of a declaration; empty when nothing is declared. Whoever has it can try out weak passwords."""
    if not services:
        return ""
    declared = {name: service.model_dump() for name, service in services.items()}
    return sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()


def _conflicts(services: dict[str, Service]) -> Iterator[str]:
    """What would make one service stand in another one's way: they share one network with the tests."""
    if "localhost" in services:
        yield "localhost: give the service a name of its own"
    for port in _repeated(each.port for each in services.values()):
        yield f"port {port} is taken by two services; make one of them listen at another port"
    for name in _repeated(name for each in services.values() for name in each.test_environment):
        yield f"test_environment.{name} is given by two services; give it once"


def _repeated(values: Iterable[int | str]) -> list[int | str]:
    return [value for value, count in Counter(values).items() if count > 1]
