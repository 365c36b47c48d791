"""How long environments of projects that are not Python take, and whether their tests count the same as bare.

    python benchmarks/installs.py [KIND...] [--stand-ins]

For each kind of project a small one is written, and its lock file made by its own tool. Its environment is installed
by the product, once anew and once as it is kept then; a server on stdio runs the tests; a plain container of the same
image runs them too. A kind holds when set-up takes at most 120 s and a kept one at most 1 s, and both count the same
tests, all of them green. With `--stand-ins` Debian's own copies stand in for crates.io and Maven Central, where these
cannot be reached. Needs an engine and an image with the tools (SANDBOX_POLYGLOT_IMAGE, `.ci/base-image`):

    .ci/base-image repowright-installs:local nodejs npm golang-go cargo-web maven default-jdk-headless npm:pnpm@9

Images that it makes are removed.
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import anyio
from real_suites import Refused, Suite, bare, boxed, fresh, shown

from repowright_tools.errors import SandboxError
from repowright_tools.run_tests_sandboxed.languages import language_spec
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.policy import SandboxPolicy

MOST_S, MOST_KEPT_S = 120.0, 1.0
LOCK_S = 300
CA = os.environ.get("SANDBOX_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")
STAND_INS = """
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    librust-itoa-dev maven-debian-helper junit4 >/dev/null
RUN mkdir /.cargo && printf '[source.crates-io]\\nreplace-with = "here"\\n[source.here]\\ndirectory = "%s"\\n' \
    /usr/share/cargo/registry >/.cargo/config.toml
RUN sed -i 's|</mirrors>|<mirror><id>d</id><mirrorOf>*</mirrorOf><url>file:///usr/share/maven-repo</url></mirror>&|' \
    /etc/maven/settings.xml
