"""The search that is kept in a database: what it finds first, why, and that nothing stored before changes an answer."""

import random
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1
from pathlib import Path

import pytest

from repowright_tools.index.history import Commit
from repowright_tools.index.parse import Symbol
from repowright_tools.index.search.document import MAX_TERMS, WINDOWS, Document, document
from repowright_tools.index.search.evidence import Neighbours
from repowright_tools.index.search.search import Relevant, Search

FILES = {
    "http/client.py": "class RetryPolicy:\n    '''How often a request is sent.'''\n\n\ndef send_request(): pass\n",
    "http/server.py": "def listen(port): pass\n",
    "billing/invoice.py": "def total_amount(lines): return sum(lines)\n",
    "billing/tax.py": "RATE = 0.2\n",
    "docs/retrying.md": "How to retry.\n",
}
SYMBOLS = {
    "http/client.py": [
        Symbol("RetryPolicy", "class", "class RetryPolicy", 1, 2, "", False),
        Symbol("send_request", "function", "def send_request()", 5, 5, "", False),
    ],
    "billing/invoice.py": [Symbol("total_amount", "function", "def total_amount(lines)", 1, 1, "", False)],
}


def database(place: Path | None = None) -> sqlite3.Connection:
    connection = sqlite3.connect(place or ":memory:", isolation_level=None, timeout=10)
    connection.execute("PRAGMA journal_mode=WAL")
    return connection


def blob(text: str) -> str:
    return sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def synced(search: Search, files: Mapping[str, str], read: list[str] | None = None) -> Search:
    def load(path: str) -> Document:
        if read is not None:
            read.append(path)
        return document(files[path], SYMBOLS.get(path, ()))

    search.sync({path: blob(text) for path, text in files.items()}, load)
    return search


def asked(
    search: Search, focus: str, commits: Sequence[Commit] = (), neighbours: Neighbours | None = None
) -> list[Relevant]:
    def symbols(path: str) -> Sequence[Symbol]:
        return SYMBOLS.get(path, ())

    return search.search(focus, 50, commits=commits, neighbours=neighbours, symbols=symbols)


def test_the_best_file_comes_first_with_the_reason_in_words() -> None:
    found = asked(synced(Search(database()), FILES), "Make the retry policy of the HTTP client configurable")
    assert found[0].path == "http/client.py"
    assert found[0].why == (
        "its path has 'client', 'http'; it defines RetryPolicy (line 1); its text has 'policy', 'retry'"
    )
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert "billing/invoice.py" not in [hit.path for hit in found]


@pytest.mark.parametrize("focus", ["billing/tax.py", "./billing/tax.py", "look at tax.py, where the retry policy is"])
def test_a_file_that_is_named_comes_first(focus: str) -> None:
    found = asked(synced(Search(database()), FILES), focus)
    assert found[0].path == "billing/tax.py"
    assert found[0].why.startswith("the request names ")


@pytest.mark.parametrize("focus", ["total_amount", "total_amount()", "client retry: see `invoice.total_amount`"])
def test_the_file_that_defines_what_is_named_comes_first_and_its_neighbours_next(focus: str) -> None:
    links = {"billing/invoice.py": {"billing/tax.py": 1.0}}
    found = asked(synced(Search(database()), FILES), focus, (), lambda path: links.get(path, {}))
    assert found[0].path == "billing/invoice.py"
    tax = next(hit for hit in found if hit.path == "billing/tax.py")
    assert "it is linked with billing/invoice.py" in tax.why
    if focus == "total_amount":
        assert found[1] == tax


def test_a_file_that_changed_for_the_same_words_is_found_though_it_has_none_of_them() -> None:
    commits = [Commit("a" * 40, 2000, "Round the VAT to cents", ("billing/tax.py",))]
    commits += [Commit(f"{number:040x}", 1000 - number, "Something else", ("http/server.py",)) for number in range(9)]
    search = synced(Search(database()), FILES)
    found = asked(search, "VAT is rounded wrongly", commits=commits)
    assert [hit.path for hit in found][:1] == ["billing/tax.py"]
    assert "it changed for 'rounded', 'vat' in commit aaaaaaa" in found[0].why
    assert asked(search, "VAT is rounded wrongly") == []


def test_nothing_found_is_an_empty_list_and_the_number_of_hits_is_bounded() -> None:
    search = synced(Search(database()), FILES)
    assert [asked(search, focus) for focus in ("zebra", "", " ?! ", "\0")] == [[], [], [], []]
    assert len(search.search("http", limit=1)) == 1
    assert asked(synced(Search(database()), {}), "retry") == []


def test_what_changed_together_once_or_changes_often_is_no_answer_by_that_alone() -> None:
    commits = [Commit("c" * 40, 1000, "First", tuple(FILES))]
    search = synced(Search(database()), FILES)
    assert asked(search, "zebra", commits) == []
    found = asked(search, "retry policy of the client", commits)
    assert not [hit.path for hit in found if hit.path.startswith("billing")]


