"""Outcomes: what becomes of an action, and of a run that only waits."""

import pytest

from simcore.contract import Abort, Done, IllegalAction, Preempt, WakeAt
from tests.simulator.harness import at, router, run, scheduler


def test_an_abort_of_a_running_request_reports_its_outcome():
    told = []
    local = scheduler(
        on_start=at(0.035),
        on_woke=lambda s, v, f: (Abort(0),),
        on_done=lambda s, v, f: told.append((v.now_s, f)) or (),
    )
    done = run([(0, 8, 20)], make_scheduler=local)
    assert told == [(0.04, Done(Abort(0), ok=True))]
    assert done["outcome"].cancelled == 1


def test_the_same_preemption_twice_is_illegal_while_in_flight():
    local = scheduler(on_start=at(0.035), on_woke=lambda s, v, f: (Preempt(0), Preempt(0)))
    with pytest.raises(IllegalAction, match="still in flight"):
        run([(0, 8, 20)], make_scheduler=local)


def test_a_policy_that_only_sets_timers_ends_as_unfinished(monkeypatch):
    monkeypatch.setattr("simcore.simulator.simulator.IDLE_WAKES_MAX", 10)
    woken = []
    kinds = router(on_start=at(0.0), on_woke=lambda s, v, f: woken.append(0) or (WakeAt(v.now_s + 1, 0),))
    done = run([(0, 8, 2)], make_router=kinds)
    assert done["outcome"].unfinished == 1
    assert len(woken) <= 12
