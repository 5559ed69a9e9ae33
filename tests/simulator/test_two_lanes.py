"""Two lanes on one pool: shares of the SMs, and blocks that one lane computes and the other goes on with."""

from typing import Any

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import (
    UNBOUNDED,
    Abort,
    Dispatch,
    IllegalAction,
    Preempt,
    Router,
    Shape,
    SplitSMs,
    WakeAt,
    WakeBelow,
)
from tests.simulator.given import Row, both, slow
from tests.simulator.harness import MS, at, scheduler, to_zero

PREFILL, DECODE = 0, 1
EVERY = [10.0 * i for i in range(1, 41)]


class Shared:
    """An iteration takes 600 ms on one percent of the SMs: 10 ms on 60, 12 ms on 50."""

    uses_longest = False

    def line(self, shape: Shape) -> tuple[int, int, int]:
        return 600 * MS // shape.sm_pct, 0, UNBOUNDED

    def terms(self, shape: Shape) -> dict[str, float]:
        return {}

    def describe(self) -> dict[str, object]:
        return {}


LANES: dict[str, Any] = {"sm_split": (60, 60), "cost": Shared()}


def splitting(*dates_s: float, prefill: int = 30, decode: int = 40, **hooks: Any) -> type[Router]:
    """A router that asks for these shares at these dates."""

    def on_woke(self, view, fact):
        return (SplitSMs(0, prefill, decode),)

    emits = frozenset({Dispatch, WakeAt, Abort, SplitSMs})
    own = {"emits": emits, "on_arrived": to_zero, "on_start": at(*dates_s), "on_woke": on_woke}
    return type("Splitting", (Router,), own | hooks)


def shares(seen: Any, lane: int) -> list[tuple[float, int]]:
    """Return (start, share) of each iteration of a lane of instance 0."""
    return [(start, share) for _, number, start, _, _, _, share in seen.iterations if number == lane]


# -- who runs where ---------------------------------------------------------------------------------------------------


def test_a_prompt_is_computed_in_one_lane_and_its_answer_in_the_other():
    seen = both([Row(0, 32, 4)], **LANES)
    assert [(lane, start, decodes, chunks) for _, lane, start, _, decodes, chunks, _ in seen.iterations] == [
        (PREFILL, 0, 0, [(32, 0)]),
        (DECODE, 10, 1, []),
        (DECODE, 20, 1, []),
        (DECODE, 30, 1, []),
    ]
    assert seen.tokens[0] == [10, 20, 30, 40]


def test_a_request_of_one_token_never_sees_the_decode_lane():
    seen = both([Row(0, 32, 1)], **LANES)
    assert [row[1] for row in seen.iterations] == [PREFILL]


def test_a_request_joins_the_decode_lane_at_its_next_boundary():
    """With a share each, the second prompt is through at 35; the decode lane is at work until 40."""
    seen = both([Row(0, 16, 9), Row(25, 16, 3)], sm_split=(60, 40), contention="none")
    assert seen.tokens[1] == [35, 50, 60]


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


# -- one pool ---------------------------------------------------------------------------------------------------------


def test_the_blocks_of_a_prompt_stay_where_they_are():
    def build(notes):
        def on_woke(self, view, fact):
            notes.append((view.instances[0].free_blocks, [r.kv_blocks for r in view.requests.values()]))
            return ()

        return {"make_router": splitting(0.005, 0.015, 0.025, on_woke=on_woke)}

    seen = both([Row(0, 32, 9)], build, **LANES, kv_blocks=10)
    assert seen.notes == [(8, [2]), (7, [3]), (7, [3])]


def test_a_prompt_must_fit_beside_what_the_decode_lane_holds():
    """Four blocks: from 10 on the first holds three. A prompt of two waits until it has ended, at 60."""
    seen = both([Row(0, 32, 6), Row(15, 32, 1)], sm_split=(50, 50), kv_blocks=4)
    assert seen.tokens == {0: EVERY[:6], 1: [70]}


