"""Services for tests: real databases, and a small one in the base image that does whatever it is asked to."""

from typing import Any

from repowright_tools.git.tree import TreeFile
from repowright_tools.sandbox.services import Service

IN_A_BOX = "import os\nif not (os.path.exists('/.dockerenv') or os.path.exists('/run/.containerenv')): os._exit(99)\n"
_OBEY = f"""{IN_A_BOX}
import socketserver, subprocess, sys
class Obey(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline().decode()
        self.wfile.write(subprocess.run(line, shell=True, stdout=-1, stderr=-2).stdout)
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Obey).serve_forever()
"""
_ASK = b"""
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as asked:
    asked.sendall(sys.argv[3].encode() + b"\\n")
    sys.stdout.write(asked.makefile().read())
"""
ASKING = [TreeFile("ask.py", 0o100644, _ASK)]
"""What lets a command in the box ask: `python3 ask.py SERVICE PORT LINE` prints what the line for `sh` says there."""


def obeying(image: str, port: int = 7000, *, first: str = "", **declared: Any) -> Service:
    """A service that runs each line it is sent; `first` is a program in Python for its start."""
    return Service(
        image=image, port=port, command=("python3", "-c", f"{IN_A_BOX}{first}\n{_OBEY}", str(port)), **declared
    )


def postgres(image: str) -> Service:
    return Service(
        image=image,
        port=5432,
        command=("sh", "-c", "initdb --no-sync -U app -A trust >/dev/null && exec postgres"),
        environment={"PGDATA": "/var/lib/pg/data", "PATH": "/usr/lib/postgresql/15/bin:/usr/bin:/bin"},
        tmpfs=("/var/lib/pg", "/run/postgresql"),
        healthcheck=("pg_isready", "-h", "127.0.0.1"),
        test_environment={"DATABASE_URL": "postgresql://app@db:5432/postgres"},
    )


def redis(image: str) -> Service:
    return Service(
        image=image,
        port=6379,
        command=("redis-server", "--save", ""),
        test_environment={"REDIS_URL": "redis://cache:6379/0"},
    )


CONFTEST = '''
import os, socket, struct
from urllib.parse import urlsplit
import pytest

def connected(variable):
    url = urlsplit(os.environ[variable])
    return socket.create_connection((url.hostname, url.port), timeout=10)

@pytest.fixture
def redis():
    """Sends a command in Redis's protocol and reads a reply of one line."""
    with connected("REDIS_URL") as cache, cache.makefile("rb") as replies:
        def ask(*words):
            cache.sendall(b"".join([b"*%d\\r\\n" % len(words), *(b"$%d\\r\\n%s\\r\\n" % (len(w), w) for w in words)]))
            return replies.readline().strip()
        yield ask

@pytest.fixture
def sql():
    """Sends a simple query in PostgreSQL's protocol (version 3.0) and reads the values of its rows."""
    with connected("DATABASE_URL") as db, db.makefile("rb") as replies:
        def read():
            rows = []
            while True:
                kind, size = struct.unpack("!ci", replies.read(5))
                body = replies.read(size - 4)
                if kind == b"E":
                    raise RuntimeError(body.decode())
                if kind == b"D":
                    (length,) = struct.unpack("!i", body[2:6])
                    rows.append(body[6:6 + length].decode())
                if kind == b"Z":
                    return rows
        def ask(query):
            db.sendall(b"Q" + struct.pack("!i", len(query) + 5) + query.encode() + b"\\0")
            return read()
        start = struct.pack("!i", 196608) + b"user\\0app\\0database\\0postgres\\0\\0"
        db.sendall(struct.pack("!i", len(start) + 4) + start)
        read()
        yield ask
'''
"""What gives the tests of a project `redis` and `sql`, with nothing but the standard library."""
