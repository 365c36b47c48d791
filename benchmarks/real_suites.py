"""Whether real projects count the same tests in the box as in a bare container of the same image.

    python benchmarks/real_suites.py FOLDER[=COMMAND]... [--least N] [--least-foreign N]

Each FOLDER is a clean git clone. A client starts the server as its users do, on stdio, and asks for the tests without a
baseline: once on an environment that has yet to be installed, once on the one that is there then. COMMAND is left to
the product unless it is given. Then plain `docker run`, without network, runs that command on the same files in the
same image, and what the runner itself says at its end is counted. A project holds when it is green and all counts are
equal. Needs an engine and its base images (`. .ci/environment`): SANDBOX_IMAGE, and for what is not Python
SANDBOX_POLYGLOT_IMAGE. Images that it makes are removed.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import anyio
from mcp import Client, StdioServerParameters

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.mcp import call

WAIT_S = 300.0
BARE_S = 1_800.0
TESTS_S = 900.0
FOREIGN = ("go.mod", "package.json", "Cargo.toml", "pom.xml")
MARK = "real-suites"
SHOWN = 600

Counts = dict[str, int]
KINDS = ("passed", "failed", "skipped", "errors")


@dataclass(frozen=True)
class Suite:
    """A clone, and the command that was given for it."""

    folder: Path
    command: str | None

    @property
    def is_foreign(self) -> bool:
        """Whether it is of another language than Python."""
        return any((self.folder / name).is_file() for name in FOREIGN)

    def git(self, *arguments: str) -> bytes:
        return subprocess.run(["git", "-C", str(self.folder), *arguments], check=True, capture_output=True).stdout


@dataclass(frozen=True)
class Boxed:
    """What the product said: its report, the command it found, and seconds of both calls."""

    command: str
    report: dict[str, Any]
    cold_s: float
    cached_s: float


@dataclass(frozen=True)
class Bare:
    """What a plain container said."""

    exit_code: int
    counts: Counts
    output: str


class Refused(Exception):
    """The product did not run the tests; the message is its error."""


# --- in the box ---------------------------------------------------------------------------------------------------


def server(suite: Suite, image: str, home: Path) -> StdioServerParameters:
    """How a client starts the server on this clone."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("SANDBOX_", "DOCKER_"))}
    kept.pop("SANDBOX_POLYGLOT_IMAGE", None)
    environment = kept | {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "REPOWRIGHT_HOME": str(home / "state"),
        "ALLOWED_ROOTS": str(suite.folder),
        "SANDBOX_IMAGE": image,
        "LLM_PROVIDER": "host",
        "LOG_LEVEL": "ERROR",
    }
    return StdioServerParameters(
        command=sys.executable, args=["-I", "-m", "repowright_server", "serve"], env=environment
    )


async def boxed(suite: Suite, image: str) -> Boxed:
    """Ask a server of its own for the tests. Raises Refused."""
    with tempfile.TemporaryDirectory() as home:
        async with Client(server(suite, image, Path(home))) as client:
            try:
                return await ask(client, suite)
            except Refused as error:  # raised outside, because the client would wrap it
                refusal = error
    raise refusal


async def ask(client: Client, suite: Suite) -> Boxed:
    """Ask for the tests twice, in two runs. Raises Refused."""
    source = str(suite.folder)
    asked = {"source": source, "baseline": False, "timeout_s": TESTS_S}
    command = suite.command
    if command is None:
        found = (await finished(client, "analyse_repo", source=source))["commands"]["test"]
        command = str(found[0]["command"]) if found else ""
    else:
        asked["command"] = command
    seconds, reports = list[float](), list[dict[str, Any]]()
    for _ in range(2):
        began = time.perf_counter()
        reports.append(await finished(client, "run_tests_sandboxed", **asked))
        seconds.append(time.perf_counter() - began)
    first, second = reports
    if first["totals"] != second["totals"]:
        raise Refused(f"two runs differ: {first['totals']} and {second['totals']}")
    return Boxed(command, second, *seconds)