"""


@dataclass(frozen=True)
class Kind:
    """A kind of project.

    Attributes:
        files: what it is made of.
        lock: a line for `sh` that makes its lock file.
        command: what tests it.
    """

    files: Mapping[str, str]
    lock: str
    command: str


IS_ODD = '{"name": "kind", "version": "1.0.0", "private": true, "license": "MIT", %s}'
NODE = "const {test} = require('node:test'); const odd = require('is-odd'); const assert = require('assert');\n"
SUITE = "describe('odd', () => { it('one', () => {}); it('one', () => {}); it.skip('later', () => {}) });\n"
VITEST = '"scripts": {"test": "vitest run"}, "devDependencies": {"vitest": "^2.0.0"}'
CORE = f'{{"name": "@kind/core", "version": "1.0.0", "type": "module", "main": "index.js", {VITEST}}}'
APP = f'{{"name": "@kind/app", "version": "1.0.0", "type": "module", "dependencies": {{"@kind/core": "%s"}}, {VITEST}}}'
IMPORTS = "import {test, expect} from 'vitest'; import {one} from '%s';\n"
PACKAGES = {
    "packages/core/package.json": CORE,
    "packages/core/index.js": "export const one = () => 1;\n",
    "packages/core/core.test.js": IMPORTS % "./index.js" + "test('one', () => expect(one()).toBe(1));\n",
    "packages/app/app.test.js": IMPORTS % "@kind/core"
    + "test('one', () => expect(one()).toBe(1)); test.todo('two');\n",
}
KINDS = {
    "npm": Kind(
        {
            "package.json": IS_ODD % '"scripts": {"test": "node --test ./test/*.js"}, "dependencies": {"is-odd": "3"}',
            "test/odd.js": NODE + "test('odd', () => assert(odd(1))); test('odd', () => assert(odd(3)));\n",
            "test/none.js": "",
        },
        "npm install --package-lock-only",
        "npm test",
    ),
    "npm-jest": Kind(
        {
            "package.json": IS_ODD % '"scripts": {"test": "jest"}, "devDependencies": {"jest": "^29.0.0"}',
            "odd.test.js": SUITE.replace("it(", "test("),
        },
        "npm install --package-lock-only",
        "npm test",
    ),
    "npm-workspaces-vitest": Kind(
        {
            "package.json": IS_ODD % '"workspaces": ["packages/*"], "scripts": {"test": "npm test --workspaces"}',
            **PACKAGES,
            "packages/app/package.json": APP % "1.0.0",
        },
        "npm install --package-lock-only",
        "npm test --workspaces",
    ),
    "yarn-mocha": Kind(
        {
            "package.json": IS_ODD
            % '"scripts": {"test": "mocha \\"test/**/*.js\\""}, "devDependencies": {"mocha": "10"}',
            "test/odd.js": SUITE,
        },
        "npm exec --yes --package=yarn@1.22.22 -- yarn install --ignore-scripts; rm -rf node_modules",
        "npm test",
    ),
    "pnpm-workspaces-vitest": Kind(
        {
            "package.json": IS_ODD % '"scripts": {"test": "pnpm -r test"}',
            "pnpm-workspace.yaml": "packages:\n  - packages/*\n",
            **PACKAGES,
            "packages/app/package.json": APP % "workspace:*",
        },
        "npm exec --yes --package=pnpm@9 -- pnpm install --lockfile-only",
        "pnpm -r test",
    ),
    "go": Kind(
        {
            "go.mod": "module example.org/kind\n\ngo 1.18\n\nrequire rsc.io/quote v1.5.2\n",
            "kind_test.go": 'package kind\n\nimport (\n\t"testing"\n\n\t"rsc.io/quote"\n)\n\n'
            "func TestQuote(t *testing.T) {\n\tt.Run(quote.Go(), func(t *testing.T) {})\n}\n",
        },
        "go mod tidy",
        "go test ./...",
    ),
    "cargo": Kind(
        {
            "Cargo.toml": '[package]\nname = "kind"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\nitoa = "1"\n'
            '[[bench]]\nname = "fast"\nharness = false\n',
            "benches/fast.rs": "fn main() {}\n",
            "src/lib.rs": "/// ```\n/// assert_eq!(kind::text(3), \"3\");\n/// ```\n"
            "pub fn text(n: u32) -> String { itoa::Buffer::new().format(n).to_string() }\n"
            "#[test] fn one() {}\n#[test] #[ignore] fn later() {}\n",
            "tests/outer.rs": '#[test] fn outer() { assert_eq!(kind::text(1), "1") }\n',
        },
        "cargo generate-lockfile",
        "cargo test",
    ),
    "maven": Kind(
        {
            "pom.xml": '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
            "<groupId>kind</groupId><artifactId>kind</artifactId><version>1</version><properties>"
            "<maven.compiler.source>11</maven.compiler.source><maven.compiler.target>11</maven.compiler.target>"
            "<project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>"
            "<dependencies><dependency><groupId>junit</groupId><artifactId>junit</artifactId>"
            "<version>4.13.2</version><scope>test</scope></dependency></dependencies></project>\n",
            "src/test/java/OddTest.java": "import org.junit.*;\npublic class OddTest {\n"
            "  @Test public void one() {}\n  @Test public void two() {}\n  @Test @Ignore public void later() {}\n}\n",
        },
        ":",
        "mvn test",
    ),
}  # fmt: skip


def written(kind: Kind, folder: Path, image: str) -> Suite:
    """The project in a repository of its own, with its lock file. Raises Refused when that cannot be made."""
    for name, text in kind.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    made = subprocess.run(
        ["docker", "run", "--rm", "-v", f"{folder}:/kind", "-v", f"{CA}:/tmp/ca.pem:ro", "-w", "/kind",
         "-e", "NODE_EXTRA_CA_CERTS=/tmp/ca.pem", "-e", "SSL_CERT_FILE=/tmp/ca.pem", image, "sh", "-c", kind.lock],
        capture_output=True, text=True, timeout=LOCK_S,
    )  # fmt: skip
    if made.returncode:
        raise Refused(f"`{kind.lock}` failed: {(made.stdout + made.stderr).strip()[-300:]}")
    suite = Suite(folder, kind.command)
    suite.git("init", "-q")
    suite.git("add", "-A")
    suite.git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "start")
    return suite


async def set_up(suite: Suite, image: str) -> tuple[float, float]:
    """Seconds of the installation, and of finding it again."""
    files = {path: (suite.folder / path).read_bytes() for path in suite.git("ls-files").decode().splitlines()}
    spec = language_spec(files)
    if spec is None:
        raise Refused("nothing is installed")
    seconds: list[float] = []
    for _ in range(2):  # each in a process's life of its own
        async with aclosing(DockerSandbox(SandboxPolicy(image=image, ca_bundle=Path(CA)))) as box:
            began = time.perf_counter()
            await box.prepare(spec, run_id=f"r_{uuid4().hex}", network=True)
            seconds.append(time.perf_counter() - began)
    return seconds[0], seconds[1]


async def compare(name: str, kind: Kind, base: str, more: str) -> bool:
    """Print the kind's row, and say whether it holds."""
    with tempfile.TemporaryDirectory() as folder, fresh(base, more) as image:
        try:
            suite = await anyio.to_thread.run_sync(written, kind, Path(folder), image)
            anew, kept = await set_up(suite, image)
            box = await boxed(suite, image)
            plain = await anyio.to_thread.run_sync(bare, suite, box.command, box.report["environment"]["image_digest"])
        except (Refused, SandboxError) as refusal:
            print(f"| {name} | {kind.command} | | | | | **no** |\n{refusal}", flush=True)
            return False
    ours = box.report["totals"]
    equal = ours == plain.counts and box.report["verdict"] == "passed" and plain.exit_code == 0 and sum(ours.values())
    print(
        f"| {name} | {kind.command} | {anew:.1f} | {kept:.2f} | {shown(ours)} | {shown(plain.counts)} |"
        f" {'yes' if equal else '**no**'} |",
        flush=True,
    )
    if not equal:
        print(box.report["reason"], box.report["output_tail"][-1000:], plain.output[-1000:], sep="\n---\n")
    return bool(equal) and anew <= MOST_S and kept <= MOST_KEPT_S


async def measure(names: list[str], base: str, more: str) -> bool:
    print("| kind | command | set-up s | kept s | box: passed/failed/skipped | bare | equal |")
    print("|---|---|---:|---:|---|---|---|", flush=True)
    held = [name for name in names if await compare(name, KINDS[name], base, more)]
    print(f"\n{len(held)} of {len(names)} hold (green, the same counts, set-up in time)")
    return len(held) == len(names)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; all of them by default")
    options.add_argument("--stand-ins", action="store_true", help="use Debian's copies of crates and of Maven's files")
    given = options.parse_args()
    if unknown := [name for name in given.kinds if name not in KINDS]:
        options.error(f"unknown: {', '.join(unknown)}")
    base = os.environ.get("SANDBOX_POLYGLOT_IMAGE", "repowright-installs:local")
    if not anyio.run(measure, given.kinds or list(KINDS), base, STAND_INS if given.stand_ins else ""):
        raise SystemExit("not all kinds hold")


if __name__ == "__main__":
    main()
