"""A socket in front of an engine: it notes what is asked, and can go away as an engine that dies does."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


class Relay:
    """Passes connections to `path` on to `engine`, both Unix sockets, until it is closed.

    Attributes:
        path: where it listens.
        asked: the request lines that it saw.
    """

    def __init__(self, path: Path, engine: str) -> None:
        self.path = path
        self.asked: list[str] = []
        self._engine = engine
        self._is_dead = False
        self._server = socket.socket(socket.AF_UNIX)
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._server.bind(str(path))
        self._server.listen()
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def die(self) -> None:
        """Cut every connection, new ones too."""
        self._is_dead = True
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """The end of it all."""
        self.die()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for end in (self._server, *self._ends):
            end.close()

    def _start(self, target: object, *args: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                asking, _ = self._server.accept()
                if self._is_dead:
                    asking.close()
                    continue
                answering = socket.socket(socket.AF_UNIX)
                self._ends += [asking, answering]
                answering.connect(self._engine)
                self._start(self._pass_on, asking, answering, True)
                self._start(self._pass_on, answering, asking, False)

    def _pass_on(self, source: socket.socket, target: socket.socket, notes: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if notes and b" HTTP/1.1\r\n" in data:
                    self.asked.append(data.partition(b"\r\n")[0].decode(errors="replace"))
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
