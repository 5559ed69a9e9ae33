"""Host copies that stay: what a swap adds to them, what the next turn finds, and how they are lost.

Iterations take 10 ms, and a block of 16 tokens 1 ms over PCIe, in each direction.
"""

import pytest

from simcore.books.draw import seed_of
from simcore.books.priority_trace import PriorityTrace
from simcore.contract import Preempt
from simcore.simulator.settings import Fault, Priorities
from tests.simulator.given import EVERY, Row, both, slow
from tests.simulator.harness import at, scheduler
from tests.simulator.swapping import ASYNC, SYNC, resumed, swapping

KEPT = {"host_copy": "keep"}
TURNS = [Row(0, 64, 10, program=0), Row(0, 100, 5, program=0, turn=1, gap=20)]


def out_at(*dates_s, which=0):
    def on_woke(self, view, fact):
        return [Preempt(which, kv="swap")] if which in view.running else []

    return {"make_scheduler": scheduler(on_start=at(*dates_s), on_woke=on_woke)}


@pytest.mark.parametrize(("how", "out", "reused"), [("drop", 2 + 3, 0), ("keep", 2 + 2, 1)])
def test_a_second_swap_copies_only_what_is_new(how, out, reused):
    """Out and in again at 50 ms with 20 tokens, at 192 ms with 34: the block that was full then is there."""
    seen = both([Row(0, 16, 40)], lambda notes: out_at(0.045, 0.185), **SYNC, **slow(), host_copy=how)
    assert seen.counters["swap_out_blocks"] == out
    assert seen.counters["swap_in_blocks"] == 2 + 3
    assert seen.counters.get("reused_host_blocks", 0) == reused


def test_the_next_turn_computes_behind_what_the_host_has_in_an_iteration_that_waits_for_it():
    """68 tokens were copied at 50 ms, in 5 ms. The next turn, at 125, has 4 full blocks of them copied in."""
    seen = both(TURNS, lambda notes: out_at(0.045), **SYNC, **slow(), **KEPT)
    assert seen.tokens[0] == resumed(65, 5, 10)
    assert seen.tokens[1] == [139.0 + 10 * i for i in range(5)]
    assert seen.prefills() == [(64, 0), (36, 64)]
    assert seen.counters["host_prefix_tokens"] == 64


def test_beside_others_the_next_turn_waits_for_its_copy_and_they_do_not():
    """Out at 50, in at 60, joined at 70, over at 120. The next turn comes at 140, its copy at 144; it runs at 150."""
    rows = [TURNS[0], TURNS[1], Row(0, 16, 40)]
    seen = both(rows, lambda notes: out_at(0.045), **ASYNC, **slow(), **KEPT)
    assert seen.tokens[2] == EVERY
    assert seen.tokens[0] == resumed(80, 5, 10)
    assert (seen.when("fetch", 1), seen.when("admitted", 1)) == ([140], [150])
    assert seen.tokens[1] == [160.0 + 10 * i for i in range(5)]


def test_without_a_copy_or_without_keeping_it_the_next_turn_is_computed_in_full():
    never = both(TURNS, **SYNC, **slow(), **KEPT)
    dropped = both(TURNS, lambda notes: out_at(0.045), **SYNC, **slow())
    assert never.prefills() == dropped.prefills() == [(64, 0), (100, 0)]


def test_a_request_whose_kv_was_dropped_finds_its_older_copy_again():
    """Swapped out and in with 20 tokens at 50 ms; dropped at 92 with 23: one full block is copied, 7 + 1 computed."""

    def on_woke(self, view, fact):
        return [Preempt(0, kv="swap" if fact.key < 0.06 else "drop")]

    def build(notes):
        return {"make_scheduler": scheduler(on_start=at(0.045, 0.085), on_woke=on_woke)}

    seen = both([Row(0, 16, 40)], build, **SYNC, **slow(), **KEPT)
    assert seen.tokens[0][5:10] == [62, 72, 82, 92, 92 + 1 + 10]
    assert seen.prefills() == [(16, 0), (9, 16)]


def test_the_copy_of_a_request_without_a_program_goes_with_it():
    seen = both([Row(0, 16, 40)], lambda notes: out_at(0.045), **SYNC, **slow(), **KEPT)
    assert seen.simulator.instances[0].store.host.copies == {}
    seen = both(TURNS, lambda notes: out_at(0.045), **SYNC, **slow(), **KEPT)
    assert [copy.tokens for copy in seen.simulator.instances[0].store.host.copies.values()] == [68]


# -- no room ----------------------------------------------------------------------------------------------------------


def unequal(first, second):
    """Return a seed and priorities under which requests 0 and 1 have these levels."""
    given = Priorities("random", levels=2, every_iterations=1000)

    def levels(seed):
        trace = PriorityTrace(seed=seed_of(seed, 0, 3), pattern="random", levels=2, stay=0.8, every_iterations=1000)
        return [trace.level(-1 - request, 0) for request in (0, 1)]

    return {"seed": next(s for s in range(100) if levels(s) == [first, second]), "priorities": given}


@pytest.mark.parametrize(
    ("first", "second", "lost"), [(1, 0, ("overwritten", 0)), (0, 1, ("preempted", 1)), (1, 1, ("preempted", 1))]
)
def test_where_the_host_is_full_the_less_urgent_is_computed_again(first, second, lost):
    """The first goes out at 50 ms and is held; the second follows at 92, and the host holds two blocks."""

    def on_woke(self, view, fact):
        return {0.045: [Preempt(0, kv="swap")], 0.085: [Preempt(1, kv="swap")]}.get(fact.key, [])

    def admit(self, view, request):
        return "hold" if request.output_tokens and view.now_s < 0.1 else "yes"

    def build(notes):
        return {"make_scheduler": scheduler(on_start=at(0.045, 0.085), on_woke=on_woke, admit=admit)}

    rows = [Row(0, 16, 40), Row(0, 16, 40), Row(150, 16, 1)]
    seen = both(rows, build, **(SYNC | {"host_blocks": 2}), **slow(), **KEPT, **unequal(first, second))
    kind, request = lost
    assert seen.when(kind) == [92]
    assert seen.when(kind, request) == [92]
    assert len(seen.prefills()) == 4
    assert set(seen.states.values()) == {"finished"}


def test_a_client_that_gives_up_while_its_kv_is_copied_leaves_nothing_on_the_host():
    rows = [Row(0, 16, 40, cancel=51), Row(0, 16, 40)]
    seen = both(rows, lambda notes: out_at(0.045), **ASYNC, **slow(), **KEPT)
    host = seen.simulator.instances[0].store.host
    assert seen.states == {0: "cancelled", 1: "finished"}
    assert (host.free, host.copies) == (100, {})
    assert seen.tokens[1] == EVERY


def test_copies_go_down_with_their_instance_and_requests_that_waited_for_them_are_computed_again():
    """Swapped out at 50 ms and held, lost with the instance at 75, back at 85 to be computed with its 5 tokens."""

    def admit(self, view, request):
        return "hold" if request.state == "swapped" else "yes"

    def build(notes):
        return swapping(0, admit=admit)

    fault = Fault("instance", 0, 0.075, 0.01)
    seen = both([Row(0, 16, 40), Row(0, 16, 40)], build, **ASYNC, **slow(), **KEPT, faults=(fault,))
    assert seen.when("lost") == [75, 75]
    assert (21, 0) in seen.prefills()
    assert seen.simulator.instances[0].store.host.copies == {}
    assert set(seen.states.values()) == {"finished"}
