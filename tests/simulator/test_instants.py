"""Instants: what a hook sees and starts at the very time of other events is the same at any step length."""

from typing import Any

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, Dispatch, Preempt, WakeAt
from tests.simulator.harness import MS, router, run, scheduler


def by_id(self, view, fact):
    """Request i goes to instance i, as far as there are instances."""
    return (Dispatch(fact.request, min(fact.request, len(view.instances) - 1)),)


def both_ways(arrivals, build, **settings):
    """Run with macro-steps and per iteration; return what `build(notes)` noted each way."""
    seen = []
    for per_iteration in (False, True):
        notes: list[object] = []
        done = run(arrivals, per_iteration=per_iteration, **build(notes), **settings)
        seen.append((notes, done["rows"].get("decisions"), done["rows"].get("samples")))
    return seen


def test_a_timer_set_for_now_by_a_lane_s_hook_sees_the_boundaries_that_have_passed():
    def build(notes):
        def on_finished(self, view, fact):
            return (WakeAt(view.now_s, "now"),) if fact.request == 1 else ()

        def on_woke(self, view, fact):
            notes.append((view.now_s, view.requests[0].output_tokens, view.instances[0].as_of_s))
            return ()

        return {"make_router": router(on_arrived=by_id, on_finished=on_finished, on_woke=on_woke)}

    macro, plain = both_ways([(0, 8, 50), (0, 8, 5)], build, instances=2)
    assert macro == plain


def test_a_dispatch_from_a_timer_set_for_now_starts_at_the_same_boundary_either_way():
    def build(notes):
        def on_arrived(self, view, fact):
            return () if fact.request == 2 else by_id(self, view, fact)

        def on_finished(self, view, fact):
            return (WakeAt(view.now_s, "now"),) if fact.request == 1 else ()

        def on_woke(self, view, fact):
            return (Dispatch(2, 0),)

        return {"make_router": router(on_arrived=on_arrived, on_finished=on_finished, on_woke=on_woke)}

    macro, plain = both_ways([(0, 8, 50), (0, 8, 5), (0, 8, 5)], build, instances=2, record_decisions=True)
    assert macro == plain


def test_an_idle_lane_that_wakes_after_others_sees_their_boundaries_as_passed():
    """Lane 2's boundary sends work to idle lane 0, whose scheduler looks at a request of lane 1."""

    def build(notes):
        def admit(self, view, request):
            if view.instance == 0 and 1 in view.requests:
                notes.append((view.now_s, view.requests[1].output_tokens))
            return "yes"

        def on_arrived(self, view, fact):
            return (Dispatch(fact.request, fact.request),) if fact.request else ()

        def on_finished(self, view, fact):
            return (Dispatch(0, 0),) if fact.request == 2 else ()

        return {
            "make_router": router(on_arrived=on_arrived, on_finished=on_finished),
            "make_scheduler": scheduler(admit=admit),
        }

    macro, plain = both_ways([(0, 8, 5), (0, 8, 50), (0, 8, 5)], build, instances=3)
    assert macro == plain


def test_a_time_series_ends_with_the_last_event_not_with_a_cancelled_one():
    """Request 0 is aborted half-way; request 1 is never routed, so the run ends when nothing is left to happen."""

    def build(notes):
        def on_start(self, view):
            return (WakeAt(0.25, "abort"),)

        def on_arrived(self, view, fact):
            return (Dispatch(0, 0),) if fact.request == 0 else ()

        def on_woke(self, view, fact):
            return (Abort(0),)

        return {"make_router": router(on_arrived=on_arrived, on_start=on_start, on_woke=on_woke)}

    macro, plain = both_ways([(0, 8, 90), (0, 8, 2)], build, sample_s=0.05)
    assert macro == plain


def test_timers_of_one_instant_go_off_by_who_set_them():
    woken: list[Any] = []

    class Timed(VllmV1):
        def on_start(self, view):
            return (WakeAt(0.005, 0),) if view.instance == 1 else ()

        def on_arrived(self, view, fact):
            return (WakeAt(0.005, 0),) if view.instance == 0 else ()

        def on_woke(self, view, fact):
            woken.append(view.instance)
            return ()

    run([(0, 8, 2)], instances=2, make_scheduler=Timed)
    assert woken == [0, 1]


# -- the view agrees with itself --------------------------------------------------------------------------------------


def scan(view, load):
    key = {"requests": lambda i: i.running + i.waiting, "running": lambda i: i.running}[load]
    return min(view.instances, key=lambda i: (key(i), i.id)).id


@pytest.mark.parametrize("hook", ["on_first_token", "on_preempted", "on_finished", "on_woke"])
def test_least_says_what_a_scan_of_the_view_says_in_every_hook(hook):
    seen: list[tuple[int, int]] = []

    def look(self, view, fact):
        seen.extend((view.least(load), scan(view, load)) for load in ("requests", "running"))
        return ()

    def on_start(self, view):
        assert view.least("requests") == view.least("running") == 0
        return (WakeAt(0.055, 0),)

    # On lane 1, request 0 finishes as request 2 gives its first token; later request 2 is preempted.
    lanes = {0: 1, 1: 0, 2: 1, 3: 0, 4: 1, 5: 1}
    kinds = router(
        on_start=on_start, on_arrived=lambda s, v, f: (Dispatch(f.request, lanes[f.request]),), **{hook: look}
    )
    arrivals = [(0, 8, 3), (0, 8, 30), (15 * MS, 8, 30), (20 * MS, 8, 30), (50 * MS, 8, 30), (80 * MS, 8, 30)]
    local = scheduler(on_arrived=lambda s, v, f: (Preempt(2),) if f.request == 5 else ())
    run(arrivals, instances=2, make_router=kinds, make_scheduler=local)
    assert seen
    assert all(least == scanned for least, scanned in seen), seen
