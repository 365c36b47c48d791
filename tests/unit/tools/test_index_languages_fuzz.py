"""Files with changed bytes through every grammar: parsers are native code that reads what anybody wrote."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from repowright_tools.index.languages import LANGUAGES
from support.mutations import SEEDS

COUNT = 10_000
DEADLINE_S = 60
GROWTH_KB = 24 * 1024
PROGRAM = """
import json, resource, sys, time
sys.path.insert(0, sys.argv[1])
from repowright_tools.index.parse import parse
from support.mutations import mutated
first = slowest = symbols = 0
for number, (grammar, data) in enumerate(mutated(int(sys.argv[2]), int(sys.argv[3]))):
    began = time.process_time()
    parsed = parse(grammar, data)
    slowest = max(slowest, time.process_time() - began)
    symbols += len(parsed.symbols)
    if number == int(sys.argv[3]) // 4:  # grammars, queries and caches are in memory by now
        first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - first
print(json.dumps({"files": number + 1, "slowest_s": slowest, "grown_kb": grown, "symbols": symbols}))
"""


def test_there_are_files_of_every_grammar() -> None:
    assert set(SEEDS) == {grammar.name for language in LANGUAGES for grammar in language.grammars}


@pytest.mark.parametrize("seed", [1, 2])
def test_no_changed_byte_crashes_hangs_or_fills_the_memory(seed: int) -> None:
    tests = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", PROGRAM, tests, str(seed), str(COUNT // 2)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]  # a signal is a crash
    told = json.loads(done.stdout)
    assert told["files"] == COUNT // 2
    assert told["slowest_s"] < 1
    assert told["grown_kb"] < GROWTH_KB
    assert told["symbols"] > COUNT // 2  # what is left sound is still found
