"""Schedule ahead: the next batch is chosen while the last one runs, so a lane learns of everything a boundary later."""

from typing import Any

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, Preempt
from tests.simulator.given import EVERY, Row, both, limited, slow
from tests.simulator.harness import MS, at, noting, router, scheduler, to_zero

AHEAD: dict[str, Any] = {"schedule_ahead": 1}


def telling(notes: list[Any], **hooks: Any) -> dict[str, Any]:
    """A router that notes when it is told of first tokens and ends."""

    def note(what):
        return lambda self, view, fact: notes.append((what, round(view.now_s * 1000), fact.request)) or ()

    told = {f"on_{what}": note(what) for what in ("first_token", "finished", "cancelled")}
    return {"make_router": router(**({"on_arrived": to_zero} | told | hooks))}


def stopping(date_s: float, action: Any) -> dict[str, Any]:
    """Hooks that ask for something at a date."""
    return {"on_start": at(date_s), "on_woke": lambda self, view, fact: (action,)}


# -- one iteration more -----------------------------------------------------------------------------------------------


def test_a_request_stays_for_one_iteration_after_its_last_token():
    """Its tokens come at 10, 20 and 30; the iteration from 30 to 40 is for nobody."""
    seen = both([Row(0, 16, 3)], telling, **AHEAD)
    assert seen.tokens[0] == [10, 20, 30]
    assert [(start, decodes) for _, _, start, _, decodes, _, _ in seen.iterations] == [
        (0, 0),
        (10, 1),
        (20, 1),
        (30, 1),
    ]
    assert seen.notes == [("first_token", 20, 0), ("finished", 40, 0)]


def test_a_request_ends_when_its_last_token_came():
    assert both([Row(0, 16, 3)], **AHEAD).finished == {0: 30}


def test_a_request_of_one_token_computes_one_more():
    seen = both([Row(0, 16, 1)], telling, **AHEAD)
    assert len(seen.iterations) == 2
    assert seen.tokens[0] == [10]
    assert seen.notes == [("first_token", 20, 0), ("finished", 20, 0)]


def test_the_token_nobody_gets_is_no_gap_between_tokens():
    """`both` holds the gaps against the tokens; here one of two goes on while the other stays for its last."""
    seen = both([Row(0, 16, 3), Row(0, 16, 6)], **AHEAD)
    assert seen.tokens == {0: EVERY[:3], 1: EVERY[:6]}
    assert seen.gaps == [10 * MS] * (2 + 5)


def test_the_extra_token_takes_a_block_if_one_is_due():
    """16 tokens fill a block, so the second token's KV needs another: at 20 ms both hold two of four blocks.

    The first gives its last token at 20 ms and is gone at 30; the prompt of two blocks starts then, not before."""
    seen = both([Row(0, 16, 2), Row(0, 16, 9), Row(5, 32, 1)], **AHEAD, kv_blocks=4)
    assert seen.when("admitted", 2) == [30]
    assert seen.when("finished", 0) == [30]


def test_a_lone_extra_token_may_push_somebody_out():
    """Three blocks: after 10 ms the first needs its second block for a token nobody gets, and so does the other."""
    seen = both([Row(0, 16, 1), Row(0, 16, 4)], **AHEAD, kv_blocks=3)
    assert seen.preemptions == {0: 0, 1: 1}


def test_the_extra_token_counts_in_the_budget():
    """Of 16 tokens, two decodes leave 14, also in the iteration in which the first of them computes for nobody."""
    few = limited(max_num_batched_tokens=16, max_num_seqs=4)
    seen = both([Row(0, 8, 2), Row(0, 8, 9), Row(5, 40, 1)], **AHEAD, **few)
    assert seen.prefills() == [(8, 0), (8, 0), (14, 0), (15, 14), (11, 29)]


# -- who comes in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ahead", "start"), [(0, 10), (1, 20)])
def test_who_arrives_in_an_iteration_starts_at_the_second_boundary(ahead, start):
    assert both([Row(0, 16, 9), Row(5, 16, 2)], schedule_ahead=ahead).when("admitted", 1) == [start]


def test_who_arrives_at_an_idle_lane_starts_at_once():
    assert both([Row(0, 16, 1), Row(25, 16, 2)], **AHEAD).tokens[1] == [35, 45]


def test_who_arrives_in_the_last_iteration_of_all_starts_as_soon_as_the_lane_is_idle():
    """The iteration from 10 to 20 is for nobody, and nothing follows it."""
    assert both([Row(0, 16, 1), Row(15, 16, 1)], **AHEAD).tokens[1] == [30]


def test_arrivals_in_a_run_of_chunks_start_in_their_order():
    """Five chunks of 16 tokens until 50, and the extra token until 60: at 50 both fit in beside it."""
    few = limited(max_num_batched_tokens=16, max_num_seqs=4)
    seen = both([Row(0, 80, 1), Row(5, 7, 1), Row(45, 7, 1)], **AHEAD, **few)
    assert seen.when("admitted") == [0, 50, 60]


def test_who_waits_out_of_sight_counts_in_views_and_can_be_stopped():
    def build(notes):
        def look(self, view, fact):
            one = view.instances[0]
            notes.append((one.waiting, one.waiting_tokens, one.head_blocks))
            return (Abort(1),) if fact.key == 0.006 else ()

        return {"make_router": router(on_arrived=to_zero, on_start=at(0.0055, 0.006, 0.0065), on_woke=look)}

    seen = both([Row(0, 16, 9), Row(5, 40, 2)], build, **AHEAD)
    assert seen.notes == [(1, 40, 3), (1, 40, 3), (0, 0, 0)]
    assert seen.states == {0: "finished", 1: "cancelled"}


