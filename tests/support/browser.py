"""A real browser for tests: Chromium without a window, that finds no host.

Without one (`.ci/browser` installs it), tests that need it are skipped; with REQUIRE_BROWSER=1 they fail.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr",
)  # fmt: skip


@dataclass(frozen=True)
class Rendered:
    """A page after the browser read it.

    Attributes:
        elements: in order, as name and attributes.
        text: all of it.
        complaints: what the browser said of it: errors of scripts, violations of its policy, and what scripts print.
        requests: what was asked of hosts below `.invalid`, which only a page can know; the browser has errands of its
            own elsewhere, which find no host.
    """

    elements: list[tuple[str, dict[str, str | None]]]
    text: str
    complaints: list[str]
    requests: list[str]

    def count(self, tag: str, **attributes: str) -> int:
        return len(self.all(tag, **attributes))

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """The attributes of each element of that kind, of those that have all the given words in these attributes."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            found for name, found in self.elements
            if name == tag and all(value in (found.get(key) or "").split() for key, value in wanted.items())
        ]  # fmt: skip


class Browser:
    def __init__(self, program: str, profile: Path) -> None:
        self._program = program
        self._profile = profile

    def render(self, page: Path) -> Rendered:
        """Open a file as a user would."""
        log = page.with_suffix(".log")
        done = self._run(page, "--dump-dom", f"--log-net-log={log}")
        parser = read_elements(done.stdout)
        complaints = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        requests = sorted(set(re.findall(r"https?://[^\s/\"]+\.invalid[^\s\"]*", log.read_text(errors="replace"))))
        return Rendered(parser.elements, " ".join(parser.texts), complaints, requests)

    def screenshot(self, page: Path, picture: Path, width: int = 1200, height: int = 900) -> bytes:
        self._run(page, f"--screenshot={picture}", f"--window-size={width},{height}")
        return picture.read_bytes()

    def _run(self, page: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [self._program, *_QUIET, f"--user-data-dir={self._profile}", *arguments, page.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)


def read_elements(html: str) -> "Elements":
    """The elements and texts of a document, as the library of Python reads them."""
    parser = Elements()
    parser.feed(html)
    return parser


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        reason = "there is no Chromium (run .ci/browser)"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(f"{reason}, and REQUIRE_BROWSER=1", pytrace=False)
        pytest.skip(reason)
    return Browser(program, tmp_path_factory.mktemp("browser"))
