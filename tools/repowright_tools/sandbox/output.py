"""What is kept of a command's output: its head and its tail, as text that no terminal can be fooled with."""

from repowright_tools.secrets import strip_invisible


class HeadTail:
    """Takes any number of bytes and keeps the first and the last of them."""

    def __init__(self, limit: int) -> None:
        self._head_limit = limit // 2
        self._tail_limit = limit - limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._seen = 0

    def add(self, data: bytes) -> None:
        self._seen += len(data)
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 2 * self._tail_limit:  # cut now and then, so that a chunk costs what it holds
            del self._tail[: -self._tail_limit]

    @property
    def left_out(self) -> int:
        """Bytes that are neither head nor tail."""
        return max(0, self._seen - self._head_limit - self._tail_limit)

    def text(self) -> str:
        """Head and tail with a marker between when something is missing there."""
        tail = bytes(self._tail[-self._tail_limit :])
        if not self.left_out:
            return clean(bytes(self._head) + tail)
        return f"{clean(bytes(self._head))}\n[... {self.left_out} bytes left out ...]\n{clean(tail)}"


def clean(data: bytes) -> str:
    """Bytes of a hostile program as text: valid Unicode without terminal sequences and invisible characters."""
    return strip_invisible(data.decode("utf-8", errors="replace").replace("\r\n", "\n"))
