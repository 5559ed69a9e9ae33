"""Swap: what a copy to the host and back costs, and who waits for it.

Iterations take 10 ms, and a block 1 ms over PCIe, in each direction.
"""

import pytest

from tests.simulator.given import EVERY, Row, both, limited, slow
from tests.simulator.harness import MS, at, router, to_zero
from tests.simulator.swapping import ASYNC, PAIR, SYNC, resumed, swapping

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


def test_only_the_iteration_that_waited_for_copies_is_longer():
    """The second goes out at 50 and is held until the first has ended."""

    def admit(self, view, request):
        return "hold" if request.output_tokens and view.running else "yes"

    seen = both(PAIR, lambda notes: swapping(1, admit=admit), **SYNC, **slow())
    assert seen.tokens[0] == [*EVERY[:5], *(62.0 + 10 * i for i in range(35))]


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
    seen = both(rows, lambda notes: limited(swapping(1)["make_scheduler"], max_num_seqs=2), **ASYNC, **slow())
    assert seen.when("admitted", 2) == [400]


@pytest.mark.parametrize(("swap", "at_ms", "left"), [("sync", 50, 14), ("async", 60, 15)])
def test_a_swap_in_takes_a_token_of_the_budget_if_it_joins_at_once(swap, at_ms, left):
    """Of 16 tokens the first request takes one, the second one more if it is part of the iteration."""
    settings = SYNC | {"swap": swap}
    seen = both(
        [*PAIR, Row(45, 40, 1)],
        lambda notes: limited(swapping(1)["make_scheduler"], max_num_batched_tokens=16, max_num_seqs=16),
        **settings,
        **slow(),
    )
    assert [row[4] for row in seen.log if row[:2] == (at_ms, "admitted")] == [left]


def test_nobody_is_told_that_a_lane_is_blocked_while_a_copy_is_under_way():
    def build(notes):
        return swapping(0, on_blocked=lambda self, view, fact: notes.append(view.now_s) or ())

    assert both([Row(0, 16, 40)], build, **ASYNC, **slow()).notes == []
