"""Many calls at once: no more boxes than the operator allows, and the others wait their turn."""

from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from repowright_tools.sandbox.base import Execution
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.stage import StageContext
from support.docker import boxes_of
from support.stages import Toy, bench

_NAME = len(f"repowright-{uuid4().hex}")

pytestmark = [pytest.mark.docker, pytest.mark.anyio]


@pytest.mark.parametrize(("calls", "most"), [(20, 3), (6, 6)])
async def test_there_are_never_more_boxes_than_allowed(
    tmp_path: Path, sandbox: DockerSandbox, docker_client: Client, calls: int, most: int
) -> None:
    """S19; the second row is the knock-out: with a higher bound there are more than three."""
    label = f"r_{uuid4().hex}"
    finished, seen = list[str](), [0]

    async def act(ctx: StageContext) -> str:
        outcome = await sandbox.execute(Execution(label, [], "sleep 0.5; echo ran", 30))
        finished.append(ctx.run_id)
        return outcome.output

    async def look(scope: anyio.CancelScope) -> None:
        with scope:
            while True:
                names = await anyio.to_thread.run_sync(boxes_of, docker_client, label)
                seen.append(len({name[:_NAME] for name in names}))  # a box's volumes begin with its name

    async with bench(tmp_path, Toy("toy", act), most=most) as table, anyio.create_task_group() as tasks:
        looking = anyio.CancelScope()
        tasks.start_soon(look, looking)
        claims = [await table.dispatcher.submit(table.call("toy", word=str(number))) for number in range(calls)]
        with anyio.fail_after(60):
            for claim in claims:
                attempt = await table.dispatcher.ended(claim.attempt)
                assert attempt.status == "COMPLETE"
        looking.cancel()
    assert len(finished) == calls
    assert max(seen) <= most
    assert (max(seen) > 3) is (most > 3)
    assert boxes_of(docker_client, label) == []
