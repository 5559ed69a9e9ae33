"""Faults: what is lost with an instance, what becomes of it, and how the instance comes back.

Every iteration takes 10 ms.
"""

from functools import partial
from typing import Any

import pytest

from policies.prefill_first import PrefillFirst
from simcore.contract import (
    Abort,
    Arrived,
    Cancelled,
    Done,
    Drain,
    Finished,
    FirstToken,
    InstanceDown,
    InstanceUp,
    Preempt,
    SplitSMs,
    Terminate,
)
from simcore.contract import decisions as log
from simcore.simulator import Fault, Mechanisms
from tests.simulator.failing import HAND_ON, LOST_AT_35, to_first_up
from tests.simulator.harness import MS, at, run, scheduler
from tests.simulator.watcher import Turns, Watcher, first_up, run_both

# -- what is lost -----------------------------------------------------------------------------------------------------


def test_a_lost_request_keeps_its_tokens_and_computes_its_kv_again():
    ran = run_both([(0, 8, 6)], to_first_up, instances=2, faults=LOST_AT_35)
    assert ran.tokens[0] == [10, 20, 30, 45, 55, 65]
    assert ran.facts(InstanceDown, Arrived) == [(35, InstanceDown(0, "failed")), (35, Arrived(0))]
    assert ran.kinds(log.LOST, log.DOWN, log.ADMITTED) == [(0, 0, 0, 8), (35, 0, 0, 3), (35, 0, -1, 2), (35, 1, 0, 11)]
    assert ran.outcome.counters == {"instances_failed": 1, "requests_requeued": 1}
    assert ran.outcome.iterations == 6


def test_an_iteration_that_would_end_when_its_instance_fails_is_lost():
    ran = run_both([(0, 8, 6)], to_first_up, instances=2, faults=(Fault("instance", 0, 0.03),))
    assert ran.tokens[0] == [10, 20, 40, 50, 60, 70]


def test_a_request_that_is_lost_is_counted_once():
    ran = run_both([(0, 8, 6), (0, 8, 6)], to_first_up, instances=2, faults=LOST_AT_35)
    assert len(ran.kinds(log.ARRIVED)) == ran.outcome.arrived == ran.outcome.finished == 2


def test_lost_requests_arrive_running_ones_first_then_as_they_queued():
    limits: dict[str, Any] = {"max_num_seqs": 2, "max_num_batched_tokens": 64}
    local = scheduler(order=lambda s, request: -request.id)
    ran = run_both(
        [(0, 8, 9), (0, 8, 9), (15, 8, 9), (15, 8, 9)],
        to_first_up,
        make_scheduler=lambda: local(**limits),
        instances=2,
        faults=LOST_AT_35,
    )
    assert [fact.request for _, fact in ran.facts(Arrived)] == [1, 0, 3, 2]


def test_lost_requests_may_fail_and_are_counted():
    ran = run_both(
        [(0, 8, 6), (50, 8, 2)], to_first_up, instances=2, faults=LOST_AT_35, mechanisms=Mechanisms(lost="failed")
    )
    assert ran.states == {0: 4, 1: 0}
    assert (ran.outcome.failed, ran.outcome.finished, ran.outcome.arrived) == (1, 1, 2)
    assert ran.facts(Cancelled) == [(35, Cancelled(0, "failed"))]


def test_a_program_whose_turn_fails_is_abandoned():
    turns = {"program": [0, 0], "turn": [0, 1], "gap_ps": [0, 5 * MS]}
    ran = run_both(
        Turns([(0, 8, 6), (0, 8, 2)], columns=turns),
        to_first_up,
        faults=LOST_AT_35,
        mechanisms=Mechanisms(lost="failed"),
    )
    assert ran.outcome.arrived == ran.outcome.failed == 1
    assert ran.outcome.counters["programs_abandoned"] == 1


def test_all_blocks_of_a_failed_instance_are_free():
    done = run(
        [(0, 100, 50), (0, 100, 50)],
        make_router=lambda: Watcher(first_up, script={36: (Abort(0), Abort(1))}),
        kv_blocks=20,
        faults=LOST_AT_35,
        block_ids=True,
    )
    (instance,) = done["simulator"].instances
    instance.check()
    assert instance.pool.free == 20


def test_a_scheduler_that_builds_whole_batches_loses_its_requests_too():
    ran = run_both([(0, 8, 6), (20, 8, 3)], to_first_up, instances=2, make_scheduler=PrefillFirst, faults=LOST_AT_35)
    # The second is prefilled alone from 20 to 30 ms; after the failure both are, in one iteration.
    assert ran.tokens == {0: [10, 20, 45, 55, 65, 75], 1: [30, 45, 55]}


# -- what was under way -----------------------------------------------------------------------------------------------


