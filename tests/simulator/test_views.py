"""Views: what is seen in the middle of a step, and at boundaries that coincide."""

from typing import Any

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, Dispatch, WakeAfter, WakeAt
from tests.simulator.harness import at, router, run, scheduler, to_zero


def test_simultaneous_boundaries_have_passed_on_lanes_before_and_not_on_lanes_after():
    seen = []

    def on_finished(self, view, fact):
        if fact.request == 1:
            seen.extend(view.requests[r].output_tokens for r in (0, 2))
        return ()

    kinds = router(on_arrived=lambda s, v, f: (Dispatch(f.request, f.request),), on_finished=on_finished)
    run([(0, 8, 50), (0, 8, 5), (0, 8, 50)], instances=3, make_router=kinds)
    assert seen == [5, 4]


def test_progress_is_seen_in_the_middle_of_a_run_of_chunks():
    seen = []

    def on_woke(self, view, fact):
        request = view.requests[0]
        seen.append((request.computed_tokens, request.kv_blocks, view.instances[0].free_blocks))
        return ()

    kinds = router(on_arrived=to_zero, on_start=at(0.005, 0.015, 0.035), on_woke=on_woke)
    limits: dict[str, Any] = {"max_num_batched_tokens": 32, "max_num_seqs": 4}
    done = run([(0, 320, 2)], make_router=kinds, make_scheduler=lambda: VllmV1(**limits))
    assert seen == [(0, 2, 998), (32, 4, 996), (96, 8, 992)]
    assert done["outcome"].steps < 6, "ten chunks are a few macro-steps"


def test_at_its_own_boundary_a_lane_does_not_count_the_block_of_the_iteration_to_come():
    seen = []
    local = scheduler(
        on_start=lambda s, v: (WakeAfter(1),),
        on_stepped=lambda s, v, f: seen.append((v.requests[0].kv_blocks, v.kv_blocks - v.free_blocks)) or (),
    )
    run([(0, 16, 9)], make_scheduler=local)
    assert seen == [(1, 1)]


def test_a_lane_s_view_moves_with_a_macro_step():
    seen = []
    local = scheduler(
        on_start=at(0.105, 0.205),
        on_woke=lambda s, v, f: seen.append((v.iteration, v.kv_blocks - v.free_blocks)) or (),
    )
    run([(0, 16, 60)], make_scheduler=local)
    assert seen == [(10, 2), (20, 3)]


def test_a_preempted_request_that_waits_is_counted_as_such():
    seen = []
    kinds = router(
        on_arrived=to_zero,
        on_start=at(0.185),
        on_woke=lambda s, v, f: seen.extend((i.waiting, i.preempted, i.waiting_tokens) for i in v.instances) or (),
    )
    # Both prompts fill 2 of 3 blocks; with a token each, both want another and one is left: the newest yields.
    run([(0, 16, 30), (0, 16, 30)], kv_blocks=3, make_router=kinds)
    assert seen == [(1, 1, 17)]


@pytest.mark.parametrize(("load", "least"), [("requests", 1), ("waiting", 1), ("running", 0), ("waiting_tokens", 0)])
def test_least_counts_what_its_name_says(load, least):
    seen = []
    kinds = router(
        on_arrived=lambda s, v, f: (Dispatch(f.request, 0 if f.request < 4 else 1),),
        on_start=at(0.015),
        on_woke=lambda s, v, f: seen.append(v.least(load)) or (),
    )
    # Instance 0: one of 8 tokens runs, three wait. Instance 1: two run, one of 99 tokens waits.
    local = scheduler(admit=lambda s, v, r: "yes" if len(v.running) <= v.instance else "no")
    run([(0, 8, 20)] * 6 + [(0, 99, 20)], instances=2, make_router=kinds, make_scheduler=local)
    assert seen == [least]


def test_least_follows_an_abort_of_a_waiting_request_at_once():
    seen = []

    def on_woke(self, view, fact):
        if fact.key == 0.005:
            return (Abort(1), WakeAt(0.006, "look"))
        seen.append(view.least("requests"))
        return ()

    def on_start(self, view):
        assert view.least("requests") == 0
        return (WakeAt(0.005, 0.005),)

    kinds = router(
        on_arrived=lambda s, v, f: (Dispatch(f.request, 0 if f.request in (0, 1) else 1),),
        on_start=on_start,
        on_woke=on_woke,
    )
    # Instance 0: request 0 runs, 1 waits; instance 1: request 2 runs, 3 waits.
    run([(0, 8, 20)] * 4, instances=2, make_router=kinds, make_scheduler=lambda: VllmV1(max_num_seqs=1))
    assert seen == [0]
    seen.clear()
    other = router(
        on_arrived=lambda s, v, f: (Dispatch(f.request, 1 if f.request in (0, 1) else 0),),
        on_start=on_start,
        on_woke=on_woke,
    )
    run([(0, 8, 20)] * 4, instances=2, make_router=other, make_scheduler=lambda: VllmV1(max_num_seqs=1))
    assert seen == [1]


def test_least_knows_who_has_finished_when_a_router_is_told():
    seen = []
    view_of = {0: 1, 1: 0}

    def on_finished(self, view, fact):
        seen.append(view.least("requests"))
        return ()

    kinds = router(
        on_arrived=lambda s, v, f: (Dispatch(f.request, view_of[f.request]),),
        on_start=lambda s, v: [WakeAt(v.least("requests"), 0)],
        on_finished=on_finished,
    )
    run([(0, 8, 3), (0, 8, 9)], instances=2, make_router=kinds)
    assert seen[0] == 1, "instance 1 has just become empty"
