"""The fine print of the contract: what a policy may ask for and see, and when it is told."""

from typing import Any

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, IllegalAction, Preempt, Router, Scheduler, WakeAfter, WakeAt
from tests.property.draw import Flat
from tests.simulator.harness import MS, STEP, noting, router, run, scheduler, to_zero

# -- what it may ask for ----------------------------------------------------------------------------------------------


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


def test_a_hook_that_returns_none_is_told_so():
    with pytest.raises(IllegalAction, match="a hook returns actions"):
        run([(0, 8, 2)], make_router=router(on_arrived=lambda s, v, f: None))


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


def test_dates_that_are_no_dates_are_illegal():
    for at_s in (float("nan"), float("inf")):
        with pytest.raises(IllegalAction, match="time_s"):
            run([(0, 8, 2)], make_router=router(on_arrived=to_zero, on_start=lambda s, v, t=at_s: (WakeAt(t, 0),)))


# -- when it is told --------------------------------------------------------------------------------------------------


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


def test_a_hook_that_is_not_overridden_is_never_called(monkeypatch):
    called: list[Any] = []
    for hook in ("on_done", "on_stepped", "on_woke", "on_start"):
        monkeypatch.setattr(Scheduler, hook, noting(called, lambda *fact, h=hook: h))
    local = scheduler(on_arrived=lambda s, v, f: (WakeAfter(1), WakeAt(0.02, 0), Preempt(0)) if f.request else ())
    run([(0, 8, 9), (15 * MS, 8, 9)], make_scheduler=local)
    assert called == []


# -- what it sees -----------------------------------------------------------------------------------------------------


def test_each_instance_draws_for_itself():
    drawn: list[Any] = []

    def on_arrived(self, view, fact):
        drawn.append(view.draw(0))
        return ()

    local = scheduler(on_arrived=on_arrived)
    run([(0, 8, 2)] * 3, instances=2, make_scheduler=local)
    assert drawn[0] == drawn[2] != drawn[1]


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
