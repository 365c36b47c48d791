"""Texts of a run that are served whole: as resources, and paged by get_run for clients that cannot read those."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from repowright_server.protocol.envelope import URI
from repowright_tools.errors import ArtifactMissing
from repowright_tools.stage import AnyStage

if TYPE_CHECKING:
    from repowright_server.engine import Engine

Texts = dict[str, tuple[str, str]]
"""Artifacts by name: MIME type and text."""

PAGE_CHARS = 22_000
PAGE_BYTES = 48_000
"""Most of one page of get_run, as JSON writes it: with the envelope around it nothing has to be cut, in the structured
content or in the text."""


def texts_of(stage: AnyStage, result: dict[str, Any]) -> Texts:
    """The artifacts of one complete stage, its whole result among them."""
    made = {each.name: (each.mime_type, each.text) for each in stage.artifacts(stage.result.model_validate(result))}
    return made | {f"results/{stage.name}": ("application/json", json.dumps(result, ensure_ascii=False, indent=1))}


async def all_texts(engine: "Engine", run_id: str) -> Texts:
    """Every artifact of a run.

    Raises:
        UnknownRun: there is no such run.
    """
    state = await engine.state(run_id)
    texts: Texts = {}
    for name, result in state.results.items():
        texts |= texts_of(engine.stages[name], result)
    lines = [f"{time_of(row['at'])} {row['kind']}: {row['body']['text']}" for row in state.events]
    texts["log"] = ("text/plain", "\n".join(lines) + "\n")
    texts["evidence"] = ("application/json", json.dumps(state.evidence(), ensure_ascii=False, indent=1))
    return texts


async def read(engine: "Engine", run_id: str, name: str) -> tuple[str, str]:
    """MIME type and text of one artifact.

    Raises:
        UnknownRun, ArtifactMissing: as their names say.
    """
    texts = await all_texts(engine, run_id)
    if name not in texts:
        raise ArtifactMissing(f"run {run_id} has no artifact {name}; it has: {', '.join(sorted(texts))}")
    return texts[name]


async def page(engine: "Engine", run_id: str, uri: str, offset: int) -> tuple[str, int | None]:
    """A page of the artifact with this URI from a character on, and where the next page begins.

    Raises:
        UnknownRun, ArtifactMissing: as their names say; also for an artifact of another run.
    """
    prefix = f"{URI}/{run_id}/"
    if not uri.startswith(prefix):
        raise ArtifactMissing(f"{uri} is no artifact of run {run_id}")
    _, text = await read(engine, run_id, uri.removeprefix(prefix))
    shown = _page_at(text, offset)
    end = offset + len(shown)
    return shown, end if end < len(text) else None


def _page_at(text: str, offset: int) -> str:
    shown = text[offset : offset + PAGE_CHARS]
    while True:
        written = json.dumps(shown, ensure_ascii=False)
        over = max(len(written) / PAGE_CHARS, len(written.encode(errors="surrogatepass")) / PAGE_BYTES)
        if over <= 1 or len(shown) <= 1:
            return shown
        shown = shown[: max(int(len(shown) / over), 1)]


def time_of(at: float) -> str:
    """Seconds since the epoch as RFC 3339."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
