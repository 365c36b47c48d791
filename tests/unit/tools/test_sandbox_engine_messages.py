"""What is said of a Docker engine that does not answer: one sentence, without the libraries' wrapping."""

import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import anyio
import pytest

from repowright_tools.errors import SandboxError, SandboxUnreachable
from repowright_tools.sandbox.engine import Engine

pytestmark = pytest.mark.anyio


async def said_by(host: str, kind: type[SandboxError] = SandboxUnreachable) -> str:
    with anyio.fail_after(10), pytest.raises(kind) as caught:
        await Engine(host).api()
    message = str(caught.value)
    assert "\n" not in message
    for noise in ("HTTPConnectionPool", "Max retries", "urllib3", "object at 0x", "Errno"):
        assert noise not in message
    return message


@pytest.fixture
def hanging_up() -> Iterator[str]:
    """A server that ends every connection without a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


async def test_a_refused_connection_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert (await said_by(f"tcp://127.0.0.1:{port}")).endswith("Connection refused")


async def test_a_socket_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    assert (await said_by(f"unix://{tmp_path}/nobody.sock")).endswith("No such file or directory")


async def test_a_connection_that_is_cut_is_one_sentence(hanging_up: str) -> None:
    assert (await said_by(hanging_up)).endswith("the connection failed")


async def test_an_address_that_is_none_is_named() -> None:
    assert "protocol" in await said_by("bogus://nowhere")
