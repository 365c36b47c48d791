"""The measured figures as tables in Markdown, each beside its limit."""

from collections.abc import Sequence

from measured_repository import Measured

COLD_FACTOR, COLD_EXTRA_S = 2.0, 0.3
PEER_FACTOR = 8.0
WARM_SHARE, WARM_S = 0.05, 0.25
TOUCHED_EXTRA_S = 0.05
MEMORY_MB = 400.0


def speed_tables(measured: Sequence[Measured]) -> str:
    return "\n".join(
        f"### {title}\n\n{table(head, [row(one) for one in measured])}\n"
        for title, head, row in (
            ("Cold: from listing to map, nothing kept", _COLD_HEAD, _cold),
            ("Cold beside the map of aider-chat", _PEER_HEAD, _peer),
            ("Warm, and with one file touched", _WARM_HEAD, _warm),
            ("Open in a second process", _SECOND_HEAD, _second),
            ("Peak memory over all processes", _MEMORY_HEAD, _memory),
        )
        if title != "Cold beside the map of aider-chat" or any("peer cold" in one.seconds for one in measured)
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def yes(holds: bool) -> str:
    return "yes" if holds else "**no**"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


_COLD_HEAD = (
    *("repository", "files", "parsed", "source", "floor: parse in one process", "cold", "times floor"),
    *("limit: 2.0 x floor + 300 ms", "within", "whole process"),
)


def _cold(one: Measured) -> list[str]:
    floor, cold = one.seconds["floor"], one.seconds["cold"]
    limit = COLD_FACTOR * floor + COLD_EXTRA_S
    return [
        one.name, f"{one.listed:,}", f"{one.parsed:,}", f"{one.size / 1e6:.1f} MB", _ms(floor), _ms(cold),
        f"{cold / floor:.2f}", _ms(limit), yes(cold <= limit), _ms(one.seconds["cold process"]),
    ]  # fmt: skip


_PEER_HEAD = (
    *("repository", "ours", "aider-chat", "times faster", "ours, whole process", "aider-chat, whole process"),
    *("times faster", "limit", "within", "aider-chat warm", "touched", "its memory"),
)


def _peer(one: Measured) -> list[str]:
    if "peer cold" not in one.seconds:
        return [one.name, _ms(one.seconds["cold"]), *["-"] * 10]
    inside = one.seconds["peer cold"] / one.seconds["cold"]
    whole = one.seconds["peer cold process"] / one.seconds["cold process"]
    return [
        one.name, _ms(one.seconds["cold"]), _ms(one.seconds["peer cold"]), f"{inside:.1f}",
        _ms(one.seconds["cold process"]), _ms(one.seconds["peer cold process"]), f"{whole:.1f}",
        f"{PEER_FACTOR:g} times", yes(min(inside, whole) >= PEER_FACTOR),
        _ms(one.seconds["peer warm"]), _ms(one.seconds["peer touched"]), f"{one.peer_memory or 0:,.0f} MB",
    ]  # fmt: skip


_WARM_HEAD = (
    *("repository", "warm", "limit: 5 % of cold or 250 ms", "within", "whole process", "parsed", "same map"),
    *("one file touched", "limit: warm + 50 ms", "within", "parsed"),
)


def _warm(one: Measured) -> list[str]:
    warm, touched = one.seconds["warm"], one.seconds["touched"]
    limit = max(WARM_SHARE * one.seconds["cold"], WARM_S)
    return [
        one.name, _ms(warm), _ms(limit), yes(warm <= limit), _ms(one.seconds["warm process"]),
        str(one.reparsed["warm"]), yes(one.same),
        _ms(touched), _ms(warm + TOUCHED_EXTRA_S), yes(touched <= warm + TOUCHED_EXTRA_S), str(one.reparsed["touched"]),
    ]  # fmt: skip


_SECOND_HEAD = (
    *("repository", "second process, the first still has it open", "parsed", "no rebuild"),
    *("again in the same process", "limit: 5 % of cold or 250 ms", "within", "touched, in the same process", "parsed"),
)


def _second(one: Measured) -> list[str]:
    again = one.seconds["again"]
    limit = max(WARM_SHARE * one.seconds["cold"], WARM_S)
    return [
        one.name, _ms(one.seconds["second"]), str(one.reparsed["second"]), yes(one.reparsed["second"] == 0),
        _ms(again), _ms(limit), yes(again <= limit),
        _ms(one.seconds["touched again"]), str(one.reparsed["touched again"]),
    ]  # fmt: skip


_MEMORY_HEAD = (
    *("repository", "files", "cold", "cold with a focus", "warm", "limit", "within"),
    "sum of every process's own peak, cold with a focus",
)


def _memory(one: Measured) -> list[str]:
    cold, focus, warm = (one.peak[name] for name in ("cold", "cold with a focus", "warm"))
    return [
        one.name, f"{one.listed:,}", *(f"{peak.together:.0f} MB" for peak in (cold, focus, warm)),
        f"{MEMORY_MB:.0f} MB", yes(max(cold.together, focus.together, warm.together) < MEMORY_MB),
        f"{focus.marks:.0f} MB",
    ]  # fmt: skip
