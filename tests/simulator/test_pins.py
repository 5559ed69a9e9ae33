"""Pins: blocks that stay until a date, a word, or the program's next turn; and who is told when nothing else moves."""

from typing import Any

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import IllegalAction, PinKV, Preempt, Unpin
from tests.simulator.given import Row, both, limited
from tests.simulator.harness import at, router, scheduler, to_zero

CHAT = [Row(0, 32, 1, program=0), Row(0, 48, 1, program=0, turn=1, gap=500)]
"""Two turns; the first leaves two full blocks at 10 ms, the second comes at 510."""
BIG = Row(15, 64, 1)
"""Needs all four blocks."""
SMALL: dict[str, Any] = {"prefix_cache": "cold", "kv_blocks": 4}


def pinning(until_s: float, *, first_only: bool = True, **hooks: Any) -> dict[str, Any]:
    """A turn's KV is pinned until a date when it ends: the first turn's, or each one's."""

    def on_turn_ended(self, view, fact):
        return () if first_only and fact.request else (PinKV(fact.request, until_s),)

    return {"make_scheduler": scheduler(**({"on_turn_ended": on_turn_ended} | hooks))}


def unpinned(seen: Any) -> list[tuple[float, int, int]]:
    return [(row[0], row[3], row[4]) for row in seen.log if row[1] == "unpinned"]


def test_without_a_pin_others_push_a_history_out():
    seen = both([*CHAT, BIG], **SMALL)
    assert seen.tokens == {0: [10], 1: [520], 2: [25]}
    assert seen.cached[1] == 0


def test_a_pin_holds_the_blocks_of_a_turn_until_its_date():
    """Nothing runs at 100 ms: what waited starts at once."""
    seen = both([*CHAT, BIG], lambda notes: pinning(0.1), **SMALL)
    assert [row for row in seen.log if row[1] == "pinned"] == [(10, "pinned", 0, 0, 2)]
    assert unpinned(seen) == [(100, 0, 1)]
    assert seen.tokens == {0: [10], 1: [520], 2: [110]}


def test_a_busy_lane_gives_a_pin_up_at_its_first_boundary_after_the_date():
    """Another request takes 10 ms steps from 85 on; the pin's date is 101."""
    seen = both([*CHAT, Row(85, 8, 4)], lambda notes: pinning(0.101), **SMALL)
    assert unpinned(seen) == [(105, 0, 1)]


def test_a_pin_s_date_at_a_boundary_counts_there():
    seen = both([*CHAT, Row(85, 8, 4)], lambda notes: pinning(0.105), **SMALL)
    assert unpinned(seen) == [(105, 0, 1)]


def test_a_date_that_is_past_goes_at_this_very_boundary():
    seen = both([*CHAT, BIG], lambda notes: pinning(-1.0), **SMALL)
    assert unpinned(seen) == [(10, 0, 1)]
    assert seen.tokens[2] == [25]


def test_the_next_turn_finds_what_was_pinned_and_takes_the_pin_away():
    seen = both([*CHAT, BIG._replace(at=515)], lambda notes: pinning(9.0), **SMALL)
    assert seen.cached[1] == 32
    assert unpinned(seen) == [(510, 0, 2)]
    assert seen.tokens == {0: [10], 1: [520], 2: [530]}


def test_each_instance_has_its_own_pins_of_a_program():
    """The second turn runs on the other instance, and takes nothing away here; the third does, at 120."""
    rows = [CHAT[0], CHAT[1]._replace(gap=50), Row(0, 64, 1, program=0, turn=2, gap=50)]

    def on_turn_ended(self, view, fact):
        return (PinKV(fact.request, (0.2, 0.1, 0.3)[fact.request]),)

    kinds = {"make_scheduler": scheduler(on_turn_ended=on_turn_ended), "instances": 2}
    seen = both([*rows, Row(250, 1, 9)], lambda notes: kinds, prefix_cache="cold", kv_blocks=9)
    assert [(row[0], row[2], row[4]) for row in seen.log if row[1] == "pinned"] == [(10, 0, 2), (70, 1, 3), (130, 0, 4)]
    assert unpinned(seen) == [(100, 0, 1), (120, 0, 2), (300, 0, 1)]


