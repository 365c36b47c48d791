"""A process that sends requests through the limits of a shared state: `python -I limits_process.py HOME URL REQUESTS`.

It says "ready", waits for a line, sends all requests at once as the limits allow, and ends. Without a URL each request
only takes a place and gives it back.
"""

import sys
from contextlib import suppress
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, SSLContext

import anyio
import httpx2

from repowright_server.runs.limits import StoredLimits
from repowright_server.runs.store import Store
from repowright_tools.errors import RateLimited
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.limits import Limits, Wanted
from repowright_tools.llm.provider import Usage

MODEL = "claude-sonnet-5-5"
KEYS = ("k1", "k2", "k3")


async def ask(client: httpx2.AsyncClient, limits: Limits, run: str) -> None:
    """Until there is an answer: one request as the limits allow, again after each refusal."""
    wanted = Wanted("anthropic", MODEL, KEYS, 10, 10, run)
    while True:
        with suppress(CallFailed):
            async with limits.capacity(wanted, deadline=None, waiting=lambda seconds, why: None) as slot:
                response = await post(client, slot.key)
                await slot.opened(response.headers)
                return slot.used(usage_of(response))


async def post(client: httpx2.AsyncClient, key: str) -> httpx2.Response:
    body = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}
    return await client.post("/v1/messages", json=body, headers={"x-api-key": key})


def usage_of(response: httpx2.Response) -> Usage:
    if response.status_code == 200:
        usage = response.json()["usage"]
        return Usage(usage["input_tokens"], usage["output_tokens"])
    wait_s = float(response.headers["retry-after"])
    refused = RateLimited("refused")
    raise CallFailed(refused, blame="organisation", may_pass=True, wait_s=wait_s, billed=Usage(), status=429)


def client_of(url: str) -> httpx2.AsyncClient:
    """Plain HTTP: it reads no certificate authorities."""
    return httpx2.AsyncClient(base_url=url, verify=SSLContext(PROTOCOL_TLS_CLIENT), trust_env=False, timeout=30.0)


async def main(home: str, url: str, requests: int) -> None:
    state = StoredLimits(Store(None, Path(home)))
    limits = Limits(state, initial_wait_s=1.0, longest_wait_s=60.0, calls=None, period_s=60.0)
    print("ready", flush=True)
    sys.stdin.readline()
    if not url:
        for _ in range(requests):
            await state.change(lambda book: book.next_tick())
        return
    async with client_of(url) as client, anyio.create_task_group() as group:
        for number in range(requests):
            group.start_soon(ask, client, limits, f"run {number} of {id(client)}")


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], int(sys.argv[3]))