def test_who_loses_its_place_in_the_decode_lane_is_computed_again_in_the_prefill_lane():
    """Four blocks: at 170 both need a third. The second waits for the first to end, and is first in line."""
    seen = both([Row(0, 16, 40), Row(0, 16, 40), Row(35, 33, 1)], sm_split=(50, 50), kv_blocks=4)
    assert seen.tokens == {0: EVERY, 1: [*EVERY[:17], *(410.0 + 10 * i for i in range(23))], 2: [640]}
    assert [(lane, start) for _, lane, start, *_, chunks, _ in seen.iterations if chunks] == [
        (PREFILL, 0),
        (PREFILL, 400),
        (PREFILL, 630),
    ]


def test_who_was_swapped_waits_at_the_decode_lane():
    settings = {"sm_split": (50, 50), "preemption": "swap", "swap": "sync", "host_blocks": 9} | slow()
    seen = both([Row(0, 16, 40), Row(0, 16, 40)], **settings, kv_blocks=4)
    assert seen.tokens == {
        0: [*EVERY[:17], *(182.0 + 10 * i for i in range(23))],
        1: [*EVERY[:17], *(414.0 + 10 * i for i in range(23))],
    }
    assert len(seen.prefills()) == 2


def test_requests_that_hold_everything_and_cannot_go_on_make_room_for_the_first():
    """Two prompts of two blocks fill the pool; to decode, each needs one more. The last in line loses its own."""
    seen = both([Row(0, 32, 5), Row(0, 32, 5)], sm_split=(50, 50), kv_blocks=4)
    assert seen.preemptions == {0: 0, 1: 1}
    assert seen.tokens == {0: [10, 20, 30, 40, 50], 1: [10, 60, 70, 80, 90]}


def test_as_many_make_room_as_the_first_needs():
    """Three prompts of a block in three; the first needs one more, and then another at its 17th token."""
    seen = both([Row(0, 16, 3)] * 3, sm_split=(50, 50), kv_blocks=3)
    assert seen.preemptions == {0: 0, 1: 0, 2: 1}
    assert seen.tokens == {0: [10, 20, 30], 1: [10, 40, 50], 2: [10, 60, 70]}


def test_nobody_makes_room_while_a_copy_is_under_way():
    """The second comes in from 60 to 80, with room kept for it; the third waits, and keeps the block it holds."""

    def on_woke(self, view, fact):
        return [Preempt(0, kv="swap")] if 0 in view.running else []

    local = scheduler(on_start=at(0.045), on_woke=on_woke)
    links = slow(pcie_bytes_per_s=10**5)
    settings = {"sm_split": (50, 50), "swap": "async", "host_blocks": 9, "make_scheduler": local}
    seen = both([Row(0, 16, 9), Row(55, 16, 5)], **settings, **links, kv_blocks=3)
    assert seen.preemptions == {0: 1, 1: 0}


def test_who_is_stopped_at_its_first_token_does_not_join_the_decode_lane():
    kinds = splitting(on_first_token=lambda self, view, fact: (Abort(0),) if fact.request == 0 else ())
    for cache in (None, "cold"):
        seen = both([Row(0, 32, 5)] * 2, lambda notes: {"make_router": kinds}, **LANES, prefix_cache=cache)
        assert seen.states == {0: "cancelled", 1: "finished"}
        assert seen.simulator.instances[0].free_blocks == 1000


def test_a_request_stopped_while_it_waits_with_blocks_gives_them_back():
    """One may run in each lane: the second waits with its two blocks while the first decodes, and is stopped. Its
    blocks are free from the next boundary on."""

    def build(notes):
        def on_woke(self, view, fact):
            notes.append(view.instances[0].free_blocks)
            return (Abort(1),) if fact.key == 0.055 else ()

        return {"make_router": splitting(0.055, 0.056, 0.065, on_woke=on_woke)}

    one = {"make_scheduler": lambda: VllmV1(max_num_seqs=1)}
    for cache in (None, "cold"):
        seen = both([Row(0, 32, 9)] * 2, build, **LANES, **one, kv_blocks=10, prefix_cache=cache)
        assert seen.notes == [5, 5, 7]