def test_a_second_pin_of_one_turn_moves_its_date():
    def on_woke(self, view, fact):
        return (PinKV(0, 0.2),)

    seen = both([*CHAT, BIG], lambda notes: pinning(0.1, on_start=at(0.05), on_woke=on_woke), **SMALL)
    assert unpinned(seen) == [(200, 0, 1)]


def test_unpin_gives_a_pin_up_before_its_date():
    seen = both(
        [*CHAT, BIG], lambda notes: pinning(9.0, on_start=at(0.05), on_woke=lambda s, v, f: (Unpin(0),)), **SMALL
    )
    assert unpinned(seen) == [(50, 0, 0)]
    assert seen.tokens[2] == [60]


def test_a_request_of_no_program_is_pinned_by_itself():
    def on_finished(self, view, fact):
        return (PinKV(fact.request, 0.1),) if fact.request == 0 else ()

    kinds = {"make_scheduler": scheduler(on_finished=on_finished)}
    seen = both([Row(0, 40, 1, ((7, 40),)), BIG, Row(200, 40, 1, ((7, 40),))], lambda notes: kinds, **SMALL)
    assert [row for row in seen.log if row[1] == "pinned"] == [(10, "pinned", 0, -1, 2)]
    assert unpinned(seen) == [(100, -1, 1)]


def test_pins_and_their_blocks_are_in_the_views():
    def build(notes):
        def look(self, view, fact):
            notes.append((view.instances[0].pinned_blocks, view.instances[0].free_blocks))
            return ()

        def on_turn_ended(self, view, fact):
            return (PinKV(fact.request, 0.1),)

        def on_woke(self, view, fact):
            notes.append(dict(view.pins))
            return ()

        local = scheduler(on_turn_ended=on_turn_ended, on_start=at(0.05, 0.2), on_woke=on_woke)
        return {
            "make_router": router(on_arrived=to_zero, on_start=at(0.05, 0.2), on_woke=look),
            "make_scheduler": local,
        }

    assert both(CHAT, build, **SMALL).notes == [(2, 2), {0: 0.1}, (0, 4), {}]


def test_a_turn_that_ends_early_is_pinned_like_any_other():
    """Scheduled ahead, a turn has its last token at 20 ms and is preempted there, in its extra iteration."""
    rows = [Row(0, 32, 2, program=0), Row(0, 48, 1, program=0, turn=1, gap=500)]
    build = pinning(0.1, on_start=at(0.015), on_woke=lambda self, view, fact: (Preempt(0),))
    seen = both(rows, lambda notes: build, **SMALL, schedule_ahead=1)
    assert seen.when("finished", 0) == [20]
    assert [row for row in seen.log if row[1] == "pinned"] == [(20, "pinned", 0, 0, 2)]


def test_a_pin_in_the_middle_of_a_step_holds_what_is_cached_then():
    """Ten blocks, two of them a turn's. The other request decodes, and takes its ninth block, which is the turn's
    second, in the iteration that starts at 1150; a pin at 1155 finds one block, one at 1145 finds two."""
    for date_s, blocks in ((1.145, 2), (1.155, 1)):
        rows = [Row(0, 32, 1, program=0), Row(0, 48, 1, program=0, turn=1, gap=5000), Row(20, 16, 125)]
        local = scheduler(on_start=at(date_s), on_woke=lambda self, view, fact: (PinKV(0, 9.0),))
        seen = both(rows, prefix_cache="cold", kv_blocks=10, make_scheduler=local)
        assert [row[4] for row in seen.log if row[1] == "pinned"] == [blocks]


def test_a_pin_in_the_middle_of_a_step_may_leave_too_little_to_go_on():
    """Four blocks, two of them pinned at 105: the other request, with one more, needs a third at 340 and finds none.

    It gives up its own, finds one of them again, and waits until 400, when the pin goes."""
    rows = [Row(0, 32, 1, program=0), Row(0, 48, 1, program=0, turn=1, gap=5000), Row(20, 16, 40)]
    local = scheduler(on_start=at(0.105), on_woke=lambda self, view, fact: (PinKV(0, 0.4),))
    seen = both(rows, lambda notes: {"make_scheduler": local}, **SMALL)
    assert seen.preemptions[2] == 1
    assert seen.when("admitted", 2) == [20, 400]


