"""Swap, where room is short: who is dropped, who starts, and who gives blocks back when it is cut short.

Iterations take 10 ms, and a block 1 ms over PCIe, in each direction.
"""

import pytest

from simcore.contract import Abort, IllegalAction, Preempt
from tests.simulator.given import Row, both, limited, slow
from tests.simulator.harness import MS, at, noting, router, scheduler, to_zero
from tests.simulator.swapping import ASYNC, PAIR, SYNC, resumed, swapping

# -- no room ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("swap", ["sync", "async"])
@pytest.mark.parametrize(("host_blocks", "kind", "kept"), [(2, "swapped", 2), (1, "preempted", 0)])
def test_what_the_host_has_no_room_for_is_dropped(swap, host_blocks, kind, kept):
    def build(notes):
        return swapping(
            0,
            on_done=noting(notes, lambda fact: (fact.ok, fact.kept)),
            on_preempted=noting(notes, lambda fact: fact.kv),
        )

    seen = both([Row(0, 16, 40)], build, swap=swap, host_blocks=host_blocks, **slow())
    assert seen.when(kind) == [50]
    assert seen.notes == ["swap" if kept else "drop", (True, kept)]
    assert seen.prefills() == [(16, 0)] if kept else [(16, 0), (21, 0)]


def test_host_blocks_are_taken_when_the_copy_out_starts_and_given_back_when_the_copy_in_has_ended():
    """The host has one block, for the first that goes out. The other finds none at 60, and it at 90."""

    def on_woke(self, view, fact):
        return (Preempt(0 if fact.key == 0.045 else 1, kv="swap"),)

    seen = both(
        [Row(0, 8, 40), Row(0, 8, 40)],
        lambda notes: {"make_scheduler": scheduler(on_start=at(0.045, 0.051, 0.085), on_woke=on_woke)},
        **(ASYNC | {"host_blocks": 1}),
        **slow(),
    )
    assert seen.when("swapped") == [50, 90]
    assert seen.when("preempted") == [60]


def test_a_prefill_is_dropped_not_swapped():
    seen = both(
        [Row(0, 64, 40)],
        lambda notes: limited(swapping(0, date_s=0.015)["make_scheduler"], max_num_batched_tokens=16, max_num_seqs=16),
        **SYNC,
    )
    assert seen.when("preempted") == [20]
    assert seen.counters["swap_outs"] == 0


def test_each_victim_is_dropped_or_swapped_as_the_scheduler_says():
    """Each of four needs a third block at 170 ms, and there are eight: two must yield, the newest first."""
    spill = scheduler(spill=lambda self, view, request: "swap" if request.id == 2 else None)
    seen = both([Row(0, 16, 40)] * 4, lambda notes: {"make_scheduler": spill}, host_blocks=100, **slow(), kv_blocks=8)
    assert [row[1:4:2] for row in seen.log if row[0] == 170] == [("preempted", 3), ("swapped", 2)]


def test_a_scheduler_may_drop_what_the_study_would_swap():
    spill = scheduler(spill=lambda self, view, request: "drop")
    seen = both(PAIR, lambda notes: {"make_scheduler": spill}, **SYNC, **slow(), kv_blocks=4)
    assert (seen.when("preempted"), seen.when("swapped")) == ([170], [])


def test_a_swap_needs_host_memory():
    with pytest.raises(IllegalAction, match="kv must be 'drop' where there is no host memory for KV"):
        both([Row(0, 16, 40)], lambda notes: swapping(0), prefix_cache="cold")


# -- who starts when room was made ------------------------------------------------------------------------------------


def test_nobody_starts_in_an_iteration_for_which_room_was_made():
    """The newest come first. At 170 the second yields, and a block is left for the third: it starts at 180."""
    newest = scheduler(order=lambda self, request: -request.id, victim=lambda self, view: 1)
    for settings in (SYNC, ASYNC, {"host_blocks": 1}):
        seen = both([*PAIR, Row(165, 8, 1)], **settings, make_scheduler=newest, kv_blocks=5)
        assert seen.when("admitted", 2) == [180]


def test_a_stall_waits_for_exactly_what_it_needs():
    """Two blocks: at 10 ms the first needs the other's, whose copy takes a millisecond. Nobody else has to yield."""
    seen = both([Row(0, 16, 9), Row(0, 8, 2)], **ASYNC, **slow(), kv_blocks=2)
    assert seen.preemptions == {0: 0, 1: 1}
    assert seen.tokens[0][:3] == [10, 21, 31]