def test_a_text_that_is_there_twice_is_read_once_and_found_under_both_names() -> None:
    read: list[str] = []
    search = synced(Search(database()), {"a.py": "zebra", "b.py": "zebra"}, read)
    assert read == ["a.py"]
    assert [hit.path for hit in asked(search, "zebra")] == ["a.py", "b.py"]


def test_only_texts_that_were_never_seen_are_read_in_any_process_or_tree(tmp_path: Path) -> None:
    place, read = tmp_path / "index.sqlite", list[str]()
    synced(Search(database(place)), FILES)
    other = synced(Search(database(place)), {**FILES, "http/server.py": "def serve(): pass\n"}, read)
    assert read == ["http/server.py"]
    synced(other, FILES, read)
    assert read == ["http/server.py"]


def test_the_answer_depends_on_the_tree_alone_whatever_was_stored_before(tmp_path: Path) -> None:
    draw = random.Random(3)
    vocabulary = [
        "retry",
        "client",
        "http",
        "policy",
        "server",
        "listen",
        "port",
        "amount",
        "total",
        "tax",
        "parse",
        "url",
        "header",
        "cache",
        "token",
    ]
    lived = Search(database(tmp_path / "lived.sqlite"))
    files = {f"src/{name}.py": f"{name}\n" for name in vocabulary[:6]}
    for _ in range(25):
        for _ in range(draw.randint(1, 4)):
            path = f"{draw.choice(('src', 'lib'))}/{draw.choice(vocabulary)}.py"
            if draw.random() < 0.3:
                files.pop(path, None)
            else:
                files[path] = " ".join(draw.choices(vocabulary, k=draw.randint(1, 30)))
        synced(lived, files)
        fresh = synced(Search(database()), files)
        question = " ".join(draw.choices(vocabulary, k=3))
        assert asked(lived, question) == asked(fresh, question)


def test_several_processes_may_fill_one_database_at_once(tmp_path: Path) -> None:
    place = tmp_path / "index.sqlite"
    Search(database(place))
    files = {f"{number}.py": f"word{number} retry" for number in range(300)}

    def fill() -> list[Relevant]:
        return asked(synced(Search(database(place)), files), "retry word7")

    with ThreadPoolExecutor(4) as pool:  # each with a connection of its own, as processes have
        answers = [waiting.result() for waiting in [pool.submit(fill) for _ in range(4)]]
    assert answers == [asked(synced(Search(database()), files), "retry word7")] * 4
    (count,) = database(place).execute("SELECT count(*) FROM search_document").fetchone()
    assert count == len(files)


def test_what_was_stored_before_an_end_half_way_is_whole(tmp_path: Path) -> None:
    place = tmp_path / "index.sqlite"

    class Killed(BaseException):
        pass

    def load(path: str) -> Document:
        if path == "http/server.py":
            raise Killed
        return document(FILES[path], SYMBOLS.get(path, ()))

    with pytest.raises(Killed):
        Search(database(place)).sync({path: blob(text) for path, text in FILES.items()}, load)
    question = "retry policy of the server"
    assert asked(synced(Search(database(place)), FILES), question) == asked(synced(Search(database()), FILES), question)


def test_documents_that_nobody_needs_are_dropped_and_a_search_that_needed_them_reads_them_again(
    tmp_path: Path,
) -> None:
    place = tmp_path / "index.sqlite"
    read: list[str] = []
    first = synced(Search(database(place), spare=0), FILES, read)
    before = asked(first, "retry policy")
    other = synced(Search(database(place), spare=3), {"only.py": "retry"})
    (count,) = database(place).execute("SELECT count(*) FROM search_document").fetchone()
    assert count == 1
    assert [hit.path for hit in asked(other, "retry")] == ["only.py"]
    assert asked(first, "retry policy") == before
    assert len(read) == 2 * len(FILES)


def test_what_is_stored_has_no_secret_in_it(tmp_path: Path) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    place = tmp_path / "index.sqlite"
    search = synced(Search(database(place)), {"a.py": f'TOKEN = "{token}"\n'})
    commits = [Commit("b" * 40, 1, "zebra", ("a.py",))]
    asked(search, "token", commits=commits)
    (left,) = database(place).execute("SELECT count(*) FROM search_posting WHERE term LIKE '%b2c3%'").fetchone()
    assert left == 0
    assert asked(search, token) == []


def test_hostile_texts_and_requests_stay_within_bounds() -> None:
    many = document(" ".join(f"word{number}x" for number in range(2 * MAX_TERMS)))
    assert len(many.terms) == MAX_TERMS
    long = document("line\n" * 100_000)
    assert len(long.windows) <= WINDOWS
    assert long.counts == [0xFFFF]
    assert document("x" * 1_000_000).terms == []
    search = synced(Search(database()), {"a.py": "\ud800 retry \0 \u202e"})
    assert [hit.path for hit in asked(search, "retry " + '../`"(' * 50_000)] == ["a.py"]
