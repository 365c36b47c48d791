"""A Go module proxy with one module, as `go help goproxy` describes it, and the line of go.sum that fits."""

import base64
import hashlib
import io
import zipfile
from http.server import BaseHTTPRequestHandler
from typing import Any

MODULE, VERSION = "example.org/greeting", "v1.0.0"
_PREFIX = f"{MODULE}@{VERSION}/"
_FILES = {
    "go.mod": f"module {MODULE}\n\ngo 1.18\n",
    "greeting.go": 'package greeting\n\nfunc Word() string { return "hello" }\n',
}


def go_sum() -> str:
    """The checksums of the module (golang.org/x/mod/sumdb/dirhash, Hash1)."""
    whole = _hash({_PREFIX + name: text for name, text in _FILES.items()})
    return f"{MODULE} {VERSION} {whole}\n{MODULE} {VERSION}/go.mod {_hash({'go.mod': _FILES['go.mod']})}\n"


def _hash(files: dict[str, str]) -> str:
    lines = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in sorted(files.items()))
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in _FILES.items():
            archive.writestr(zipfile.ZipInfo(_PREFIX + name), text)
    return buffer.getvalue()


class GoProxy(BaseHTTPRequestHandler):
    """Answers for the one module."""

    def do_GET(self) -> None:
        answers = {
            f"/{MODULE}/@v/{VERSION}.info": f'{{"Version": "{VERSION}", "Time": "2020-01-01T00:00:00Z"}}'.encode(),
            f"/{MODULE}/@v/{VERSION}.mod": _FILES["go.mod"].encode(),
            f"/{MODULE}/@v/{VERSION}.zip": _zip(),
        }
        body = answers.get(self.path, b"not found")
        self.send_response(200 if self.path in answers else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass
