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

from repowright_tools.run_tests_sandboxed.languages import find_language
from repowright_tools.sandbox.base import REPOSITORY
from repowright_tools.sandbox.environment import PATH
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
    paths = suite.git("ls-tree", "-r", "--name-only", "HEAD").decode().splitlines()
    language = find_language(paths) if suite.is_foreign else None
    if language is not None:
        own, variables = language.link, dict(language.variables)
    else:  # where it cannot be built, for want of a compiler for example, its sources will do
        own = "pip install -q --no-index --no-deps --no-build-isolation -e . || export PYTHONPATH=src:."
        # There is no .git to take a version from
        variables = {"PATH": f"/venv/bin:{PATH}", "SETUPTOOLS_SCM_PRETEND_VERSION": "999.0.0"}
    script = f"mkdir {REPOSITORY} && cd {REPOSITORY} && tar -x && {{ {own}\n}}\n{line}"
    settings = [f"-e{name}={value}" for name, value in {"HOME": "/tmp", "PATH": PATH, **variables}.items()]
    # Of a plain tmpfs the image's folder would decide who may write
    options = "volume-driver=local,volume-opt=type=tmpfs,volume-opt=device=tmpfs"
    work = f'type=volume,dst=/work,{options},"volume-opt=o=size=2g,mode=1777"'
    folders = ["--tmpfs", "/tmp:exec", "--mount", work]
    ran = subprocess.run(
        ["docker", "run", "--rm", "-i", "--network", "none", *folders, *settings, image, "sh", "-c", script],
        input=suite.git("archive", "HEAD"),
        capture_output=True,
        timeout=BARE_S,
    )
    output = re.sub(r"\x1b\[[\d;]*m", "", (ran.stdout + b"\n" + ran.stderr).decode(errors="replace"))
    return Bare(ran.returncode, count(re.sub(r"^\S+ test: ?", "", output, flags=re.MULTILINE)), output)


def counted(suite: Suite, command: str) -> tuple[str, Callable[[str], Counts]]:
    """The command so that its output can be counted, and what counts it."""
    if not suite.is_foreign:
        return command, pytest_counts
    if command == "npm test":  # not every image with Node has npm
        command = str(json.loads((suite.folder / "package.json").read_bytes())["scripts"]["test"])
    return re.sub(r"\bgo test\b", "go test -v -count=1", command, count=1), foreign_counts


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


SAID = (
    # go: a line for each test and subtest, `    --- PASS: TestName/sub (0.00s)`
    (r"^ *--- (PASS|FAIL|SKIP): ", ""),
    # node, at the end: `# pass 12`, or with a mark in place of `#` on a terminal
    (r"^\S (pass|fail|cancelled|skipped|todo) (\d+)$", ""),
    # Jest, one line: `Tests:       1 skipped, 12 passed, 13 total`; Vitest: `      Tests  12 passed | 1 todo (13)`
    (r"(\d+) (passed|failed|skipped|todo)\b", r"^ *Tests(?:: |  ).*"),
    # Mocha: `  12 passing (9ms)`
    (r"^ *(\d+) (passing|failing|pending)\b", ""),
    # cargo, for each target: `test result: ok. 12 passed; 0 failed; 1 ignored; ...`
    (r"(\d+) (passed|failed|ignored)\b", r"^test result: .*"),
)
"""Two groups, a number if there is one and a kind, and the lines that they are looked for in."""
MEANS = {
    "passed": ("PASS", "pass", "passed", "passing"),
    "failed": ("FAIL", "fail", "cancelled", "failed", "failing"),
    "skipped": ("SKIP", "skipped", "todo", "pending", "ignored"),
}


def foreign_counts(output: str) -> Counts:
    """What runners of other languages say at their end, one after the other where there are several."""
    said = Counter[str]()
    for pattern, lines in SAID:
        text = "\n".join(re.findall(lines, output, re.MULTILINE)) if lines else output
        for found in re.finditer(pattern, text, re.MULTILINE):
            number, kind = sorted((*found.groups(), "1")[:2])
            said[kind] += int(number)
    counts = {kind: sum(said[word] for word in words) for kind, words in MEANS.items()} | {"errors": 0}
    # Maven, at the end: `Tests run: 12, Failures: 0, Errors: 0, Skipped: 1`; before it one for each class, with a time
    for numbers in re.findall(
        r"^.*Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)$", output, re.MULTILINE
    ):
        run, failed, errors, skipped = map(int, numbers)
        told = {"passed": run - failed - errors - skipped, "failed": failed, "errors": errors, "skipped": skipped}
        counts = {kind: counts[kind] + told[kind] for kind in KINDS}
    return counts


# --- the table ----------------------------------------------------------------------------------------------------


@contextmanager
def fresh(base: str, more: str = "") -> Generator[str]:
    """An image with the content of `base`, that no environment was made from yet; it and its environments go.

    `more` are further lines of its Dockerfile.
    """
    label = f"{MARK}={uuid4().hex}"
    made = subprocess.run(
        ["docker", "build", "-q", "-"],
        input=f"FROM {base}\n{more}\nLABEL {label}\n",
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