# -- with other mechanisms, and when it is cut short ------------------------------------------------------------------


@pytest.mark.parametrize("swap", ["sync", "async"])
def test_blocks_the_cache_still_has_need_no_copy_back(swap):
    """With 20 tokens, one block is full, and stays cached: only the other is copied in."""
    settings = SYNC | {"swap": swap, "prefix_cache": "cold"}
    seen = both([Row(0, 16, 40)], lambda notes: swapping(0), **settings, **slow())
    assert seen.details("fetch", 0) == [1]
    assert (seen.counters["bytes_pcie_out:0"], seen.counters["bytes_pcie_in:0"]) == (2000, 1000)


@pytest.mark.parametrize("swap", ["sync", "async"])
@pytest.mark.parametrize("cache", [None, "cold"])
@pytest.mark.parametrize("date_s", [0.051, 0.055, 0.061, 0.065, 0.075])
def test_an_abort_at_any_stage_gives_all_blocks_back(swap, cache, date_s):
    """Going out, out, coming in, in, running again: see the dates of `swapped`, `fetch` and `joined` above."""

    def build(notes):
        kinds = router(on_arrived=to_zero, on_start=at(date_s), on_woke=lambda self, view, fact: (Abort(1),))
        return {"make_router": kinds, **swapping(1)}

    seen = both(PAIR, build, **(SYNC | {"swap": swap, "prefix_cache": cache}), **slow(), kv_blocks=10)
    one = seen.simulator.instances[0]
    assert seen.states == {0: "finished", 1: "cancelled"}
    assert one.store is not None
    assert (one.free_blocks, one.store.host_free, one.store.reserved) == (10, 100, 0)


def test_a_request_that_ends_while_it_is_copied_out_leaves_its_blocks_there_until_the_copy_has_ended():
    """The copy out takes from 50 to 62, and is over for the lane at 70; its client gives it up at 55."""

    def build(notes):
        def look(self, view, fact):
            one = view.instances[0]
            notes.append((one.free_blocks, one.reserved_blocks, one.host_free_blocks))
            return ()

        kinds = router(on_arrived=to_zero, on_start=at(0.051, 0.056, 0.065, 0.075), on_woke=look)
        return {"make_router": kinds, **swapping(1)}

    rows = [Row(0, 16, 40), Row(0, 16, 40, cancel=55)]
    seen = both(rows, build, **ASYNC, **slow(launch_ps=5 * MS), kv_blocks=10)
    assert seen.notes == [(6, 2, 98), (6, 2, 98), (6, 2, 98), (8, 0, 100)]


def test_who_is_preempted_while_its_lane_stalls_has_waited_since_its_last_token():
    """The lane stalls from 170 to 172; the preemption asked for at 171 is done then, and the gap is 12 ms."""
    seen = both(
        PAIR,
        lambda notes: {"make_scheduler": scheduler(on_start=at(0.171), on_woke=lambda s, v, f: (Preempt(0),))},
        **ASYNC,
        **slow(),
        kv_blocks=4,
    )
    assert seen.tokens[0][16:18] == [170, 182]
    assert seen.gaps.count(12 * MS) == 1


def test_cached_blocks_that_nobody_holds_are_taken_by_who_comes_back():
    """Six blocks. At 50 the second goes out, and leaves one of its two cached; the third, first in line, takes three.
    One is free, the cached one: to come back takes it and another, which the third leaves at 100."""
    newest = scheduler(
        order=lambda self, request: -request.id,
        on_start=at(0.045),
        on_woke=lambda self, view, fact: (Preempt(1, kv="swap"),),
    )
    rows = [Row(0, 16, 20), Row(0, 16, 20), Row(45, 40, 5)]
    settings = SYNC | slow() | {"prefix_cache": "cold", "make_scheduler": newest}
    seen = both(rows, **settings, kv_blocks=6)
    assert seen.when("fetch", 1) == [102]
    assert seen.details("fetch", 1) == [1]


def test_who_yields_as_soon_as_it_is_back_has_waited_since_its_last_token():
    """Four blocks. Out at 150 with two, the second is back at 170, when the first needs a third: it goes out again."""
    seen = both(PAIR, lambda notes: swapping(1, date_s=0.145), **ASYNC, **slow(), kv_blocks=4)
    assert seen.when("swapped") == [150, 170]
    assert seen.when("joined") == [170, 404]
    assert seen.tokens[1] == resumed(414, 15)