# -- nothing moves ----------------------------------------------------------------------------------------------------


def test_a_lane_that_pins_keep_from_starting_is_told_once():
    def build(notes):
        def on_blocked(self, view, fact):
            notes.append((view.now_s, fact.instance, fact.lane, fact.request, list(view.waiting)))
            return ()

        return pinning(0.1, on_blocked=on_blocked)

    assert both([*CHAT, BIG], build, **SMALL).notes == [(0.015, 0, 0, 2, [2])]


def test_a_blocked_lane_is_told_again_when_something_has_changed():
    def build(notes):
        return pinning(0.1, on_blocked=lambda self, view, fact: notes.append((view.now_s, fact.request)) or ())

    assert both([*CHAT, BIG, Row(40, 48, 1)], build, **SMALL).notes == [(0.015, 2), (0.04, 2)]


def test_the_answer_to_blocked_may_be_to_unpin():
    build = pinning(9.0, on_blocked=lambda self, view, fact: (Unpin(0),))
    seen = both([*CHAT, BIG], lambda notes: build, **SMALL)
    assert unpinned(seen) == [(15, 0, 0)]
    assert seen.tokens[2] == [25]


def test_nobody_is_told_while_something_runs_or_when_the_scheduler_itself_declines():
    def build(notes):
        return pinning(0.1, on_blocked=lambda self, view, fact: notes.append(view.now_s) or ())

    assert both([*CHAT, Row(12, 16, 5), BIG], build, **SMALL).notes == [0.062]

    def declining(notes):
        def admit(self, view, request):
            return "yes" if view.now_s < 0.01 or view.now_s > 0.09 else "no"

        return pinning(0.1, on_blocked=lambda self, view, fact: notes.append(view.now_s) or (), admit=admit)

    assert both([*CHAT, Row(15, 16, 1)], declining, **SMALL).notes == []


# -- what is not allowed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        (PinKV(0, float("inf")), "until_s must be a date"),
        (PinKV(7, 0.1), "must have ended here at this boundary, or be the last turn of its program that did"),
        (Unpin(0), "nothing is pinned with that key on instance 0"),
    ],
)
def test_pins_are_of_what_ended_here_and_until_a_date(action, rule):
    kinds = scheduler(on_turn_ended=lambda self, view, fact: (action,))
    with pytest.raises(IllegalAction, match=rule):
        both(CHAT, lambda notes: {"make_scheduler": kinds}, **SMALL)


def test_a_request_of_no_program_is_pinned_at_its_last_boundary_or_never():
    late = scheduler(on_start=at(0.015), on_woke=lambda self, view, fact: (PinKV(0, 0.1),))
    with pytest.raises(IllegalAction, match="must have ended here at this boundary"):
        both([Row(0, 32, 1), Row(5, 16, 9)], lambda notes: {"make_scheduler": late}, **SMALL)


@pytest.mark.parametrize("mechanism", [{}, {"host_blocks": 5}])
def test_pins_need_a_prefix_cache(mechanism):
    with pytest.raises(IllegalAction, match=r"needs `mechanism: \{prefix_cache: cold\}`"):
        both(CHAT, lambda notes: pinning(0.1), **mechanism)


def test_a_scheduler_that_does_not_emit_pins_may_not_pin():
    class Local(VllmV1):
        emits = frozenset()

        def on_turn_ended(self, view, fact):
            return (PinKV(fact.request, 0.1),)

    with pytest.raises(IllegalAction, match="this scheduler may only"):
        both(CHAT, lambda notes: {"make_scheduler": Local}, **SMALL)


def test_a_prompt_that_finds_no_room_beside_a_pin_yields_once_and_its_lane_is_told():
    """Half of a prompt of four blocks fits beside the pin: it starts at 15, yields at 25, and waits until 100.

    What it computed is found, and the other half is left."""

    def build(notes):
        kinds = pinning(0.1, on_blocked=lambda self, view, fact: notes.append(view.now_s) or ())
        return limited(kinds["make_scheduler"], max_num_batched_tokens=32, max_num_seqs=4, reserve_full_prompt=False)

    seen = both([*CHAT, BIG], build, **SMALL)
    assert seen.notes == [0.025]
    assert seen.tokens[2] == [110]
