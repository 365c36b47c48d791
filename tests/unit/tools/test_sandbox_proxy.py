"""The proxy of an installation lets nothing through but indexes, whatever a request looks like."""

import socket
import ssl
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from repowright_tools.sandbox.in_box.proxy import Proxy
from repowright_tools.sandbox.indexes import Index, index_variables, operators_indexes

PRIVATE = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "[::1]", "[::]",
    "[::ffff:10.0.0.1]", "[fe80::1]", "[fd00::1]", "[64:ff9b::a00:1]",
]  # fmt: skip


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[tuple[str, int]]:
    order = {
        "hosts": [*(host.strip("[]") for host in PRIVATE), "index.example"],
        "indexes": [],
        "log": str(tmp_path / "refused"),
        "trust": None,
    }
    with serving(order) as address:
        yield address


@contextmanager
def serving(order: dict[str, Any]) -> Generator[tuple[str, int]]:
    """A proxy on loopback, as long as the block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(Proxy(order), server), daemon=True)
        thread.start()
        yield server.getsockname()
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _serve(proxy: Proxy, server: socket.socket) -> None:
    try:
        proxy.serve(server)
    except OSError:
        return


def answer(proxy: tuple[str, int], request: bytes) -> str:
    with socket.create_connection(proxy, timeout=10) as asking:
        asking.sendall(request)
        asking.shutdown(socket.SHUT_WR)
        held = b""
        while data := asking.recv(65536):
            held += data
        return held.decode(errors="replace")


@pytest.mark.parametrize("host", PRIVATE)
def test_no_way_to_write_a_private_address_leads_there(proxy: tuple[str, int], host: str) -> None:
    """R02"""
    said = answer(proxy, f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
    assert said.startswith(("HTTP/1.1 403", "HTTP/1.1 502"))


@pytest.mark.parametrize(
    "request_line",
    [
        "CONNECT example.org:443",
        "CONNECT index.example:22",
        "CONNECT index.example.evil:443",
        "CONNECT index.example:443@evil:443",
        "GET http://index.example/",
        "GET file:///etc/passwd",
        "POST http://index.example/",
        "GET /",
    ],
)
def test_what_is_not_on_the_list_is_refused(proxy: tuple[str, int], request_line: str, tmp_path: Path) -> None:
    assert answer(proxy, f"{request_line} HTTP/1.1\r\n\r\n".encode()).startswith("HTTP/1.1 403")
    assert (tmp_path / "refused").read_text()


@pytest.mark.parametrize(
    "nonsense", [b"", b"\r\n\r\n", b"CONNECT\r\n\r\n", b"\0" * 200_000, b"CONNECT a:b HTTP/1.1\r\n\r\n"]
)
def test_nonsense_does_not_end_the_proxy(proxy: tuple[str, int], nonsense: bytes) -> None:
    said = ""
    with suppress(OSError):
        said = answer(proxy, nonsense)
    assert "200" not in said.partition("\r\n")[0]
    assert answer(proxy, b"CONNECT example.org:443 HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 403")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "index.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path / "index.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *plain) + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class TlsIndex(BaseHTTPRequestHandler):
    """Says who asked, on a page with a link to itself."""

    def do_GET(self) -> None:
        link = f"https://{self.headers['Host']}/files/a.whl"
        body = f"{link} {self.headers.get('Authorization')} {self.headers.get('Cookie')}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture
def tls_index(certificate: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), TlsIndex) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join(5)


@pytest.mark.parametrize("trusted", [True, False])
def test_an_operators_index_is_spoken_to_over_tls_with_credentials_that_the_proxy_adds(
    tmp_path: Path, certificate: Path, tls_index: int, trusted: bool
) -> None:
    """The second row is the knock-out: without the operator's certificates it is not talked to."""
    index = Index("pip", f"https://reader:word@127.0.0.1:{tls_index}/simple/")
    order = {
        "hosts": [],
        "indexes": [index.order()],
        "log": str(tmp_path / "refused"),
        "trust": str(certificate) if trusted else None,
    }
    with serving(order) as address:
        said = answer(address, b"GET http://index-pip.invalid/simple/a/ HTTP/1.1\r\nHost: index-pip.invalid\r\n\r\n")
    if trusted:
        assert said.startswith("HTTP/1.1 200")
        assert said.endswith("http://index-pip.invalid/files/a.whl Basic cmVhZGVyOndvcmQ= None")
    else:
        assert said.startswith("HTTP/1.1 502")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/team/pypi/simple/a/", True),
        ("/team/pypi/files/a%2B1-1.whl", True),
        ("/team/other/simple/a/", False),
        ("/admin/keys", False),
        ("/team/pypi/../other/a", False),
        ("/team/pypi/%2e%2e/other/a", False),
        ("/team/pypi/%252e%252e/other/a", False),
        ("/team/pypi/..;/other/a", False),
        ("/team/pypi\\..\\..\\other", False),
    ],
)
def test_credentials_are_used_for_the_index_and_what_is_beside_it_alone(
    tmp_path: Path, certificate: Path, tls_index: int, path: str, allowed: bool
) -> None:
    """A build script can ask for what it likes: other repositories and settings of the same server are not for it."""
    index = Index("pip", f"https://reader:word@127.0.0.1:{tls_index}/team/pypi/simple/")
    log = tmp_path / "refused"
    with serving({"hosts": [], "indexes": [index.order()], "log": str(log), "trust": str(certificate)}) as address:
        said = answer(address, f"GET http://index-pip.invalid{path} HTTP/1.1\r\n\r\n".encode())
    assert said.startswith("HTTP/1.1 200" if allowed else "HTTP/1.1 403")
    assert allowed or path in log.read_text("utf-8")


@pytest.mark.parametrize(
    ("tool", "url", "scope"),
    [
        ("pip", "https://index.example/simple", "/"),
        ("pip", "https://index.example", "/"),
        ("npm", "https://index.example/api/npm/team/", "/api/npm/team/"),
        ("go", "https://index.example", "/"),
    ],
)
def test_what_the_credentials_are_for_follows_from_the_address(tool: str, url: str, scope: str) -> None:
    assert Index(tool, url).order()["scope"] == scope


def test_an_installation_is_told_of_an_operators_index_without_its_credentials() -> None:
    index = Index("pip", "https://reader:pass%40word@index.example:8443/team/simple/")
    variables = index_variables([index], "http://172.18.0.2:3128")
    assert variables["PIP_INDEX_URL"] == "http://index-pip.invalid/team/simple/"
    assert not any("reader" in value or "pass" in value or "index.example" in value for value in variables.values())
    assert index.order()["upstream"] == "index.example"
    assert index.order()["authorization"] == "Basic cmVhZGVyOnBhc3NAd29yZA=="
    assert index.origin == "https://index.example:8443"


@pytest.mark.parametrize("wrong", [{"pip": "file:///srv"}, {"pip": "index.example"}, {"conda": "https://a.example"}])
def test_an_index_that_cannot_be_used_is_named_at_once(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no index for"):
        operators_indexes(wrong)
