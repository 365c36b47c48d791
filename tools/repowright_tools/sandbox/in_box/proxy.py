"""The only way out of an installation: a forward proxy that knows package indexes and nothing else.

It is told in a file of JSON, its one argument: `listen` (an address), `port`, `log` (a file for what it refused),
`hosts` (names that may be tunnelled to, on port 443), `indexes` (an operator's own, see `Index.order`) and `trust` (a
file of certificates, or null). It listens before its first process ends, so that who waits for that can
connect. An operator's index is spoken to in plain HTTP, which becomes TLS with the operator's credentials here: the
installation never has them.

A name is looked up once, and what is connected to is the address that was checked, so that a name that changes its
mind reaches nothing. Special ranges: https://www.iana.org/assignments/iana-ipv4-special-registry and its IPv6 twin;
the ranges for documentation are left out, for nothing is there.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import select
import socket
import ssl
import sys
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

_FORBIDDEN = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
        "::/127", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2002::/16", "fc00::/7", "fe80::/10",
        "ff00::/8",
    )
]  # fmt: skip
_MOST_HEAD = 64 * 1024
_MOST_TEXT = 64 * 1024 * 1024
_MOST_AT_ONCE = 64
_SILENT_S = 120.0
_CONNECT_S = 20.0
_CHUNK = 64 * 1024
_DROPPED = ("host", "connection", "proxy-connection", "proxy-authorization", "authorization", "accept-encoding")
_TEXTS = ("text/", "application/json", "application/vnd.pypi", "application/vnd.npm")


class _Refused(Exception):
    pass


class Proxy:
    """See the module."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._hosts = {str(host).lower() for host in order["hosts"]}
        self._indexes = {(str(index["host"]).lower(), int(index["port"])): index for index in order["indexes"]}
        self._log = order["log"]
        self._trust = order["trust"]
        self._places = threading.Semaphore(_MOST_AT_ONCE)

    def serve(self, server: socket.socket) -> None:
        """Take connections until the box ends."""
        while True:
            client, _ = server.accept()
            self._places.acquire()
            threading.Thread(target=self._attend, args=(client,), daemon=True).start()

    def _attend(self, client: socket.socket) -> None:
        with client:
            client.settimeout(_SILENT_S)
            try:
                self._answer(client)
            except _Refused as refused:
                self._note(str(refused))
                _say(client, 403, f"no package index: {refused}")
            except (OSError, ValueError, http.client.HTTPException) as error:
                _say(client, 502, type(error).__name__)
            finally:
                self._places.release()

    def _answer(self, client: socket.socket) -> None:
        head, rest = _head(client)
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            with self._tunnel(host.strip("[]").lower(), int(port)) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                server.sendall(rest)
                _relay(client, server)
            return
        parts = urlsplit(target)
        index = self._indexes.get((str(parts.hostname).lower(), _port(parts.scheme, parts.port)))
        if method not in ("GET", "HEAD") or parts.scheme != "http" or index is None:
            raise _Refused(f"{parts.scheme}://{parts.hostname}:{_port(parts.scheme, parts.port)}")
        if not _is_below(parts.path, index["scope"]):
            raise _Refused(f"{parts.path} of the index {parts.hostname}")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._fetch(client, index, method, path, lines[1:])

    def _tunnel(self, host: str, port: int) -> socket.socket:
        if port != 443 or host not in self._hosts:
            raise _Refused(f"{host}:{port}")
        return _connected(host, port, anywhere=False)

    def _fetch(self, client: socket.socket, index: dict[str, Any], method: str, path: str, lines: list[str]) -> None:
        """Get something of the operator's index, whose address may be a private one."""
        server = _connected(index["upstream"], index["upstream_port"], anywhere=True)
        if index["tls"]:
            server = self._context().wrap_socket(server, server_hostname=index["upstream"])
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        sent = {name: value for name, value in headers.items() if name.lower() not in _DROPPED}
        if index["authorization"]:
            sent["Authorization"] = index["authorization"]
        connection = http.client.HTTPConnection(index["upstream"], index["upstream_port"], timeout=_SILENT_S)
        connection.sock = server
        with server:
            connection.request(method, path, headers={**sent, "Accept-Encoding": "identity", "Connection": "close"})
            _pass_on(client, connection.getresponse(), index, with_body=method == "GET")

    def _context(self) -> ssl.SSLContext:
        """The image's certificates and the operator's: naming a file at once would leave the former out."""
        context = ssl.create_default_context()
        if self._trust:
            context.load_verify_locations(self._trust)
        return context

    def _note(self, refused: str) -> None:
        with open(self._log, "a", encoding="utf-8") as log:  # noqa: PTH123 - no more imports than needed
            if log.tell() < _MOST_HEAD:
                log.write(refused[:300].replace("\n", " ") + "\n")