def test_an_action_that_waits_for_a_boundary_is_overtaken_by_the_failure():
    told = []
    local = scheduler(
        on_start=at(0.033),
        on_woke=lambda s, v, f: (Preempt(0),) if v.instance == 0 else (),
        on_done=lambda s, v, f: told.append((v.now_s, f)) or (),
    )
    script = {32: (Abort(0),)}
    ran = run_both(
        [(0, 8, 6)],
        lambda: Watcher(first_up, script=script),
        make_scheduler=local,
        instances=2,
        faults=LOST_AT_35,
    )
    assert ran.facts(InstanceDown, Done) == [
        (35, InstanceDown(0, "failed")),
        (35, Done(Abort(0), ok=False, why="instance down")),
    ]
    assert told == 2 * [(0.035, Done(Preempt(0), ok=False, why="instance down"))]
    assert ran.outcome.finished == 1


def test_what_its_client_gave_up_does_not_come_back():
    ran = run_both(Turns([(0, 8, 6)], columns={"cancel_ps": [33 * MS]}), to_first_up, instances=2, faults=LOST_AT_35)
    assert ran.facts(Cancelled, Arrived) == [(35, Cancelled(0, "client"))]
    assert (ran.outcome.cancelled, ran.kinds(log.LOST)) == (1, [])


def test_a_new_split_is_overtaken_by_the_failure():
    split = SplitSMs(0, 30, 70)
    ran = run_both(
        [(0, 8, 6)],
        lambda: Watcher(first_up, script={25: (split,)}),
        mechanisms=Mechanisms(sm_split=(50, 50), sm_switch_s=0.1),
        faults=(Fault("instance", 0, 0.035, 0.02),),
    )
    assert ran.facts(Done) == [(35, Done(split, ok=False, why="instance down"))]
    assert ran.kinds(log.SPLIT) == []


def test_a_drain_is_overtaken_by_the_failure_and_the_instance_comes_back():
    ran = run_both(
        [(0, 8, 6)],
        lambda: Watcher(first_up, script={15: (Drain(0),)}),
        faults=(Fault("instance", 0, 0.035, 0.02),),
    )
    assert ran.facts(InstanceDown, Done, InstanceUp) == [
        (35, InstanceDown(0, "failed")),
        (35, Done(Drain(0), ok=False, why="instance down")),
        (55, InstanceUp(0)),
    ]
    assert ran.tokens[0] == [10, 20, 30, 65, 75, 85]


def test_who_had_given_the_last_token_is_finished():
    # Its last token came at 30 ms; the iteration after it, in which schedule-ahead keeps it, is lost.
    ran = run_both(
        [(0, 8, 3), (0, 8, 5)],
        to_first_up,
        instances=2,
        faults=LOST_AT_35,
        mechanisms=Mechanisms(schedule_ahead=1),
    )
    assert ran.tokens == {0: [10, 20, 30], 1: [10, 20, 30, 45, 55]}
    assert ran.facts(Finished, InstanceDown)[:2] == [(35, Finished(0, 0, 3)), (35, InstanceDown(0, "failed"))]


def test_a_first_token_that_was_to_be_told_late_is_told_when_the_instance_fails():
    ran = run_both(
        [(0, 8, 3)],
        to_first_up,
        instances=2,
        faults=(Fault("instance", 0, 0.015),),
        mechanisms=Mechanisms(schedule_ahead=1),
    )
    assert ran.facts(FirstToken, InstanceDown) == [(15, FirstToken(0, 0)), (15, InstanceDown(0, "failed"))]


# -- coming back ------------------------------------------------------------------------------------------------------


def test_an_instance_boots_when_its_fault_is_over():
    seen = []
    faults = (Fault("instance", 0, 0.035, 0.04),)

    class Looking(Watcher):
        def on_woke(self, view, fact):
            seen.append(view.instances[0].state)
            return ()

    watcher = partial(Looking, first_up, script={50: (), 80: (), 100: ()})
    ran = run_both([(0, 8, 6)], watcher, faults=faults, boot_s=0.02)
    assert ran.facts(InstanceUp) == [(95, InstanceUp(0))]
    assert ran.tokens[0] == [10, 20, 30, 105, 115, 125]
    assert seen == 2 * ["down", "starting", "up"]


def test_iterations_go_on_counting_after_a_reboot():
    done = run(
        [(0, 8, 6)], make_router=to_first_up, faults=(Fault("instance", 0, 0.035, 0.005),), record_iterations=True
    )
    rows = done["rows"]["iterations"]
    assert [row[2] + row[4] for row in rows][-1] == done["outcome"].iterations == 6
    assert done["tokens"][0] == [t * MS for t in (10, 20, 30, 50, 60, 70)]


