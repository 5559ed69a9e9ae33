"""Swap: what a copy to the host and back costs, who waits for it, and what happens where there is no room.

Iterations take 10 ms, and a block 1 ms over PCIe, in each direction.
"""

from typing import Any

import pytest

from simcore.contract import Abort, IllegalAction, Preempt
from tests.simulator.given import Row, both, slow
from tests.simulator.harness import MS, at, noting, router, scheduler, to_zero

SYNC: dict[str, Any] = {"preemption": "swap", "swap": "sync", "host_blocks": 100}
ASYNC = SYNC | {"swap": "async"}
PAIR = [Row(0, 16, 40), Row(0, 16, 40)]
"""Two requests of 1 block, then 2, then 3 from their 18th iteration on."""
EVERY = [10.0 * i for i in range(1, 41)]
"""The tokens of one that is never disturbed."""


def swapping(*which: int, date_s: float = 0.045, **more: Any) -> dict[str, Any]:
    """These requests are swapped out at the first boundary after a date, and told of."""

    def on_woke(self, view, fact):
        return [Preempt(request, kv="swap") for request in which if request in view.running]

    return {"make_scheduler": scheduler(on_start=at(date_s), on_woke=on_woke, **more)}


def resumed(first_ms: float, tokens_before: int, tokens: int = 40) -> list[float]:
    """Return when tokens come that a pause held up: the first of them at `first_ms`."""
    return [*EVERY[:tokens_before], *(first_ms + 10 * i for i in range(tokens - tokens_before))]


# -- copies that an iteration waits for -------------------------------------------------------------------------------


def test_an_iteration_takes_its_copies_out_and_then_its_own_time():
    """Four blocks: at 170 ms the second yields its two, copied in 2 ms. It comes back when the first has ended."""
    seen = both(PAIR, **SYNC, **slow(), kv_blocks=4)
    assert seen.tokens[0] == [*EVERY[:17], *(182.0 + 10 * i for i in range(23))]
    assert seen.tokens[1] == resumed(402 + 2 + 10, 17)
    assert seen.preemptions == {0: 0, 1: 1}
    assert (seen.counters["swap_outs"], seen.counters["swap_ins"], seen.counters["swapped_blocks"]) == (1, 1, 4)


@pytest.mark.parametrize(
    ("links", "copy_ms"),
    [({}, 2), ({"pcie_latency_ps": MS}, 3), ({"launch_ps": 3 * MS}, 8), ({"pcie_bytes_per_s": 10**5}, 20)],
)
def test_a_copy_takes_latency_launches_and_bytes(links, copy_ms):
    seen = both(PAIR, **SYNC, **slow(**links), kv_blocks=4)
    assert seen.tokens[0][17] == 170 + copy_ms + 10
    assert seen.counters["bytes_pcie_out:0"] == seen.counters["bytes_pcie_in:0"] == 2000


def test_without_links_a_copy_takes_no_time():
    assert both(PAIR, **SYNC, kv_blocks=4).tokens == {0: EVERY, 1: resumed(410, 17)}


def test_copies_out_and_in_do_not_contend():
    """Swapped out at 50 ms with 20 tokens, two blocks, and in again at the same boundary: 2 ms, not 4."""
    seen = both([Row(0, 16, 40)], lambda notes: swapping(0), **SYNC, **slow())
    assert seen.tokens[0] == resumed(62, 5)


def test_copies_in_one_direction_share_it():
    seen = both(PAIR, lambda notes: swapping(0, 1), **SYNC, **slow())
    assert seen.tokens == dict.fromkeys((0, 1), resumed(64, 5))


@pytest.mark.parametrize(("gpus_per_switch", "copy_ms"), [(1, 2), (2, 4)])
def test_instances_behind_one_switch_share_it(gpus_per_switch, copy_ms):
    settings = SYNC | slow(2, gpus_per_pcie_switch=gpus_per_switch) | {"instances": 2}
    seen = both(PAIR, lambda notes: swapping(0, 1), **settings)
    assert seen.tokens == dict.fromkeys((0, 1), resumed(50 + copy_ms + 10, 5))


def test_nothing_waits_for_copies_of_a_boundary_that_forms_no_iteration():
    """The only request goes out at 50 ms and is held there until 85: then its copy in takes 2 ms."""

    def admit(self, view, request):
        return "yes" if not request.output_tokens or view.now_s > 0.06 else "hold"

    def build(notes):
        kinds = router(on_arrived=to_zero)
        return {"make_router": kinds, **swapping(0, admit=admit)}

    seen = both([Row(0, 16, 40), Row(85, 16, 1)], build, **SYNC, **slow())
    assert seen.tokens == {0: resumed(97, 5), 1: [97]}


# -- copies beside the iterations -------------------------------------------------------------------------------------


def test_an_iteration_does_not_wait_for_a_copy_if_it_finds_room():
    """Five blocks: at 170 ms there is one for the first. Its end at 400 makes room; the other joins at 402."""
    seen = both(PAIR, **ASYNC, **slow(), kv_blocks=5)
    assert seen.tokens == {0: EVERY, 1: resumed(412, 17)}


def test_a_lane_stalls_for_blocks_on_their_way_out():
    seen = both(PAIR, **ASYNC, **slow(), kv_blocks=4)
    assert seen.tokens == {0: [*EVERY[:17], *(182.0 + 10 * i for i in range(23))], 1: resumed(402 + 2 + 10, 17)}


def test_a_stalled_lane_tries_again_at_each_copy_and_goes_on_at_the_first_that_suffices():
    """Six blocks, three of each. At 330 ms two are needed; the newest goes out, 3 ms, and nobody else must."""
    rows = [Row(0, 16, 40), Row(0, 16, 40)]
    seen = both(rows, **ASYNC, **slow(), kv_blocks=6)
    assert seen.tokens[0] == [*EVERY[:33], *(343.0 + 10 * i for i in range(7))]
    assert seen.counters["swap_outs"] == 1