def _is_below(path: str, scope: str) -> bool:
    """Whether a server can take the path for nothing outside of the folder, however it reads it."""
    plain = unquote(path)
    steps = plain.replace("\\", "/").split("/")
    return (
        f"{plain}/".startswith(scope)
        and "%" not in plain
        and not {".", ".."} & {step.partition(";")[0] for step in steps}
    )


def _port(scheme: str, port: int | None) -> int:
    return port or (443 if scheme == "https" else 80)


def _connected(host: str, port: int, *, anywhere: bool) -> socket.socket:
    """A connection to an address of the host that was looked at before."""
    refused = ""
    for _, _, _, _, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        address = ipaddress.ip_address(str(where[0]).partition("%")[0])
        if not anywhere and any(address in network for network in _FORBIDDEN if network.version == address.version):
            refused = f"{host} is {address}, which is of a private network"
            continue
        try:
            return socket.create_connection((str(address), port), timeout=_CONNECT_S)
        except OSError:
            continue
    if refused:
        raise _Refused(refused)
    raise ConnectionError(host)


def _head(client: socket.socket) -> tuple[bytes, bytes]:
    held = b""
    while b"\r\n\r\n" not in held:
        data = client.recv(_CHUNK)
        if not data or len(held) > _MOST_HEAD:
            raise ValueError("no request")
        held += data
    head, _, rest = held.partition(b"\r\n\r\n")
    return head, rest


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes on in both directions until one of them ends."""
    while True:
        ready, _, _ = select.select([one, other], [], [], _SILENT_S)
        if not ready:
            return
        for source in ready:
            data = source.recv(_CHUNK)
            if not data:
                return
            (other if source is one else one).sendall(data)


def _pass_on(
    client: socket.socket, answer: http.client.HTTPResponse, index: dict[str, Any], *, with_body: bool
) -> None:
    """Send an answer on; links to the index become links through here, which alone has the credentials."""
    there, here = (f"{address}".encode() for address in (index["there"], index["here"]))
    headers = [
        (name, value.replace(index["there"], index["here"]))
        for name, value in answer.getheaders()
        if name.lower() not in ("transfer-encoding", "content-length", "connection")
    ]
    text = (answer.getheader("Content-Type") or "").lower().startswith(_TEXTS)
    body = answer.read(_MOST_TEXT).replace(there, here) if with_body and text else b""
    length = len(body) if text and with_body else answer.length
    if length is not None:
        headers.append(("Content-Length", str(length)))
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{name}: {value}" for name, value in headers)]
    client.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1", "replace") + body)
    while with_body and not text and (data := answer.read(_CHUNK)):
        client.sendall(data)


def _say(client: socket.socket, status: int, text: str) -> None:
    body = f"{text}\n".encode()
    head = f"HTTP/1.1 {status} {text[:200]}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with suppress(OSError):
        client.sendall(head.encode("latin-1", "replace") + body)


def main() -> None:
    """Listen, and go on in the background."""
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123
        order: dict[str, Any] = json.load(file)
    server = socket.create_server((order["listen"], order["port"]), backlog=_MOST_AT_ONCE)
    if os.fork():
        return
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    Proxy(order).serve(server)


if __name__ == "__main__":
    main()
