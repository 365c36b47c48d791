"""What a box keeps code from doing as somebody else, and what it leaves to honest code."""

from support.attack import THREADS, Attack, attempt, python

_LOCK = """
import multiprocessing
with multiprocessing.Lock():
    print("LOCKED")
"""
_PRIVILEGED = {"CapDrop": None, "CapAdd": ["SYS_ADMIN"], "SecurityOpt": ["seccomp=unconfined"]}
_AS_ROOT = {"CapDrop": None}
_MACHINE = "/sys/kernel/mm/transparent_hugepage/khugepaged/pages_to_scan"

RIGHTS = [
    # The program is of the image: a copy of its own could not be made setuid by somebody who is not root.
    Attack(
        "a setuid program gains nothing",
        "S04",
        "chage -l nobody >/dev/null 2>&1 && echo READ_SHADOW || echo refused",
        "refused",
        off={"SecurityOpt": None},
        open="READ_SHADOW",
    ),
    Attack(
        "no process gains rights",
        "S04",
        "grep NoNewPrivs /proc/self/status",
        "NoNewPrivs:\t1",
        off={"SecurityOpt": None},
        open="NoNewPrivs:\t0",
    ),
    Attack(
        "it has no capability",
        "S04",
        "grep CapBnd /proc/self/status",
        "CapBnd:\t0000000000000000",
        off=_AS_ROOT,
        open="CapBnd:\t00000000a",
    ),
    Attack("it is nobody", "S04", "id -u; id -g; id -G", "65534\n65534\n65534", user="0:0", open="0\n0\n0"),
    Attack(
        "it mounts nothing",
        "S04",
        attempt("mount -t tmpfs none /work"),
        "refused",
        off=_PRIVILEGED,
        user="0:0",
        open="DONE",
    ),
    Attack(
        "it makes no user namespace",
        "S04",
        attempt("unshare --user --map-root-user true"),
        "refused",
        off={"SecurityOpt": ["no-new-privileges:true", "seccomp=unconfined"]},
        open="DONE",
    ),
    Attack(
        "it makes no network namespace",
        "S04",
        attempt("unshare --net true"),
        "refused",
        off=_PRIVILEGED,
        user="0:0",
        open="DONE",
    ),
    Attack(
        "it makes no device", "S04", attempt("mknod /tmp/null c 1 3"), "refused", off=_AS_ROOT, user="0:0", open="DONE"
    ),
    Attack(
        "it does not become root",
        "S04",
        attempt("python3 -c 'import os; os.setuid(0)'"),
        "refused",
        off=_AS_ROOT,
        user="0:0",
        open="DONE",
    ),
    Attack(
        "it does not change its root",
        "S04",
        attempt("python3 -c 'import os; os.chroot(\"/work\")'"),
        "refused",
        off=_AS_ROOT,
        user="0:0",
        open="DONE",
    ),
    Attack(
        "it opens no raw socket",
        "S04",
        attempt("python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'"),
        "refused",
        off=_AS_ROOT,
        user="0:0",
        open="DONE",
    ),
    Attack(
        "it does not read the shadow file",
        "S04",
        attempt("cat /etc/shadow"),
        "refused",
        off=_AS_ROOT,
        user="0:0",
        open="DONE",
    ),
    Attack(
        "it does not give files away",
        "S04",
        attempt("touch /work/x; chown 1:1 /work/x"),
        "refused",
        off=_AS_ROOT,
        user="0:0",
        open="DONE",
    ),
    # What is written is what was there: without its guard it would be the host's own.
    Attack(
        "it sets nothing of the kernel",
        "S04",
        attempt("value=$(cat /proc/sys/kernel/panic) && echo $value > /proc/sys/kernel/panic"),
        "refused",
        off={"ReadonlyPaths": []},
        user="0:0",
        open="DONE",
    ),
    Attack(
        "it sets nothing of the machine",
        "S04",
        attempt(f"mount -o remount,rw /sys; value=$(cat {_MACHINE}) && echo $value > {_MACHINE}"),
        "refused",
        off=_PRIVILEGED,
        user="0:0",
        open="DONE",
    ),
    Attack(
        "it makes no control group",
        "S04",
        attempt(
            "for at in /sys/fs/cgroup/pids /sys/fs/cgroup; do mount -o remount,bind,rw $at;"
            " mkdir $at/inner && rmdir $at/inner && exit; done; false"
        ),
        "refused",
        off=_PRIVILEGED,
        user="0:0",
        open="DONE",
    ),
    Attack(
        "it does not read the kernel's memory and timers",
        "S04",
        attempt(
            "cd /proc; head -c 1 kcore | grep . || head -c 1 timer_list | grep ."
            " || head -c 1 /dev/mem || head -c 1 /dev/kmsg"
        ),
        "refused",
        off={"CapDrop": None, "CapAdd": ["SYS_RAWIO"], "MaskedPaths": []},
        user="0:0",
        open="DONE",
    ),
]

HONEST = [
    Attack(
        "processes share locks",
        "S20",
        python(_LOCK),
        "LOCKED",
        off={"IpcMode": "none", "ShmSize": None},
        open="Error",
    ),
    Attack(
        "a file that a test wrote can be executed",
        "S20",
        "printf '#!/bin/sh\\necho executed' > /tmp/program; chmod +x /tmp/program; /tmp/program",
        "executed",
        off={"Tmpfs": {"/tmp": "rw,noexec,mode=1777"}},
        open="Permission denied",
    ),
    Attack(
        "there is room for 150 threads",
        "S20",
        python(THREADS.replace("200", "150")),
        "ALL",
        off={"PidsLimit": 100},
        open="stopped:",
    ),
    Attack("orphans are taken care of", "S20", "cat /proc/1/comm", "init", off={"Init": False}, open="timeout"),
]
