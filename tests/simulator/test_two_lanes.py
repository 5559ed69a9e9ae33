"""Two lanes on one pool: who runs where, and blocks that one lane computes and the other goes on with."""

from typing import Any

from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, Preempt, WakeBelow
from tests.simulator.given import EVERY, Row, both, limited, slow
from tests.simulator.harness import at, scheduler
from tests.simulator.two_lanes import DECODE, LANES, PREFILL, splitting

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
    settings: dict[str, Any] = {"sm_split": (50, 50), "preemption": "swap", "swap": "sync", "host_blocks": 9} | slow()
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
    settings: dict[str, Any] = {"sm_split": (50, 50), "swap": "async", "host_blocks": 9, "make_scheduler": local}
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

    one = limited(max_num_seqs=1)
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
    few = limited(max_num_batched_tokens=32, max_num_seqs=4, reserve_full_prompt=False)
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

    settings: dict[str, Any] = {"sm_split": (50, 50), "swap": "async", "host_blocks": 9} | slow(pcie_bytes_per_s=10**5)
    seen = both([Row(0, 16, 9), Row(15, 48, 1)], build, **settings, kv_blocks=4)
    assert seen.notes == []
    assert seen.tokens[1] == [seen.finished[0] + 10]
