"""Host tier: what ended is copied to host memory, and comes back from there instead of being computed again."""

from typing import Any

from simcore.contract import PinKV, Unpin
from simcore.simulator.settings import Fault
from tests.simulator.given import Row, both, slow
from tests.simulator.harness import scheduler

CHAT = [Row(0, 32, 1, program=0), Row(0, 48, 1, program=0, turn=1, gap=500)]
"""Two turns; the first leaves two full blocks at 10 ms, the second comes at 510."""
BIG = Row(15, 64, 1)
"""Needs all four blocks, and pushes them out."""
TIER: dict[str, Any] = {"prefix_cache": "cold", "kv_blocks": 4, "offload": "ended", "host_blocks": 100, **slow()}
"""A block takes a millisecond, each way."""


def counted(seen: Any) -> tuple[int, ...]:
    names = ("offloads", "offloaded_blocks", "reloads", "reloaded_blocks", "host_evictions")
    return tuple(seen.counters[name] for name in names)


def test_a_history_that_was_pushed_out_comes_back_over_the_link():
    """Copied out 10 to 12 ms; copied in 510 to 512, and 16 tokens computed until 522."""
    seen = both([*CHAT, BIG], **TIER)
    assert seen.when("fetch", 1) == [510]
    assert seen.tokens == {0: [10], 1: [522], 2: [25]}
    assert seen.cached[1] == 32
    assert seen.prefills() == [(32, 0), (64, 0), (16, 32)]
    assert counted(seen) == (3, 2 + 4 + 1, 1, 2, 0)


def test_what_the_cache_still_has_is_not_copied():
    seen = both(CHAT, **TIER)
    assert seen.tokens[1] == [520]
    assert counted(seen) == (2, 3, 0, 0, 0)


def test_only_the_blocks_missing_here_are_copied_in():
    """48 tokens push out one of the two blocks, for one of the four was free."""
    seen = both([*CHAT, BIG._replace(prompt=48)], **TIER)
    assert seen.details("fetch", 1) == [1]
    assert seen.tokens[1] == [521]


def test_blocks_are_held_until_they_are_copied():
    """What comes at 11 ms needs all four and waits for the copy, until 12."""
    seen = both([*CHAT, BIG._replace(at=11)], **TIER)
    assert seen.tokens[2] == [22]


def test_a_lane_that_lacks_only_blocks_being_copied_out_waits_and_nobody_yields():
    """At 10 ms the first has its token, and the second needs its third block at 20; its tail is copied until 22."""
    rows = [Row(0, 32, 1), Row(0, 16, 18)]
    seen = both(rows, **TIER | slow(pcie_bytes_per_s=10**5) | {"kv_blocks": 3})
    assert sum(seen.preemptions.values()) == 0
    assert seen.tokens[1][:2] == [10, 40], "the block at 10 ms is there when the copy of two has ended, at 30"


def test_the_longest_unused_is_forgotten_first():
    """Six host blocks hold two histories; a third of four blocks pushes out the first, whose next turn pushes again."""
    rows = [Row(0, 32, 1, stream=1), Row(100, 64, 1, stream=2), Row(200, 64, 1, stream=3), Row(300, 32, 2, stream=1)]
    assert both(rows[:2] + rows[3:], **TIER | {"host_blocks": 6}).cached[2] == 16
    seen = both(rows, **TIER | {"host_blocks": 6})
    assert seen.cached[3] == 0
    assert seen.counters["host_evictions"] == 4 + 2


def test_what_does_not_fit_the_host_is_dropped():
    seen = both([*CHAT, BIG], **TIER | {"host_blocks": 1})
    assert seen.cached[1] == 0
    assert counted(seen) == (0, 0, 0, 0, 0)


def test_equal_beginnings_are_kept_once():
    rows = [Row(0, 64, 1, ((7, 48),)), Row(100, 64, 1, ((7, 48),))]
    assert counted(both(rows, **TIER))[:2] == (2, 5)


def test_a_pin_stays_while_its_program_is_reloaded():
    """The pin holds the first of two blocks, as the second was pushed out; it goes when the turn runs."""

    def pinned_late(notes: list[Any]) -> dict[str, Any]:
        def on_finished(self, view, fact):
            return (PinKV(0, 9.0),) if fact.request == 2 else ()

        return {"make_scheduler": scheduler(on_finished=on_finished)}

    seen = both([*CHAT, BIG._replace(prompt=48)], pinned_late, **TIER)
    assert [row[4] for row in seen.log if row[1] == "pinned"] == [1]
    assert [(row[0], row[4]) for row in seen.log if row[1] == "unpinned"] == [(511, 2)]


def test_who_gives_up_during_a_reload_leaves_nothing_behind():
    """Given up at 511 ms, one of two milliseconds into the copy; `both` checks the books."""
    seen = both([CHAT[0], CHAT[1]._replace(cancel=1), BIG, Row(600, 64, 1)], **TIER)
    assert seen.states[1] == "cancelled"
    assert seen.tokens[3] == [610]


def test_an_instance_that_goes_down_loses_its_tier_and_its_pins():
    def pinning(notes: list[Any]) -> dict[str, Any]:
        return {"make_scheduler": scheduler(on_turn_ended=lambda self, view, fact: (PinKV(fact.request, 9.0),))}

    down = Fault("instance", 0, 0.1, 0.1)
    seen = both(CHAT, pinning, **TIER, faults=(down,))
    assert seen.cached[1] == 0
    assert seen.counters["reloads"] == 0
    assert seen.tokens[1] == [520]


def test_a_pin_that_is_given_up_leaves_its_kv_on_the_host():
    """BIG is blocked at 15 ms and told; the pin goes, and what it held comes back from the host."""

    def build(notes: list[Any]) -> dict[str, Any]:
        hooks = {
            "on_turn_ended": lambda self, view, fact: (PinKV(fact.request, 9.0),),
            "on_blocked": lambda self, view, fact: (Unpin(0),),
        }
        return {"make_scheduler": scheduler(**hooks)}

    seen = both([*CHAT, BIG], build, **TIER)
    assert seen.tokens == {0: [10], 1: [522], 2: [25]}