def test_an_order_that_changes_is_read_when_the_lane_hears_of_a_request():
    """The key is the date, rounded down to 30 ms: of two that come at 21 and 25, in a run of chunks until 80, the lane
    hears at 30, so their numbers decide; the one that came at 19, it heard of at 20."""

    class Local(VllmV1):
        def __init__(self) -> None:
            super().__init__(max_num_batched_tokens=16, max_num_seqs=16)
            self.late = False

        def order(self, request):
            return (request.id if self.late else -request.id,)

        def on_start(self, view):
            return at(0.04)(self, view)

        def on_woke(self, view, fact):
            self.late = True
            return ()

    rows = [Row(0, 128, 9), *(Row(date, 15, 1) for date in (5, 25, 45, 55))]
    seen = both(rows, lambda notes: {"make_scheduler": Local}, **AHEAD)
    assert [row[3] for row in seen.log if row[1] == "admitted"] == [0, 2, 1, 3, 4]


# -- who is told what, and when ---------------------------------------------------------------------------------------


def test_a_first_token_is_told_a_boundary_late():
    seen = both([Row(0, 16, 9), Row(25, 16, 9)], telling, **AHEAD)
    assert [note for note in seen.notes if note[0] == "first_token"] == [("first_token", 20, 0), ("first_token", 60, 1)]
    assert seen.tokens[1][0] == 50


def test_who_is_stopped_before_its_first_token_was_told_is_only_cancelled():
    """Asked for at 5, done at 10, where its first token came."""
    seen = both([Row(0, 16, 9)], lambda notes: telling(notes, **stopping(0.005, Abort(0))), **AHEAD)
    assert seen.notes == [("cancelled", 10, 0)]


def test_who_ends_early_has_its_first_token_told_before_its_end():
    local = {"make_scheduler": scheduler(**stopping(0.005, Preempt(0)))}
    seen = both([Row(0, 16, 1), Row(0, 16, 5)], lambda notes: telling(notes) | local, **AHEAD)
    assert seen.notes[:3] == [("first_token", 10, 0), ("finished", 10, 0), ("first_token", 20, 1)]


# -- stopped in the extra iteration -----------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [Abort(0), Preempt(0)])
def test_who_is_stopped_at_its_last_token_is_finished_there_and_then(action):
    """Asked for at 25, done at 30, before the extra iteration starts."""

    def build(notes):
        local = scheduler(on_done=noting(notes, lambda fact: (fact.ok, fact.why)), **stopping(0.025, action))
        return {"make_scheduler": local}

    seen = both([Row(0, 16, 3), Row(0, 16, 9)], build, **AHEAD)
    assert seen.states == {0: "finished", 1: "finished"}
    assert (seen.when("finished", 0), seen.preemptions[0]) == ([30], 0)
    assert seen.notes == [(False, "finished")]


def test_an_abort_in_the_extra_iteration_comes_too_late():
    def build(notes):
        local = scheduler(on_done=noting(notes, lambda fact: (fact.ok, fact.why)), **stopping(0.035, Abort(0)))
        return {"make_scheduler": local}

    seen = both([Row(0, 16, 3)], build, **AHEAD)
    assert seen.states == {0: "finished"}
    assert seen.notes == [(False, "not running")]


def test_a_victim_in_its_extra_iteration_is_finished_and_makes_room():
    """Three blocks, and both need a second at 10 ms. The newest has given its only token: it goes, for good."""
    seen = both([Row(0, 16, 4), Row(0, 16, 1)], telling, **AHEAD, kv_blocks=3)
    assert seen.preemptions == {0: 0, 1: 0}
    assert seen.notes == [("first_token", 10, 1), ("finished", 10, 1), ("first_token", 20, 0), ("finished", 50, 0)]


def test_a_program_s_next_turn_waits_from_its_last_token_but_is_never_in_the_past():
    """The last token comes at 10 and is told at 20: with a gap of 50 the next turn comes at 60, with one of 5 at 20."""
    for gap, comes in ((50, 60), (5, 20)):
        rows = [Row(0, 16, 1, program=0), Row(0, 32, 1, program=0, turn=1, gap=gap)]
        assert both(rows, **AHEAD).when("arrived", 1) == [comes]


# -- with other mechanisms --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("swap", ["sync", "async"])
def test_a_swap_holds_up_one_token_and_the_extra_one_is_for_nobody_all_the_same(swap):
    local = {"make_scheduler": scheduler(**stopping(0.045, Preempt(0, kv="swap")))}
    seen = both([Row(0, 16, 8)], lambda notes: local, **AHEAD, **slow(), swap=swap, host_blocks=9)
    first = {"sync": 62.0, "async": 64.0}[swap]
    assert seen.tokens[0] == [*EVERY[:5], first, first + 10, first + 20]


def test_a_decode_lane_keeps_a_request_for_one_iteration_more_but_a_prefill_lane_hands_it_on_at_once():
    seen = both([Row(0, 16, 3)], **AHEAD, sm_split=(50, 50))
    assert [(lane, start) for _, lane, start, *_ in seen.iterations] == [(0, 0), (1, 10), (1, 20), (1, 30)]
    assert seen.tokens[0] == [10, 20, 30]


@pytest.mark.parametrize("lanes", [{"sm_split": (50, 50)}, {"instances": 1, "roles": ("prefill",)}])
def test_a_request_of_one_token_computes_one_more_where_it_was_prefilled(lanes):
    seen = both([Row(0, 16, 1)], telling, **AHEAD, **lanes)
    assert [(lane, start) for _, lane, start, *_ in seen.iterations] == [(0, 0), (0, 10)]
    assert seen.notes == [("first_token", 20, 0), ("finished", 20, 0)]
