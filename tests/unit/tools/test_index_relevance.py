"""Which files a request finds, and why."""

from pathlib import Path

import pytest

from repowright_tools.index.index import Index
from support.repositories import make_repository

FILES = {
    "http/client.py": "class RetryPolicy:\n    '''How often a request is sent.'''\n\n\ndef send_request(): pass\n",
    "http/server.py": "def listen(port): pass\n",
    "billing/invoice.py": "def total_amount(lines): return sum(lines)\n",
    "docs/retrying.md": "How to retry.\n",
}


@pytest.mark.anyio
async def test_the_best_file_comes_first_with_a_reason_in_words(tmp_path: Path) -> None:
    make_repository(tmp_path, FILES)
    index = await Index().open(tmp_path)
    found = await index.relevant("Make the retry policy of the HTTP client configurable")

    assert found[0].path == "http/client.py"
    assert found[0].why == (
        "its path has 'client', 'http'; it defines RetryPolicy (line 1); its text has 'policy', 'retry'"
    )
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert "billing/invoice.py" not in [hit.path for hit in found]
    assert found == (await index.relevant("Make the retry policy of the HTTP client configurable"))


@pytest.mark.anyio
async def test_the_number_of_hits_is_bounded_and_nothing_found_is_an_empty_list(tmp_path: Path) -> None:
    make_repository(tmp_path, FILES)
    index = await Index().open(tmp_path)
    assert len(await index.relevant("http", limit=1)) == 1
    assert (await index.relevant("zebra")) == []
    assert (await index.relevant(" ?! ")) == []


@pytest.mark.anyio
async def test_names_and_paths_can_be_looked_up_and_misspelled_ones_suggested(tmp_path: Path) -> None:
    make_repository(tmp_path, {**FILES, "yarn.lock": "x\n"})
    index = await Index().open(tmp_path)

    assert [index.has_symbol(name) for name in ("RetryPolicy", "send_request()", "client.send_request", "Retry")] == [
        *(True, True, True),
        False,
    ]
    assert [index.has_path(path) for path in ("http/client.py", "yarn.lock", "http", "../x")] == [
        True,
        True,
        False,
        False,
    ]
    assert index.nearest_paths("src/http/clients.py")[0] == "http/client.py"
    assert index.nearest_symbols("RetryPolicies")[0] == "RetryPolicy"
    assert index.nearest_paths("zzzzzz") == []
