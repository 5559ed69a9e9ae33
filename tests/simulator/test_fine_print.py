"""The fine print of the contract: simultaneous events, actions in flight, who is told and who may."""

from typing import Any

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, Dispatch, IllegalAction, Preempt, Reject, Router, Scheduler, WakeAfter, WakeAt
from tests.property.draw import Flat
from tests.simulator.harness import MS, STEP, noting, router, run, scheduler


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


# -- 1. exactness --------------------------------------------------------------------------------------------


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


# -- 2. the view agrees with itself ------------------------------------------------------------------------


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


# -- 3. the contract -----------------------------------------------------------------------------------------


def test_an_action_takes_effect_after_the_hook_also_when_the_hook_is_a_generator():
    seen = []

    def on_arrived(self, view, fact):
        yield Dispatch(fact.request, 0)
        seen.append(view.requests[fact.request].state)

    run([(0, 8, 2)], make_router=router(on_arrived=on_arrived))
    assert seen == ["unrouted"]


def test_a_hook_may_abort_while_it_walks_over_the_live_requests():
    def on_woke(self, view, fact):
        for request in view.requests:
            yield Abort(request)

    def on_start(self, view):
        return (WakeAt(0.5, 0),)

    done = run([(0, 8, 2)] * 3, make_router=router(on_start=on_start, on_woke=on_woke))
    assert done["outcome"].cancelled == 3


def test_an_action_that_another_hook_overtook_is_not_illegal():
    """Both were legal when the hook answered; what happened in between is not the policy's mistake."""

    def on_woke(self, view, fact):
        return tuple(Dispatch(r, 0) for r in view.requests)

    def on_rejected(self, view, fact):
        return tuple(Reject(r) for r, request in view.requests.items() if request.state == "unrouted")

    def on_start(self, view):
        return (WakeAt(0.5, 0),)

    hooks = {"on_start": on_start, "on_woke": on_woke, "on_rejected": on_rejected}
    done = run([(0, 999, 2), (0, 8, 2)], kv_blocks=4, make_router=router(**hooks))
    assert done["outcome"].arrived == 2


def test_an_abort_after_a_preemption_in_flight_still_stops_the_request():
    def on_arrived(self, view, fact):
        return (Preempt(0), Abort(0)) if fact.request == 1 else ()

    done = run([(0, 8, 20), (int(3.5 * STEP), 8, 20)], make_scheduler=scheduler(on_arrived=on_arrived))
    assert done["requests"][0]["state"] == 2, "cancelled"


def test_a_router_s_action_still_in_flight_is_illegal():
    def on_woke(self, view, fact):
        return (Abort(0), Abort(0))

    def on_start(self, view):
        return (WakeAt(0.035, 0),)

    with pytest.raises(IllegalAction, match="still in flight"):
        run([(0, 8, 20)], make_router=router(on_arrived=by_id, on_start=on_start, on_woke=on_woke))


def test_a_scheduler_is_not_blamed_for_an_action_of_the_router_it_cannot_see():
    def on_woke(self, view, fact):
        return (Abort(0),)

    def on_start(self, view):
        return (WakeAt(0.035, 0),)

    local = {"on_start": lambda s, v: (WakeAt(0.036, 1),), "on_woke": lambda s, v, f: (Abort(0),)}
    kinds = router(on_arrived=by_id, on_start=on_start, on_woke=on_woke)
    done = run([(0, 8, 20)], make_router=kinds, make_scheduler=scheduler(**local))
    assert done["outcome"].cancelled == 1


@pytest.mark.parametrize("at_s", [0.001, 0.035])
def test_whoever_aborts_is_told_the_outcome_once(at_s):
    """Waiting (nothing runs it: the lane is full) or running: the same answer, to the router that asked."""
    told: list[Any] = []

    def on_done(self, view, fact):
        told.append(fact)
        return ()

    def on_start(self, view):
        return (WakeAt(at_s, 0),)

    def on_woke(self, view, fact):
        return (Abort(1),)

    kinds = router(on_arrived=by_id, on_start=on_start, on_woke=on_woke, on_done=on_done)
    limits = lambda: VllmV1(max_num_seqs=2 if at_s > 0.03 else 1)  # noqa: E731
    run([(0, 8, 20), (0, 8, 20)], make_router=kinds, make_scheduler=limits)
    assert [(f.action, f.ok) for f in told] == [(Abort(1), True)]


def test_a_scheduler_is_not_told_the_outcome_of_what_the_router_asked():
    told: list[Any] = []
    local = scheduler(on_done=noting(told, lambda fact: fact))
    kinds = router(on_arrived=by_id, on_start=lambda s, v: (WakeAt(0.035, 0),), on_woke=lambda s, v, f: (Abort(0),))
    run([(0, 8, 20)], make_router=kinds, make_scheduler=local)
    assert told == []


def test_a_router_learns_that_a_scheduler_stopped_a_request():
    told: list[Any] = []
    kinds = router(on_arrived=by_id, on_cancelled=noting(told, lambda fact: fact.request))
    local = scheduler(on_start=lambda s, v: (WakeAt(0.035, 0),), on_woke=lambda s, v, f: (Abort(0),))
    run([(0, 8, 20)], make_router=kinds, make_scheduler=local)
    assert told == [0]


