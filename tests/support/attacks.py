"""What a box keeps code from: the network and the host's resources."""

from support.attack import MIB, THREADS, Attack, fill, python
from support.attacks_rights import HONEST, RIGHTS

_CONNECT = """
import socket
try:
    socket.create_connection(("{gateway}", {port}), timeout=3)
    print("CONNECTED")
except OSError as error:
    print("refused:", error.errno)
"""
RESOLVE = """
import socket
try:
    print("RESOLVED", socket.getaddrinfo("{name}", 80)[0])
except OSError:
    print("unknown")
"""
_SEND = """
import socket
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("{gateway}", {port}))
    print("SENT")
except OSError as error:
    print("refused:", error.errno)
"""
_FORKS = """
import os, time
count = 0
try:
    while count < 200:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        count += 1
except OSError as error:
    print("stopped by", type(error).__name__)
print("children", count)
"""
_FILES = """
try:
    for number in range(3000):
        open(f"{folder}/{number}", "w").close()
    print("ALL")
except OSError as error:
    print("stopped by errno", error.errno, "at", number)
"""
_OPEN = """
held = []
try:
    for number in range(2000):
        held.append(open("/dev/null"))
    print("ALL")
except OSError as error:
    print("stopped by errno", error.errno)
"""
NETWORK = [
    Attack(
        "it has no way to the host",
        "S01",
        python(_CONNECT),
        "refused: 101",
        off={"NetworkMode": "bridge"},
        open="CONNECTED",
    ),
    Attack(
        "it cannot send a datagram", "S01", python(_SEND), "refused: 101", off={"NetworkMode": "bridge"}, open="SENT"
    ),
    Attack(
        "it has no interface but its own loopback",
        "S01",
        "ls /sys/class/net | tr '\n' ,; echo",
        "lo,",
        off={"NetworkMode": "bridge"},
        open="eth0",
    ),
    Attack("it has no name server that answers", "S01", python(RESOLVE.replace("{name}", "example.org")), "unknown"),
]

BOUNDS = [
    Attack(
        "processes are bounded",
        "S02",
        python(_FORKS),
        "stopped by BlockingIOError",
        {"pids": 64},
        {"PidsLimit": None},
        "children 200",
    ),
    Attack(
        "threads are bounded",
        "S02",
        python(THREADS),
        "stopped: can't start new thread",
        {"pids": 64},
        {"PidsLimit": None},
        "ALL",
    ),
    Attack(
        "memory is bounded, swap included",
        "S02",
        "python3 -c 'x = bytearray(300 * 2**20); print(\"KEPT\", len(x))'; echo code $?",
        "code 137",
        {"memory": 128 * MIB},
        {"Memory": None, "MemorySwap": None},
        "KEPT",
    ),
    Attack(
        "memory is bounded for all processes together",
        "S02",
        "for one in 1 2 3 4;"
        " do python3 -c 'import time; x = bytearray(60 * 2**20); time.sleep(1); print(\"KEPT\")' & done;"
        " wait; echo end",
        "end",
        {"memory": 128 * MIB},
        {"Memory": None, "MemorySwap": None},
        "KEPT\nKEPT\nKEPT\nKEPT",
    ),
    Attack(
        "the workspace is bounded in bytes",
        "S02",
        fill("/work/full"),
        "No space left",
        {"workspace": 16 * MIB},
        open="WRITTEN",
        wide={"workspace": 200 * MIB},
    ),
    Attack(
        "the workspace is bounded in files",
        "S02",
        python(_FILES.replace("{folder}", "/work")),
        "stopped by errno 28",
        {"workspace_files": 1000},
        open="ALL",
        wide={"workspace_files": 5000},
    ),
    Attack(
        "the temporary folder is bounded in bytes",
        "S03",
        fill("/tmp/full"),
        "No space left",
        off={"Tmpfs": {"/tmp": "rw,mode=1777,size=200m"}},
        open="WRITTEN",
    ),
    Attack(
        "the temporary folder is bounded in files",
        "S03",
        python(_FILES.replace("{folder}", "/tmp").replace("3000", "12000")),
        "stopped by errno 28",
        off={"Tmpfs": {"/tmp": "rw,mode=1777,nr_inodes=20k"}},
        open="ALL",
    ),
    Attack(
        "shared memory is bounded",
        "S03",
        fill("/dev/shm/full"),
        "No space left",
        off={"ShmSize": 200 * MIB},
        open="WRITTEN",
    ),
    Attack(
        "the image's layer takes nothing",
        "S03",
        fill("/var/tmp/full"),
        "Read-only",
        off={"ReadonlyRootfs": False},
        open="WRITTEN",
    ),
    Attack(
        "one file is bounded",
        "S03",
        fill("/work/full", 140),
        "File size limit exceeded",
        {"workspace": 200 * MIB},
        {"Ulimits": None},
        "WRITTEN",
        wide={"workspace": 200 * MIB},
    ),
    Attack(
        "open files are bounded",
        "S02",
        python(_OPEN),
        "stopped by errno 24",
        off={"Ulimits": [{"Name": "nofile", "Soft": 4096, "Hard": 4096}]},
        open="ALL",
    ),
    Attack(
        "no core is dumped",
        "S03",
        "ulimit -H -c",
        "0",
        off={"Ulimits": [{"Name": "core", "Soft": -1, "Hard": -1}]},
        open="unlimited",
    ),
    Attack(
        "processors are bounded",
        "S02",
        "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null | cut -d' ' -f1",
        "50000",
        {"cpus": 0.5},
        {"NanoCpus": None},
        "-1",
    ),
]

ATTACKS = [*NETWORK, *BOUNDS, *RIGHTS, *HONEST]