def test_loads_of_an_instance_are_those_of_both_lanes():
    def build(notes):
        def on_woke(self, view, fact):
            one = view.instances[0]
            notes.append((one.running, one.waiting, one.waiting_tokens, one.waiting_blocks, view.least("requests")))
            return ()

        return {"make_router": splitting(0.015, 0.021, on_woke=on_woke)}

    rows = [Row(0, 16, 5), Row(0, 16, 5), Row(12, 40, 5), Row(13, 40, 5)]
    seen = both(rows, build, sm_split=(50, 50), make_scheduler=lambda: VllmV1(max_num_seqs=1))
    assert seen.notes == [(2, 2, 40 + 40, 3 + 3, 0), (2, 2, 1 + 40, 1 + 3, 0)]


def test_a_prompt_that_yields_to_itself_does_not_start_again_before_others_could_go_on():
    """Of four blocks the first holds two, and needs a third to decode. The second, let in for the first half of its
    prompt at 10, takes the others, finds no more at 20, and yields: the first goes on, until 60."""
    few = {"make_scheduler": lambda: VllmV1(max_num_batched_tokens=32, max_num_seqs=4, reserve_full_prompt=False)}
    seen = both([Row(0, 32, 5), Row(5, 64, 1)], **few, sm_split=(50, 50), kv_blocks=4)
    assert seen.tokens == {0: [10, 30, 40, 50, 60], 1: [80]}
    assert seen.preemptions == {0: 0, 1: 1}


def test_nobody_makes_room_while_the_other_lane_works():
    """Five blocks: two prompts hold four, a third has the last until 20. Then the first of the two goes on with it."""
    seen = both([Row(0, 32, 5), Row(0, 32, 5), Row(5, 16, 1)], sm_split=(50, 50), kv_blocks=5)
    assert seen.preemptions == {0: 0, 1: 0, 2: 0}
    assert seen.tokens == {0: [10, 30, 40, 50, 60], 1: [10, 70, 80, 90, 100], 2: [20]}


def test_a_lane_is_told_that_blocks_run_low_also_when_the_other_takes_them():
    def build(notes):
        def on_start(self, view):
            return (WakeBelow(997),) if view.lane == DECODE else ()

        def on_stepped(self, view, fact):
            notes.append((view.now_s, fact.lane, fact.iteration))
            return ()

        return {"make_scheduler": scheduler(on_start=on_start, on_stepped=on_stepped)}

    rows = [Row(0, 16, 30), Row(105, 64, 1)]
    assert both(rows, build, sm_split=(50, 50), contention="none").notes == [(0.11, DECODE, 10)]


def test_a_step_under_way_in_one_lane_ends_where_the_other_takes_its_blocks():
    """Eight blocks. The first has three from 170 on. The second takes four at 105, a fifth at 120 to decode, and needs
    a sixth at 280, sixteen tokens later: it yields."""
    seen = both([Row(0, 16, 60), Row(105, 64, 60)], sm_split=(50, 50), contention="none", kv_blocks=8)
    assert [(row[0], row[3]) for row in seen.log if row[1] == "preempted"] == [(280, 1)]


def test_a_lane_is_not_blocked_while_the_other_works_or_copies():
    """Of four blocks the first holds two, or three; the second needs three. The first decodes until 50, is copied out
    until 70 and in until 90, and decodes until 130, when the second starts."""

    def build(notes):
        hooks = {
            "on_start": lambda self, view: at(0.045)(self, view) if view.lane == DECODE else (),
            "on_woke": lambda self, view, fact: (Preempt(0, kv="swap"),),
            "on_blocked": lambda self, view, fact: notes.append(view.now_s) or (),
        }
        return {"make_scheduler": scheduler(**hooks)}

    settings = {"sm_split": (50, 50), "swap": "async", "host_blocks": 9} | slow(pcie_bytes_per_s=10**5)
    seen = both([Row(0, 16, 9), Row(15, 48, 1)], build, **settings, kv_blocks=4)
    assert seen.notes == []
    assert seen.tokens[1] == [seen.finished[0] + 10]