def test_who_was_swapped_out_comes_back_at_boundaries_only():
    """Out at 50 ms, there at 52, which is seen at 60; in from 60 to 62, seen at 70: its token comes at 80."""
    seen = both(PAIR, lambda notes: swapping(1), **ASYNC, **slow())
    assert seen.tokens == {0: EVERY, 1: resumed(80, 5)}
    assert (seen.when("swapped"), seen.when("fetch"), seen.when("joined")) == ([50], [60], [70])


def test_whose_copy_out_is_under_way_holds_the_queue():
    """The copy takes 12 ms, from 50 to 62; a request that came at 55 starts with it at 70."""
    links = slow(launch_ps=5 * MS)
    seen = both([*PAIR, Row(55, 16, 1)], lambda notes: swapping(1), **ASYNC, **links)
    assert seen.tokens == {0: EVERY, 1: resumed(100, 5), 2: [80]}


def test_an_idle_lane_goes_on_as_soon_as_a_copy_has_ended():
    seen = both([Row(0, 16, 40)], lambda notes: swapping(0), **ASYNC, **slow())
    assert seen.tokens[0] == resumed(50 + 2 + 2 + 10, 5)


def test_what_is_being_copied_is_reserved_and_neither_free_nor_running():
    def build(notes):
        def look(self, view, fact):
            one = view.instances[0]
            states = [request.state for request in view.requests.values()]
            notes.append((one.free_blocks, one.reserved_blocks, one.host_free_blocks, one.running, one.waiting, states))
            return ()

        kinds = router(on_arrived=to_zero, on_start=at(0.045, 0.051, 0.055, 0.061, 0.065, 0.075), on_woke=look)
        return {"make_router": kinds, **swapping(1)}

    seen = both(PAIR, build, **ASYNC, **slow(), kv_blocks=10)
    assert seen.notes == [
        (6, 0, 100, 2, 0, ["running", "running"]),
        (6, 2, 98, 1, 1, ["running", "swapped"]),
        (6, 2, 98, 1, 1, ["running", "swapped"]),  # the copy has ended; the lane hears of it at 60
        (6, 2, 98, 1, 0, ["running", "paused"]),
        (6, 2, 98, 1, 0, ["running", "paused"]),
        (6, 0, 100, 2, 0, ["running", "running"]),
    ]


def test_who_is_being_copied_in_counts_as_running():
    """Two may run. The third comes at 55, while the second is out; from 60 on the second is on its way back."""
    rows = [*PAIR, Row(55, 16, 1)]
    seen = both(rows, lambda notes: _limited(swapping(1), max_num_seqs=2), **ASYNC, **slow())
    assert seen.when("admitted", 2) == [400]


def _limited(settings: dict[str, Any], **limits: int) -> dict[str, Any]:
    kind = settings["make_scheduler"]
    return {"make_scheduler": lambda: kind(**limits)}


@pytest.mark.parametrize(("swap", "at_ms", "left"), [("sync", 50, 14), ("async", 60, 15)])
def test_a_swap_in_takes_a_token_of_the_budget_if_it_joins_at_once(swap, at_ms, left):
    """Of 16 tokens the first request takes one, the second one more if it is part of the iteration."""
    settings = SYNC | {"swap": swap}
    seen = both(
        [*PAIR, Row(45, 40, 1)],
        lambda notes: _limited(swapping(1), max_num_batched_tokens=16, max_num_seqs=16),
        **settings,
        **slow(),
    )
    assert [row[4] for row in seen.log if row[:2] == (at_ms, "admitted")] == [left]


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
        lambda notes: _limited(swapping(0, date_s=0.015), max_num_batched_tokens=16, max_num_seqs=16),
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


# -- who starts when room was made ------------------------------------------------------------------------------------


def test_nobody_starts_in_an_iteration_for_which_room_was_made():
    """The newest come first. At 170 the second yields, and a block is left for the third: it starts at 180."""
    for settings in (SYNC, ASYNC, {"host_blocks": 1}):
        newest = {"make_scheduler": scheduler(order=lambda self, request: -request.id, victim=lambda self, view: 1)}
        seen = both([*PAIR, Row(165, 8, 1)], lambda notes, newest=newest: newest, **settings, kv_blocks=5)
        assert seen.when("admitted", 2) == [180]


def test_a_stall_waits_for_exactly_what_it_needs():
    """Two blocks: at 10 ms the first needs the other's, whose copy takes a millisecond. Nobody else has to yield."""
    seen = both([Row(0, 16, 9), Row(0, 8, 2)], **ASYNC, **slow(), kv_blocks=2)
    assert seen.preemptions == {0: 0, 1: 1}
    assert seen.tokens[0][:3] == [10, 21, 31]


def test_only_the_iteration_that_waited_for_copies_is_longer():
    """The second goes out at 50 and is held until the first has ended."""

    def admit(self, view, request):
        return "hold" if request.output_tokens and view.running else "yes"

    seen = both(PAIR, lambda notes: swapping(1, admit=admit), **SYNC, **slow())
    assert seen.tokens[0] == [*EVERY[:5], *(62.0 + 10 * i for i in range(35))]


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


def test_nobody_is_told_that_a_lane_is_blocked_while_a_copy_is_under_way():
    def build(notes):
        return swapping(0, on_blocked=lambda self, view, fact: notes.append(view.now_s) or ())

    assert both([Row(0, 16, 40)], build, **ASYNC, **slow()).notes == []
