"""The contract, as the simulator keeps it: what policies see, what they may do, what they are told."""

import pytest

from policies.priority import Priority
from policies.round_robin import RoundRobin
from policies.shortest_job_first import ShortestJobFirstOracle
from simcore.contract import (
    Abort,
    Dispatch,
    Done,
    IllegalAction,
    Migrate,
    Preempt,
    Reject,
    Touch,
    WakeAfter,
    WakeAt,
)
from simcore.contract import decisions as log
from simcore.simulator import Settings, simulate
from tests.property.draw import Flat, Rows
from tests.simulator.harness import STEP, router, run, scheduler, to_zero

# -- what is seen ------------------------------------------------------------------------------------------


def test_a_view_shows_progress_at_any_instant_and_never_the_future():
    seen = []

    def on_woke(self, view, fact):
        request = view.requests[0]
        instance = view.instances[0]
        seen.append((fact.key, request.state, request.output_tokens, request.computed_tokens, instance.as_of_s))
        assert not hasattr(request, "output")
        return ()

    def on_start(self, view):
        return [WakeAt(at_s, at_s) for at_s in (0.005, 0.015, 0.035)]

    run([(0, 20, 10)], make_router=router(on_arrived=to_zero, on_woke=on_woke, on_start=on_start))
    assert seen == [
        (0.005, "running", 0, 0, 0.0),  # prefill in flight
        (0.015, "running", 1, 20, 0.01),
        (0.035, "running", 3, 22, 0.03),
    ]


def test_free_blocks_are_read_exactly_in_the_middle_of_a_macro_step():
    seen = []

    def on_woke(self, view, fact):
        instance = view.instances[0]
        seen.append(instance.kv_blocks - instance.free_blocks)
        return ()

    def on_start(self, view):
        return [WakeAt(0.0101 + i * 0.01, i) for i in range(40)]

    done = run([(0, 16, 60)], make_router=router(on_arrived=to_zero, on_woke=on_woke, on_start=on_start))
    # 16 prompt tokens fill a block; the first decode opens a second, and every 16th decode one more.
    assert seen == [1 + (i + 16) // 16 for i in range(40)]
    assert done["outcome"].steps == 2


def test_a_dispatch_shows_at_once_in_the_router_s_own_view():
    seen = []

    def on_arrived(self, view, fact):
        seen.append([i.waiting for i in view.instances])
        return (Dispatch(fact.request, view.least("requests")),)

    run([(0, 8, 2)] * 4, instances=2, make_router=router(on_arrived=on_arrived))
    assert seen == [[0, 0], [1, 0], [1, 1], [2, 1]]


def test_hidden_truth_stays_hidden_until_the_study_switches_the_oracle_on():
    with pytest.raises(IllegalAction, match=r"oracle.output_tokens: hidden unless"):
        run([(0, 8, 2)], make_scheduler=ShortestJobFirstOracle)
    run([(0, 8, 2)], make_scheduler=ShortestJobFirstOracle, oracle=frozenset({"output_tokens"}))


def test_draws_are_the_same_in_every_system_and_differ_between_replications():
    def draws(replication, **settings):
        seen = []

        def on_arrived(self, view, fact):
            seen.append(view.draw(fact.request))
            return to_zero(self, view, fact)

        run([(0, 8, 2)] * 3, make_router=router(on_arrived=on_arrived), replication=replication, **settings)
        return seen

    assert draws(0) == draws(0, kv_blocks=50)
    assert draws(0) != draws(1)


# -- what may be done -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        (lambda r: Dispatch(r, 5), r"instance must be 0..0"),
        (lambda r: Dispatch(99, 0), r"no live request 99"),
        (lambda r: Migrate(0, 0, r), r"this router may only Abort, Dispatch, Reject, WakeAt"),
        (lambda r: Abort(r, keep_tokens=True), r"keep_tokens must be false"),
        (lambda r: Touch(r), r"this router may only"),
    ],
)
def test_an_illegal_action_of_a_router_says_what_rule_it_broke(action, rule):
    def on_arrived(self, view, fact):
        return (action(fact.request),)

    with pytest.raises(IllegalAction, match=rule):
        run([(0, 8, 2)], make_router=router(on_arrived=on_arrived))


def test_a_request_is_dispatched_once():
    def twice(self, view, fact):
        return (Dispatch(fact.request, 0), Dispatch(fact.request, 0))

    with pytest.raises(IllegalAction, match="already on instance 0"):
        run([(0, 8, 2)], make_router=router(on_arrived=twice))


def test_a_scheduler_touches_only_its_own_lane():
    def on_arrived(self, view, fact):
        return (Preempt(0),) if view.instance == 1 else ()

    with pytest.raises(IllegalAction, match="must be running on instance 1"):
        run([(0, 8, 20), (STEP, 8, 20)], instances=2, make_scheduler=scheduler(on_arrived=on_arrived))


def test_the_same_timer_twice_is_illegal_while_in_flight():
    def on_start(self, view):
        return (WakeAt(1.0, "x"), WakeAt(1.0, "x"))

    with pytest.raises(IllegalAction, match="still in flight"):
        run([(0, 8, 2)], make_router=router(on_arrived=to_zero, on_start=on_start))


def test_a_victim_must_be_running_here():
    with pytest.raises(IllegalAction, match="must be running on instance 0, got request 77"):
        run([(0, 16, 200)] * 2, kv_blocks=16, make_scheduler=scheduler(victim=lambda self, view: 77))


# -- what is told -----------------------------------------------------------------------------------------------


