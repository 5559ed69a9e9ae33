"""Shares of the SMs: what each of two lanes has of them, alone and together, and from when on a new split counts."""

from typing import Any

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import IllegalAction, Preempt, SplitSMs
from tests.simulator.given import Row, both, slow
from tests.simulator.harness import at, scheduler
from tests.simulator.two_lanes import DECODE, LANES, PREFILL, Shared, splitting


def shares(seen: Any, lane: int) -> list[tuple[float, int]]:
    """Return (start, share) of each iteration of a lane of instance 0."""
    return [(start, share) for _, number, start, _, _, _, share in seen.iterations if number == lane]


# -- shares -----------------------------------------------------------------------------------------------------------


def test_shares_that_sum_to_more_than_all_are_scaled_while_both_lanes_work():
    """At 25 the prompt starts on 50 percent; the decode lane sees that at 30, and at 42 that it is through."""
    seen = both([Row(0, 16, 6), Row(25, 16, 3)], **LANES)
    assert shares(seen, PREFILL) == [(0, 60), (25, 50)]
    assert shares(seen, DECODE) == [(10, 60), (20, 60), (30, 50), (42, 60), (52, 60)]
    assert seen.tokens == {0: [10, 20, 30, 42, 52, 62], 1: [37, 52, 62]}


def test_shares_that_fit_together_are_not_scaled():
    seen = both([Row(0, 16, 6), Row(25, 16, 3)], sm_split=(60, 40), cost=Shared())
    assert {share for _, share in shares(seen, PREFILL)} == {60}
    assert {share for _, share in shares(seen, DECODE)} == {40}


def test_without_contention_each_lane_has_its_own():
    seen = both([Row(0, 16, 6), Row(25, 16, 3)], **LANES, contention="none")
    assert {row[6] for row in seen.iterations} == {60}


def test_a_share_is_rounded_down_but_never_to_nothing():
    seen = both([Row(0, 16, 40), Row(25, 16, 3)], sm_split=(1, 100))
    assert {share for _, share in shares(seen, DECODE)} == {99, 100}
    assert {share for _, share in shares(seen, PREFILL)} == {1}


def test_a_lane_that_waits_for_its_copies_works():
    """At 55 the decode lane has 20 ms of copies before it: a prompt that starts meanwhile does so on 50 percent."""

    def on_woke(self, view, fact):
        return [Preempt(0, kv="swap")] if 0 in view.running else []

    local = scheduler(on_start=at(0.045), on_woke=on_woke)
    settings = LANES | slow(pcie_bytes_per_s=10**5) | {"make_scheduler": local, "swap": "sync", "host_blocks": 9}
    seen = both([Row(0, 16, 9), Row(55, 16, 1)], **settings)
    assert shares(seen, PREFILL) == [(0, 60), (55, 50)]
    assert seen.tokens[0][5] == 50 + 20 + 10


# -- a new split ------------------------------------------------------------------------------------------------------


def test_a_new_split_is_seen_from_the_next_boundary_after_it_is_in_force():
    """Asked for at 25, in force at 35, in the middle of an iteration; 15 ms on 40 percent from the next on."""

    def build(notes):
        def on_done(self, view, fact):
            notes.append((view.now_s, fact.action, fact.ok))
            return ()

        return {"make_router": splitting(0.025, on_done=on_done)}

    seen = both([Row(0, 16, 7)], build, **LANES, sm_switch_s=0.01)
    assert shares(seen, DECODE) == [(10, 60), (20, 60), (30, 60), (40, 40), (55, 40), (70, 40)]
    assert seen.notes == [(0.035, SplitSMs(0, 30, 40), True)]
    assert [row for row in seen.log if row[1] == "split"] == [(35, "split", 0, -1, 30040)]


def test_a_split_in_force_at_a_boundary_is_seen_there():
    seen = both([Row(0, 16, 6)], lambda notes: {"make_router": splitting(0.02)}, **LANES, sm_switch_s=0.01)
    assert shares(seen, DECODE) == [(10, 60), (20, 60), (30, 40), (45, 40), (60, 40)]


def test_a_scheduler_may_split_the_sms_of_its_instance():
    def build(notes):
        def on_first_token(self, view, fact):
            return (SplitSMs(view.instance, 60, 30),)

        emits = VllmV1.emits | {SplitSMs}
        return {"make_scheduler": scheduler(emits=emits, on_first_token=on_first_token)}

    assert shares(both([Row(0, 16, 3)], build, **LANES), DECODE) == [(10, 30), (30, 30)]


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        (SplitSMs(1, 50, 50), "instance must be 0..0"),
        (SplitSMs(0, 0, 50), r"prefill_pct must be 1\.\.100"),
        (SplitSMs(0, 50, 101), r"decode_pct must be 1\.\.100"),
    ],
)
def test_shares_are_percents_of_an_instance_there_is(action, rule):
    kinds = splitting(0.025, on_woke=lambda self, view, fact: (action,))
    with pytest.raises(IllegalAction, match=rule):
        both([Row(0, 16, 6)], lambda notes: {"make_router": kinds}, **LANES)


def test_one_split_at_a_time():
    with pytest.raises(IllegalAction, match="a split of instance 0 is still in flight"):
        both([Row(0, 16, 9)], lambda notes: {"make_router": splitting(0.02, 0.03)}, **LANES, sm_switch_s=0.011)
    both([Row(0, 16, 9)], lambda notes: {"make_router": splitting(0.02, 0.03)}, **LANES, sm_switch_s=0.009)


def test_one_lane_has_nothing_to_split():
    with pytest.raises(IllegalAction, match=r"instance 0 has one lane; needs `mechanism: \{sm_split: \[p, d\]\}`"):
        both([Row(0, 16, 9)], lambda notes: {"make_router": splitting(0.02)}, prefix_cache="cold")
