"""A Google service account whose tokens are handed out on loopback."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

TOKEN = "token-of-the-service-account"


@pytest.fixture(scope="session")
def google_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file that `GOOGLE_APPLICATION_CREDENTIALS` names."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Tokens)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    path = tmp_path_factory.mktemp("google") / "account.json"
    path.write_text(json.dumps(_account(f"http://127.0.0.1:{server.server_port}/token")))
    yield path
    server.shutdown()
    server.server_close()
    thread.join()


def _account(token_uri: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "type": "service_account",
        "project_id": "project-on-loopback",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "robot@project-on-loopback.iam.gserviceaccount.com",
        "token_uri": token_uri,
    }


class _Tokens(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Nobody reads it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
