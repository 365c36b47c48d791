"""repowright doctor: check the full stack, and say how to mend each part."""

import argparse
import sys

import anyio

from repowright_server.commands.exits import DONE, NO
from repowright_server.commands.session import session
from repowright_server.observability.health import Health, check_all
from repowright_server.settings import load_settings


def run(args: argparse.Namespace) -> int:
    del args

    async def check() -> list[Health]:
        async with session(load_settings()) as engine:
            return await check_all(engine)

    found = anyio.run(check)
    for each in found:
        verdict = "ok  " if each.ok else "warn" if each.optional else "FAIL"
        sys.stdout.write(f"{verdict} {each.name:<8} {each.detail}\n")
        if not each.ok:
            sys.stdout.write(f"              {each.mend}\n")
    return DONE if all(each.ok or each.optional for each in found) else NO
