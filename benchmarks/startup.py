"""How much later `tools/list` is answered than by a bare server with one tool: the ratio of medians of paired runs.

`python benchmarks/startup.py [PAIRS]`. Both servers run on the same interpreter and SDK, in turn, after a warm-up. Byte
code goes to a folder of its own, so that both are measured as installed programs are, whatever the environment says.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

BARE = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("bare", version="1")
@server.tool()
def hello(name: str) -> str:
    return name
server.run()
"""
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


def answered(command: list[str], environment: dict[str, str]) -> float:
    """Seconds from the spawn to the answer to tools/list."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None

        def send(message: dict[str, Any]) -> None:
            assert server.stdin is not None
            server.stdin.write(json.dumps({"jsonrpc": "2.0"} | message) + "\n")
            server.stdin.flush()

        send({"id": 1, "method": "initialize", "params": HELLO})
        server.stdout.readline()
        send({"method": "notifications/initialized"})
        send({"id": 2, "method": "tools/list", "params": {}})
        listed = json.loads(server.stdout.readline())["result"]["tools"]
        took = time.perf_counter() - began
        assert listed
        server.stdin.close()
        server.wait()
    return took


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "PYTHONPYCACHEPREFIX": f"{folder}/cache", "REPOWRIGHT_HOME": f"{folder}/home", "LLM_PROVIDER": "host"
        }  # fmt: skip
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        bare = [sys.executable, "-c", BARE]
        ours = [sys.executable, "-P", "-m", "repowright_server", "serve"]
        for command in (bare, ours, bare, ours):
            answered(command, environment)
        times = [(answered(bare, environment), answered(ours, environment)) for _ in range(pairs)]
    first, second = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"bare {first:.3f} s, repowright {second:.3f} s, ratio of medians over {pairs} pairs {second / first:.2f}")


if __name__ == "__main__":
    main()
