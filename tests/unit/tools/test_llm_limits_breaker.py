"""The breaker: closed, open, and one probe."""

from repowright_tools.llm.breaker import Circuit

NOW = 1_800_000_000.0


def tripped(at: float = NOW) -> Circuit:
    circuit = Circuit()
    for number in range(5):
        circuit.failed(f"t{number}", at)
    return circuit


def probed(circuit: Circuit, ticket: str, now: float) -> Circuit:
    assert circuit.wait_s(ticket, now) == 0
    circuit.sent(ticket, now)
    return circuit


def test_five_failures_in_a_row_open_it_for_five_seconds() -> None:
    circuit = Circuit()
    for number in range(5):
        assert circuit.wait_s("a", NOW) == 0, number
        circuit.failed("a", NOW)

    assert circuit.wait_s("b", NOW) == 5
    assert circuit.wait_s("b", NOW + 4) == 1


def test_a_success_in_between_counts_from_the_beginning() -> None:
    circuit = Circuit()
    for outcome in "ffffsffff":
        circuit.failed("a", NOW) if outcome == "f" else circuit.succeeded("a")

    assert circuit.wait_s("b", NOW) == 0


def test_one_probe_goes_and_the_others_wait_for_it() -> None:
    circuit = probed(tripped(), "probe", NOW + 5)

    assert circuit.wait_s("other", NOW + 5) == 60
    assert circuit.probing
    assert circuit.wait_s("probe", NOW + 5) == 0


def test_a_probe_that_succeeds_closes_it() -> None:
    circuit = probed(tripped(), "probe", NOW + 5)
    circuit.succeeded("probe")

    assert circuit.wait_s("other", NOW + 5) == 0
    circuit.failed("other", NOW + 6)
    assert circuit.wait_s("other", NOW + 6) == 0


def test_each_probe_that_fails_doubles_the_time_up_to_two_minutes() -> None:
    circuit, now, opens = tripped(), NOW, [5.0]
    for number in range(6):
        now += opens[-1]
        probed(circuit, f"p{number}", now).failed(f"p{number}", now)
        opens.append(circuit.wait_s("other", now))

    assert opens == [5, 10, 20, 40, 80, 120, 120]


def test_what_was_asked_before_it_opened_neither_closes_nor_prolongs_it() -> None:
    circuit = tripped()
    circuit.failed("early", NOW + 1)
    assert circuit.wait_s("other", NOW + 1) == 4
    circuit.succeeded("early too")
    assert circuit.wait_s("other", NOW + 1) == 4
    probed(circuit, "probe", NOW + 5).failed("early", NOW + 6)
    assert circuit.wait_s("probe", NOW + 6) == 0


def test_a_probe_that_says_nothing_leaves_the_place_to_another() -> None:
    circuit = probed(tripped(), "probe", NOW + 5)
    circuit.left("probe")

    assert circuit.wait_s("other", NOW + 5) == 0


def test_a_probe_whose_process_died_is_given_up() -> None:
    circuit = probed(tripped(), "probe", NOW + 5)

    assert circuit.wait_s("other", NOW + 64.9) > 0
    probed(circuit, "other", NOW + 65)
    assert circuit.wait_s("third", NOW + 65) == 60


def test_a_clock_set_back_does_not_keep_it_open() -> None:
    assert tripped().wait_s("other", NOW - 3600) == 0
