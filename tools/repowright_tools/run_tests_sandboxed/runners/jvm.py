"""Maven and Gradle: the folders of JUnit files that their test tasks leave, one file a class."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Collection, Iterator, Mapping

from repowright_tools.run_tests_sandboxed.junit import read_junit
from repowright_tools.run_tests_sandboxed.models import Case
from repowright_tools.run_tests_sandboxed.runners.base import MOST_BYTES, Cases, Reporting
from repowright_tools.run_tests_sandboxed.runners.words import joined
from repowright_tools.sandbox.base import OUT

_REPORT = "reports.tar"
_MOST_FILES = 5_000
_FIND = (
    r"find . -type f -name 'TEST-*.xml'"
    r" \( -path '*/surefire-reports/*' -o -path '*/failsafe-reports/*' -o -path '*/test-results/*' \)"
)
_TOOLS = ("mvn", "./mvnw", "mvnw", "gradle", "./gradlew", "gradlew")


def jvm_reporting(words: list[str]) -> Reporting | None:
    """How Maven or Gradle with these words reports; None when it is something else, or tests nothing."""
    if not words or words[0] not in _TOOLS or not {"test", "verify", "check", "install", "build"} & set(words[1:]):
        return None
    maven = "mvn" in words[0]
    tool = "mvn" if maven else "gradle"  # the image's own: a wrapper would fetch another, and here is no network
    whole = ["--batch-mode", "--fail-at-end", "--offline"] if maven else ["--continue", "--offline", "--no-daemon"]
    command = joined([tool, *(word for word in whole if word not in words), *words[1:]])
    # Reports that lie in the repository are of another day
    line = f"{_FIND} -delete; {command}; code=$?; {_FIND} -print0 | tar --null -T - -cf {OUT}/{_REPORT}; exit $code"
    return Reporting(line, (_REPORT,), _read, foreign=True)


def _read(files: Mapping[str, bytes], paths: Collection[str]) -> list[Case] | None:
    return read_reports(files.get(_REPORT, b""), paths)


def read_reports(data: bytes, paths: Collection[str]) -> list[Case] | None:
    """The tests of all JUnit files in an archive, as `package.Class::test`. Links and devices in it are passed over."""
    cases, found = Cases(), False
    for content in _contents(data):
        for case in read_junit(content, paths) or []:
            found = True
            cases.add(case.id, case.outcome, case.duration_s, case.message or "")
    return cases.all() if found else None


def _contents(data: bytes) -> Iterator[bytes]:
    left = MOST_BYTES
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for number, entry in enumerate(archive):
                if number >= _MOST_FILES:
                    return
                if entry.type != tarfile.REGTYPE or not 0 < entry.size <= left:
                    continue
                left -= entry.size
                content = archive.extractfile(entry)
                if content is not None:
                    yield content.read(entry.size)
    except (tarfile.TarError, ValueError, OverflowError, EOFError):
        return