def test_an_action_outside_emits_is_illegal():
    class Sly(Router):
        def on_arrived(self, view, fact):
            return (Abort(fact.request),)

    with pytest.raises(IllegalAction, match="may only"):
        run([(0, 8, 2)], make_router=Sly)


def test_an_oracle_answers_only_a_policy_that_declares_it():
    class Sly(VllmV1):
        def order(self, request):
            return request.oracle.output_tokens

    with pytest.raises(IllegalAction):
        run([(0, 8, 2)], make_scheduler=Sly, oracle=frozenset({"output_tokens"}))


def test_a_second_wake_after_does_not_drop_the_first_in_silence():
    told: list[Any] = []

    def on_start(self, view):
        return (WakeAfter(2), WakeAfter(6))

    def on_stepped(self, view, fact):
        told.append(fact.iteration)
        return ()

    run([(0, 8, 30)], make_scheduler=scheduler(on_start=on_start, on_stepped=on_stepped))
    assert told == [2, 6]


def test_one_stepped_answers_all_that_are_due():
    told: list[Any] = []
    local = scheduler(
        on_start=lambda s, v: (WakeAfter(6), WakeAfter(6)), on_stepped=noting(told, lambda fact: fact.iteration)
    )
    run([(0, 8, 30)], make_scheduler=local)
    assert told == [6]


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


def test_a_hook_that_returns_none_is_told_so():
    with pytest.raises(IllegalAction, match="a hook returns actions"):
        run([(0, 8, 2)], make_router=router(on_arrived=lambda s, v, f: None))


def test_each_instance_draws_for_itself():
    drawn: list[Any] = []

    def on_arrived(self, view, fact):
        drawn.append(view.draw(0))
        return ()

    local = scheduler(on_arrived=on_arrived)
    run([(0, 8, 2)] * 3, instances=2, make_scheduler=local)
    assert drawn[0] == drawn[2] != drawn[1]


def test_an_answer_that_admit_does_not_know_is_illegal():
    with pytest.raises(IllegalAction, match="admit"):
        run([(0, 8, 2)], make_scheduler=scheduler(admit=lambda s, v, r: True))


@pytest.mark.parametrize("number", [1, 77])
def test_preempting_who_does_not_run_is_illegal_by_the_scheduler_s_own_view(number):
    def on_woke(self, view, fact):
        assert 1 in view.waiting
        return (Preempt(number),)

    local = scheduler(on_start=lambda s, v: (WakeAt(0.035, 0),), on_woke=on_woke)
    with pytest.raises(IllegalAction, match="running"):
        run([(0, 8, 20), (0, 8, 20)], make_scheduler=lambda: local(max_num_seqs=1))


def test_a_lane_s_view_shows_its_own_requests_only():
    seen = []

    def on_arrived(self, view, fact):
        seen.append((view.instance, sorted(view.requests)))
        return ()

    run([(0, 8, 20), (STEP, 8, 20)], instances=2, make_scheduler=scheduler(on_arrived=on_arrived))
    assert seen == [(0, [0]), (1, [1])]


def test_the_longest_context_reaches_a_cost_model_that_asks_for_it():
    seen = []

    class Longest(Flat):
        uses_longest = True

        def line(self, shape):
            seen.append((shape.decodes, shape.longest))
            return self.step, 0, 1

    run([(0, 8, 4)], cost=Longest(STEP, 0, 0, 0))
    assert seen == [(0, 0), (1, 9), (1, 10), (1, 11)]


def test_a_policy_can_abort_one_after_the_other_as_each_is_done():
    local = scheduler(
        on_start=lambda s, v: (WakeAt(0.035, 0),),
        on_woke=lambda s, v, f: (Abort(v.running[0]),),
        on_done=lambda s, v, f: (Abort(v.running[0]),) if v.running else (),
    )
    done = run([(0, 1, 50)] * 400, kv_blocks=10_000, make_scheduler=lambda: local(max_num_seqs=512))
    assert done["outcome"].cancelled == 400


def test_a_chain_of_rejections_is_no_deeper_than_one():
    class Next(Router):
        def __init__(self):
            self.held = []

        def on_arrived(self, view, fact):
            self.held.append(fact.request)
            return (Dispatch(self.held.pop(0), 0),) if fact.request == 1999 else ()

        def on_rejected(self, view, fact):
            return (Dispatch(self.held.pop(0), 0),) if self.held else ()

    done = run([(0, 9999, 1)] * 2000, kv_blocks=4, make_router=Next)
    assert done["outcome"].rejected == 2000


def test_a_hook_that_is_not_overridden_is_never_called(monkeypatch):
    called: list[Any] = []
    for hook in ("on_done", "on_stepped", "on_woke", "on_start"):
        monkeypatch.setattr(Scheduler, hook, noting(called, lambda *fact, h=hook: h))
    local = scheduler(on_arrived=lambda s, v, f: (WakeAfter(1), WakeAt(0.02, 0), Preempt(0)) if f.request else ())
    run([(0, 8, 9), (15 * MS, 8, 9)], make_scheduler=local)
    assert called == []


def test_dates_that_are_no_dates_are_illegal():
    for at_s in (float("nan"), float("inf")):
        with pytest.raises(IllegalAction, match="time_s"):
            run([(0, 8, 2)], make_router=router(on_arrived=by_id, on_start=lambda s, v, t=at_s: (WakeAt(t, 0),)))