def test_without_an_end_to_the_fault_what_nobody_can_serve_stays_unfinished():
    ran = run_both([(0, 8, 6)], to_first_up, faults=LOST_AT_35)
    assert (ran.outcome.unfinished, ran.outcome.finished) == (1, 0)


def test_a_fault_of_an_instance_that_is_down_changes_nothing():
    faults = (Fault("instance", 0, 0.035, 0.04), Fault("instance", 0, 0.045, 0.1))
    ran = run_both([(0, 8, 6)], to_first_up, faults=faults)
    assert ran.facts(InstanceDown, InstanceUp) == [(35, InstanceDown(0, "failed")), (75, InstanceUp(0))]
    assert ran.outcome.counters["instances_failed"] == 1


def test_a_fault_hits_an_instance_that_boots():
    faults = (Fault("instance", 0, 0.035, 0.01), Fault("instance", 0, 0.05, 0.01))
    ran = run_both([(0, 8, 6)], to_first_up, faults=faults, boot_s=0.02)
    # It would have been up at 65 ms; felled again at 50 ms, it boots from 60 to 80 ms.
    assert ran.facts(InstanceDown, InstanceUp)[1:] == [(50, InstanceDown(0, "failed")), (80, InstanceUp(0))]


def test_the_end_of_a_fault_does_not_boot_what_a_router_took_down():
    ran = run_both(
        [(0, 8, 20)],
        lambda: Watcher(script={15: (Terminate(1),)}),
        instances=2,
        faults=(Fault("instance", 1, 0.035, 0.01),),
    )
    assert ran.facts(InstanceDown, InstanceUp) == [(15, InstanceDown(1, "terminated"))]


def test_a_router_may_terminate_what_boots_after_a_fault():
    ran = run_both(
        [(0, 8, 20)],
        lambda: Watcher(script={50: (Terminate(1),)}),
        instances=2,
        faults=(Fault("instance", 1, 0.035, 0.01),),
        boot_s=0.02,
    )
    assert ran.facts(InstanceDown, InstanceUp)[1:] == [(50, InstanceDown(1, "terminated"))]


def test_faults_to_come_do_not_keep_a_run_alive():
    done = run([(0, 8, 2)], faults=(Fault("instance", 0, 1.0, 1.0), Fault("straggler", 0, 5.0, 1.0, 2.0)))
    assert done["simulator"].clock.now == done["outcome"].end_ps == 20 * MS


def test_samples_go_on_while_an_instance_boots():
    ran = run_both([(0, 8, 6)], to_first_up, faults=(Fault("instance", 0, 0.035, 0.04),), boot_s=0.02, sample_s=0.02)
    assert [(row[0] // MS, row[2]) for row in ran.samples] == [
        *[(0, 0), (20, 1), (40, 0), (60, 0), (80, 0)],
        *[(100, 1), (120, 1)],
    ]


# -- the order of an instant, and what is wrong -----------------------------------------------------------------------


def test_at_one_instant_faults_come_before_timers_and_boundaries():
    ran = run_both(
        [(0, 8, 9)], lambda: Watcher(first_up, script={30: ()}), instances=2, faults=(Fault("instance", 0, 0.03),)
    )
    order = [kind for date, _, kind, *_ in ran.decisions if date == 30 * MS]
    assert order[:5] == [log.LOST, log.DOWN, log.DISPATCH, log.WOKE, log.ADMITTED]


def test_faults_of_one_instant_come_in_the_order_of_the_study():
    faults = (Fault("instance", 1, 0.02), Fault("instance", 0, 0.02))
    ran = run_both([(0, 8, 9)], to_first_up, instances=3, faults=faults)
    assert [fact.instance for _, fact in ran.facts(InstanceDown)] == [1, 0]


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (Fault("instance", 2, 0.1), "target must be an instance, 0 to 1, got 2"),
        (Fault("straggler", "0", 0.1, None, 2.0), "target must be an instance, 0 to 1, got '0'"),
        (Fault("straggler", 0, 0.1), "factor of a straggler must be at least 0.001, got 0.0"),
        (Fault("link", "pcie_out:7", 0.1), "target must be a link, one of .*pcie_out:0.*; got 'pcie_out:7'"),
        (Fault("link", "pcie_out:0", 0.1, None, 1.5), "factor of a link must be 0 to 1, got 1.5"),
        (Fault("instance", 0, -1.0), "at_s must not be negative, got -1.0"),
        (Fault("instance", 0, 0.1, 0.0), "for_s must be > 0, got 0.0"),
    ],
)
def test_a_fault_that_cannot_be_says_why(fault, rule):
    with pytest.raises(ValueError, match=rule):
        run([(0, 8, 2)], faults=(Fault("instance", 0, 0.0), fault), **HAND_ON)
