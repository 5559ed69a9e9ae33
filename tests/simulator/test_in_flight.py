"""Actions in flight: when they take effect, what may overtake them, and who is told what became of them."""

from typing import Any

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, Dispatch, IllegalAction, Preempt, Reject, Router, WakeAt
from tests.simulator.harness import STEP, noting, router, run, scheduler, to_zero

# -- when they take effect --------------------------------------------------------------------------------------------


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


# -- what overtakes them ----------------------------------------------------------------------------------------------


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
        run([(0, 8, 20)], make_router=router(on_arrived=to_zero, on_start=on_start, on_woke=on_woke))


def test_a_scheduler_is_not_blamed_for_an_action_of_the_router_it_cannot_see():
    def on_woke(self, view, fact):
        return (Abort(0),)

    def on_start(self, view):
        return (WakeAt(0.035, 0),)

    local = {"on_start": lambda s, v: (WakeAt(0.036, 1),), "on_woke": lambda s, v, f: (Abort(0),)}
    kinds = router(on_arrived=to_zero, on_start=on_start, on_woke=on_woke)
    done = run([(0, 8, 20)], make_router=kinds, make_scheduler=scheduler(**local))
    assert done["outcome"].cancelled == 1


# -- who is told ------------------------------------------------------------------------------------------------------


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

    kinds = router(on_arrived=to_zero, on_start=on_start, on_woke=on_woke, on_done=on_done)
    limits = lambda: VllmV1(max_num_seqs=2 if at_s > 0.03 else 1)  # noqa: E731
    run([(0, 8, 20), (0, 8, 20)], make_router=kinds, make_scheduler=limits)
    assert [(f.action, f.ok) for f in told] == [(Abort(1), True)]


def test_a_scheduler_is_not_told_the_outcome_of_what_the_router_asked():
    told: list[Any] = []
    local = scheduler(on_done=noting(told, lambda fact: fact))
    kinds = router(on_arrived=to_zero, on_start=lambda s, v: (WakeAt(0.035, 0),), on_woke=lambda s, v, f: (Abort(0),))
    run([(0, 8, 20)], make_router=kinds, make_scheduler=local)
    assert told == []


def test_a_router_learns_that_a_scheduler_stopped_a_request():
    told: list[Any] = []
    kinds = router(on_arrived=to_zero, on_cancelled=noting(told, lambda fact: fact.request))
    local = scheduler(on_start=lambda s, v: (WakeAt(0.035, 0),), on_woke=lambda s, v, f: (Abort(0),))
    run([(0, 8, 20)], make_router=kinds, make_scheduler=local)
    assert told == [0]
