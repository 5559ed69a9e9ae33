"""New shares of the SMs: how each way to switch stops lanes, and what shares are worth beside each other."""

from typing import Any

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import IllegalAction, SplitSMs
from simcore.simulator.settings import Mechanisms
from simcore.simulator.sm_contention import SmContention
from tests.simulator.given import Row, both
from tests.simulator.harness import scheduler
from tests.simulator.two_lanes import DECODE, LANES, PREFILL, splitting

ALONE: dict[str, Any] = LANES | {"contention": "none"}
TWO = [Row(0, 16, 7), Row(15, 16, 1), Row(35, 16, 1)]
"""Undisturbed on 60 percent each: tokens of the first at 10, 20, 30, ...; prompts at 0, 15 and 35."""


def shares(seen, lane):
    return [(start, share) for _, its, start, *_, share in seen.iterations if its == lane]


def asking(*dates_s, **how):
    return lambda notes: {"make_router": splitting(*dates_s, **how)}


def told(notes):
    def on_done(self, view, fact):
        one = view.instances[0]
        notes.append((view.now_s, fact.ok, one.sm_split, one.sm_switching))
        return ()

    return {"make_router": splitting(0.022, on_done=on_done)}


def test_delayed_async_each_lane_switches_at_its_own_boundary():
    seen = both(TWO, told, **ALONE, sm_switch_s=0.01)
    assert shares(seen, DECODE) == [(10, 60), (20, 60), (30, 60), (40, 40), (55, 40), (70, 40)]
    assert shares(seen, PREFILL) == [(0, 60), (15, 60), (35, 30)]
    assert seen.notes == [(0.032, True, (30, 40), False)]


def test_delayed_sync_both_lanes_start_anew_together():
    """Ready at 32: the decode lane stops at 40, the prompt that comes at 35 waits for it. Both start at 40."""
    seen = both(TWO, told, **ALONE, sm_switch="delayed_sync", sm_switch_s=0.01)
    assert shares(seen, DECODE) == [(10, 60), (20, 60), (30, 60), (40, 40), (55, 40), (70, 40)]
    assert shares(seen, PREFILL) == [(0, 60), (15, 60), (40, 30)]
    assert seen.notes == [(0.04, True, (30, 40), False)]


def test_a_synchronous_switch_waits_for_neither_lane_if_neither_works():
    seen = both([Row(0, 16, 1), Row(50, 16, 1)], asking(0.022), **ALONE, sm_switch="delayed_sync", sm_switch_s=0.01)
    assert [row[0] for row in seen.log if row[1] == "split"] == [32]
    assert shares(seen, PREFILL) == [(0, 60), (50, 30)]


def test_restart_stops_both_lanes_for_the_delay():
    """Asked at 22: the prefill lane stops at 25, the decode lane at 30; 10 ms later both go on, and so do blocks."""
    seen = both(TWO, told, **ALONE, sm_switch="restart", sm_switch_s=0.01)
    assert shares(seen, DECODE) == [(10, 60), (20, 60), (30, 40), (55, 40), (70, 40), (85, 40)], "30 to 40 it waits"
    assert shares(seen, PREFILL) == [(0, 60), (15, 60), (40, 30)]
    assert seen.notes == [(0.04, True, (30, 40), False)]
    assert seen.tokens[0] == [10, 20, 30, 55, 70, 85, 100]


def test_a_lane_that_asks_at_its_boundary_has_stopped():
    def on_first_token(self, view, fact):
        return (SplitSMs(view.instance, 30, 40),)

    kinds = {"make_scheduler": scheduler(emits=VllmV1.emits | {SplitSMs}, on_first_token=on_first_token)}
    seen = both([Row(0, 16, 3)], lambda notes: kinds, **ALONE, sm_switch="restart", sm_switch_s=0.01)
    assert shares(seen, DECODE) == [(20, 40), (35, 40)]


def test_a_ladder_takes_the_nearest_rung():
    ladder = ((60, 60), (20, 40), (40, 40))
    seen = both(TWO, told, **ALONE, sm_switch="green_ladder", sm_ladder=ladder, sm_switch_s=0.00001)
    assert [row[4] for row in seen.log if row[1] == "split"] == [20040], "both are 10 away: the first"
    assert seen.notes == [(0.02201, True, (20, 40), False)]


def test_a_switch_is_seen_while_it_is_under_way_and_is_one_at_a_time():
    def build(notes):
        def on_woke(self, view, fact):
            notes.append((view.instances[0].sm_split, view.instances[0].sm_switching))
            return (SplitSMs(0, 30, 40),) if fact.key == 0.022 else ()

        return {"make_router": splitting(0.022, 0.028, 0.05, on_woke=on_woke)}

    seen = both(TWO, build, **ALONE, sm_switch="restart", sm_switch_s=0.01)
    assert seen.notes == [((60, 60), False), ((60, 60), True), ((30, 40), False)]
    with pytest.raises(IllegalAction, match="a split of instance 0 is still in flight"):
        both(TWO, asking(0.022, 0.028), **ALONE, sm_switch="restart", sm_switch_s=0.01)


def test_switches_are_counted():
    assert both(TWO, asking(0.022, 0.05), **ALONE).counters["sm_switches"] == 2


# -- what shares are worth --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("split", "beside", "worth"),
    [((60, 60), True, (50, 50)), ((60, 60), False, (60, 60)), ((80, 100), True, (44, 55)), ((60, 40), True, (60, 40))],
)
def test_shares_beyond_all_are_normalised_while_both_lanes_work(split, beside, worth):
    rule = SmContention(Mechanisms())
    assert tuple(rule.share(split, lane, beside=beside) for lane in (PREFILL, DECODE)) == worth


def test_a_measured_table_says_what_shares_are_worth_also_where_they_fit():
    table = ((100, 100, 70, 45), (60, 40, 55, 35))
    rule = SmContention(Mechanisms(contention="table", sm_shares=table))
    assert [rule.share((50, 50), lane, beside=True) for lane in (PREFILL, DECODE)] == [55, 35], "the nearest row"
    assert [rule.share((90, 90), lane, beside=True) for lane in (PREFILL, DECODE)] == [70, 45]
    assert rule.share((90, 90), PREFILL, beside=False) == 90


def test_iterations_beside_a_working_lane_may_take_longer():
    """The prompt at 15 runs beside the decode from 10 to 20, for 12.5 ms; so does the decode from 20, beside it."""
    seen = both([Row(0, 16, 5), Row(15, 16, 1)], **ALONE, sm_interference=1.25)
    assert seen.tokens == {0: [10, 20, 32.5, 42.5, 52.5], 1: [27.5]}
