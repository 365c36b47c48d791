"""Which server processes are alive."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from repowright_server.runs.recovery import Presence


def test_a_process_is_alive_until_it_leaves(tmp_path: Path) -> None:
    one, other = Presence(tmp_path), Presence(tmp_path)

    assert one.is_alive(other.holder)
    other.leave()
    assert not one.is_alive(other.holder)
    one.leave()


def test_a_process_that_is_killed_is_dead_at_once(tmp_path: Path) -> None:
    """S17"""
    code = (
        "import sys\nfrom pathlib import Path\nfrom repowright_server.runs.recovery import Presence\n"
        f"print(Presence(Path({str(tmp_path)!r})).holder, flush=True)\nsys.stdin.read()"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    holder = other.stdout.readline().strip()
    mine = Presence(tmp_path)
    before = mine.is_alive(holder)
    other.kill()
    other.communicate()

    assert (before, mine.is_alive(holder)) == (True, False)
    mine.leave()


def test_nobody_is_not_alive(tmp_path: Path) -> None:
    mine = Presence(tmp_path)

    assert not mine.is_alive(None)
    assert not mine.is_alive("s_1_unknown")
    mine.leave()


def test_two_who_look_at_a_dead_process_at_once_do_not_take_each_other_for_it(tmp_path: Path) -> None:
    mine = Presence(tmp_path)
    path = tmp_path / "servers" / "s_1_dead.lock"
    path.touch()
    other_look = os.open(path, os.O_RDWR)
    fcntl.flock(other_look, fcntl.LOCK_SH)

    assert not mine.is_alive("s_1_dead")
    os.close(other_look)
    mine.leave()