def test_a_request_that_can_never_fit_is_rejected_and_counted():
    told = []

    def on_rejected(self, view, fact):
        told.append((fact.request, fact.why))
        return ()

    # 4 blocks hold 64 tokens; the KV of the last token is never written, so 32 + 33 just fits.
    arrivals = [(0, 32, 33), (0, 32, 34), (0, 65, 1), (0, 64, 1)]
    done = run(arrivals, kv_blocks=4, make_router=router(on_arrived=to_zero, on_rejected=on_rejected))
    assert told == [(1, "too_long"), (2, "too_long")]
    assert (done["outcome"].finished, done["outcome"].rejected) == (2, 2)
    assert [done["requests"][i]["state"] for i in range(4)] == [0, 1, 1, 0]


def test_a_policy_may_turn_requests_away():
    def on_arrived(self, view, fact):
        return (Reject(fact.request),) if fact.request == 1 else to_zero(self, view, fact)

    done = run([(0, 8, 2)] * 3, make_router=router(on_arrived=on_arrived))
    assert (done["outcome"].finished, done["outcome"].rejected) == (2, 1)


def test_work_that_nobody_routes_ends_the_run_as_unfinished():
    done = run([(0, 8, 2)] * 3, make_router=router(), sample_s=0.5)
    assert (done["outcome"].arrived, done["outcome"].unfinished) == (3, 3)
    assert [done["requests"][i]["state"] for i in range(3)] == [3, 3, 3]


def test_a_router_that_only_sets_timers_does_not_keep_the_run_alive():
    def on_woke(self, view, fact):
        return (WakeAt(view.now_s + 1.0, "again"),)

    def on_start(self, view):
        return (WakeAt(0.0, "again"),)

    done = run([(0, 8, 2)], make_router=router(on_woke=on_woke, on_start=on_start))
    assert done["outcome"].unfinished == 1
    done = run([(0, 8, 2)], make_router=router(on_arrived=to_zero, on_woke=on_woke, on_start=on_start))
    assert (done["outcome"].finished, done["outcome"].end_ps) == (1, 2 * STEP)


def test_preemption_takes_effect_at_the_next_boundary_and_reports_its_outcome():
    told = []

    def on_arrived(self, view, fact):
        return (Preempt(0),) if fact.request == 1 else ()

    def on_done(self, view, fact):
        told.append((view.now_s, fact))
        return ()

    done = run(
        [(0, 8, 20), (int(3.5 * STEP), 8, 20)],
        make_scheduler=scheduler(on_arrived=on_arrived, on_done=on_done),
        record_decisions=True,
    )
    assert told == [(0.04, Done(Preempt(0), ok=True))]
    assert done["requests"][0]["preemptions"] == 1
    preempted = [row for row in done["rows"]["decisions"] if row[2] == log.PREEMPTED]
    assert preempted == [(4 * STEP, 0, log.PREEMPTED, 0, 4)]


def test_an_action_overtaken_by_events_is_done_and_not_ok():
    told = []

    def on_arrived(self, view, fact):
        return (Preempt(0),) if fact.request == 1 else ()

    def on_done(self, view, fact):
        told.append(fact)
        return ()

    # Request 0 has its last token at the very boundary that the preemption waits for.
    run([(0, 8, 2), (int(1.5 * STEP), 8, 20)], make_scheduler=scheduler(on_arrived=on_arrived, on_done=on_done))
    assert told == [Done(Preempt(0), ok=False, why="not running")]


def test_stepped_comes_exactly_when_asked_for():
    told = []

    def on_start(self, view):
        return (WakeAfter(3),)

    def on_stepped(self, view, fact):
        told.append((view.now_s, fact.iteration))
        return (WakeAfter(5),)

    run([(0, 8, 30)], make_scheduler=scheduler(on_start=on_start, on_stepped=on_stepped))
    assert told[:3] == [(0.03, 3), (0.08, 8), (0.13, 13)]


def test_who_is_declined_is_asked_again_when_something_changed_and_not_before():
    asked = []

    def admit(self, view, request):
        asked.append((round(view.now_s * 100), request.id))
        return "no" if request.id == 1 and len(view.running) else "yes"

    run([(0, 8, 10), (0, 8, 2), (int(4.5 * STEP), 8, 2)], make_scheduler=scheduler(admit=admit))
    # At the start; at the boundary after request 2 arrived; when 2 has finished; when 0 has.
    assert asked == [(0, 0), (0, 1), (5, 1), (5, 2), (7, 1), (10, 1)]


def test_the_priority_scheduler_starts_urgent_requests_first():
    rows = Rows([(0, 8, 50)] * 3, classes=("batch", "interactive"), priorities=(1, 0), request_class=[0, 0, 1])
    simulate(Settings(1, 100, Flat(STEP, 0, 0, 0), RoundRobin, lambda: Priority(max_num_seqs=1)), rows, rows)
    assert [row[0] for row in rows.kept["requests"]] == [2, 0, 1]


def test_the_priority_scheduler_takes_the_least_urgent_out_when_kv_runs_out():
    rows = Rows([(0, 16, 100)] * 3, classes=("batch", "interactive"), priorities=(1, 0), request_class=[1, 0, 1])
    simulate(Settings(1, 14, Flat(STEP, 0, 0, 0), RoundRobin, Priority), rows, rows)
    preemptions = {row[0]: row[10] for row in rows.kept["requests"]}
    assert preemptions[0] == 0
    assert preemptions[1] > 0