async def finished(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The result, however many calls it takes. Raises Refused."""
    answer = await call(client, tool, **arguments, wait_s=WAIT_S)
    while answer["status"] in ("QUEUED", "IN_PROGRESS"):
        answer = await call(client, tool, run_id=answer["run_id"], wait_s=WAIT_S)
    if answer["status"] != "COMPLETE":
        error = answer["error"] or {"code": answer["status"], "message": answer["status_message"]}
        raise Refused(f"{error['code']}: {error['message']}")
    result: dict[str, Any] = answer["result"]
    return result


# --- bare ---------------------------------------------------------------------------------------------------------


def bare(suite: Suite, command: str, image: str) -> Bare:
    """Run the command in a plain container of the image, on the committed files."""
    line, count = counted(suite, command)
    own = ":"
    if not suite.is_foreign:  # where it cannot be built, for want of a compiler for example, its sources will do
        own = "pip install -q --no-index --no-deps --no-build-isolation -e . || export PYTHONPATH=src:."
    script = f"mkdir /tmp/repo && cd /tmp/repo && tar -x && {{ {own}; }} && {line}"
    variables = {  # there is no .git to take a version from
        "HOME": "/tmp",
        "PATH": "/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "SETUPTOOLS_SCM_PRETEND_VERSION": "999.0.0",
    }
    settings = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    ran = subprocess.run(
        [
            "docker",
            "run",
            "--rm",
            "-i",
            "--network",
            "none",
            "--tmpfs",
            "/tmp:exec",
            *settings,
            image,
            "sh",
            "-c",
            script,
        ],
        input=suite.git("archive", "HEAD"),
        capture_output=True,
        timeout=BARE_S,
    )
    output = ran.stdout.decode(errors="replace")
    return Bare(ran.returncode, count(output), output + ran.stderr.decode(errors="replace"))


def counted(suite: Suite, command: str) -> tuple[str, Callable[[str], Counts]]:
    """The command so that its output can be counted, and what counts it. Raises Refused for a runner not known here."""
    if command == "npm test":
        command = str(json.loads((suite.folder / "package.json").read_bytes())["scripts"]["test"])
    if re.search(r"\bpytest\b", command):
        return command, pytest_counts
    if re.search(r"\bgo test\b", command):
        return re.sub(r"\bgo test\b", "go test -v -count=1", command, count=1), go_counts
    if re.search(r"\bnode\b.* --test\b", command):
        return command, node_counts
    raise Refused(f"cannot count what `{command}` says")


def pytest_counts(output: str) -> Counts:
    """The last line: `3 failed, 120 passed, 2 skipped, 1 xfailed in 0.42s`; an expected failure is a skip in JUnit."""
    last = [line for line in output.splitlines() if re.search(r" in [\d.]+s\b", line)][-1:]
    said = Counter({kind: int(number) for number, kind in re.findall(r"(\d+) ([a-z]+)", "".join(last))})
    return {
        "passed": said["passed"] + said["xpassed"],
        "failed": said["failed"],
        "skipped": said["skipped"] + said["xfailed"],
        "errors": said["error"] + said["errors"],
    }


def go_counts(output: str) -> Counts:
    """A line for each test and subtest: `    --- PASS: TestName/sub (0.00s)`."""
    said = Counter(re.findall(r"^ *--- (PASS|FAIL|SKIP): ", output, re.MULTILINE))
    return {"passed": said["PASS"], "failed": said["FAIL"], "skipped": said["SKIP"], "errors": 0}


def node_counts(output: str) -> Counts:
    """The lines at the end: `# pass 12`, or with a mark in place of `#` on a terminal."""
    found = re.findall(r"^\S (pass|fail|cancelled|skipped|todo) (\d+)$", output, re.MULTILINE)
    said = Counter({kind: int(number) for kind, number in found})
    return {
        "passed": said["pass"],
        "failed": said["fail"] + said["cancelled"],
        "skipped": said["skipped"] + said["todo"],
        "errors": 0,
    }


# --- the table ----------------------------------------------------------------------------------------------------


@contextmanager
def fresh(base: str) -> Generator[str]:
    """An image with the content of `base`, that no environment was made from yet; it and its environments go."""
    label = f"{MARK}={uuid4().hex}"
    made = subprocess.run(
        ["docker", "build", "-q", "-"],
        input=f"FROM {base}\nLABEL {label}\n",
        check=True,
        capture_output=True,
        text=True,
    )
    try:
        yield made.stdout.strip()
    finally:
        listed = ["docker", "image", "ls", "-q", "--no-trunc", "--filter", f"label={label}"]
        images = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()
        subprocess.run(["docker", "image", "rm", "-f", *dict.fromkeys(images)], check=True, capture_output=True)


async def compare(suite: Suite) -> bool:
    """Print the project's row, and say whether it holds."""
    base = os.environ.get("SANDBOX_IMAGE", "repowright-base:local")
    if suite.is_foreign:
        base = os.environ.get("SANDBOX_POLYGLOT_IMAGE", "repowright-polyglot:local")
    name = f"{suite.folder.name} {suite.git('rev-parse', '--short', 'HEAD').decode().strip()}"
    with fresh(base) as image:
        try:
            box = await boxed(suite, image)
            began = time.perf_counter()
            plain = await anyio.to_thread.run_sync(bare, suite, box.command, box.report["environment"]["image_digest"])
            bare_s = time.perf_counter() - began
        except Refused as refusal:
            print(f"| {name} | {suite.command or ''} | | | | **no** | | | |\n{refusal}", flush=True)
            return False
    ours = cast(Counts, box.report["totals"])
    equal = ours == plain.counts
    green = box.report["verdict"] == "passed" and plain.exit_code == 0
    print(
        f"| {name} | {box.command} | {sum(ours.values())} | {shown(ours)} | {shown(plain.counts)} |"
        f" {'yes' if equal else '**no**'} | {box.cold_s:.1f} | {box.cached_s:.1f} | {bare_s:.1f} |",
        flush=True,
    )
    if not (equal and green):
        print(f"{box.report['verdict']}: {box.report['reason']}\n{box.report['output_tail'][-SHOWN:]}", file=sys.stderr)
        print(f"bare, exit code {plain.exit_code}:\n{plain.output[-SHOWN:]}", file=sys.stderr)
    return equal and green


def shown(counts: Counts) -> str:
    """Passed/failed/skipped, and errors where there are some."""
    numbers = [counts[kind] for kind in KINDS]
    return "/".join(str(number) for number in (numbers if numbers[-1] else numbers[:-1]))


async def measure(suites: list[Suite], least: int, least_foreign: int) -> bool:
    print("| project | command | tests | box: passed/failed/skipped | bare | equal | cold s | cached s | bare s |")
    print("|---|---|---:|---|---|---|---:|---:|---:|", flush=True)
    held = [suite for suite in suites if await compare(suite)]
    foreign = sum(suite.is_foreign for suite in held)
    print(f"\n{len(held)} of {len(suites)} hold (green, and the same counts), {foreign} of them not Python")
    return len(held) >= least and foreign >= least_foreign


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("suites", nargs="+", metavar="FOLDER[=COMMAND]")
    options.add_argument("--least", type=int, default=6, help="projects that must hold")
    options.add_argument("--least-foreign", type=int, default=2, help="of them not Python")
    given = options.parse_args()
    parts = [str(suite).partition("=") for suite in given.suites]
    suites = [Suite(Path(folder).resolve(), command or None) for folder, _, command in parts]
    for suite in suites:
        if suite.git("status", "--porcelain"):
            raise SystemExit(f"{suite.folder} has uncommitted changes: the bare run would not see them")
    if not anyio.run(measure, suites, given.least, given.least_foreign):
        raise SystemExit("not enough projects hold")


if __name__ == "__main__":
    main()
