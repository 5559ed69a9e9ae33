"""Fleet: instances boot, drain, change their role and are terminated. Every iteration takes 10 ms."""

from dataclasses import replace

import pytest

from simcore.contract import (
    Abort,
    Arrived,
    CancelDrain,
    Cancelled,
    Dispatch,
    Done,
    Drain,
    FirstToken,
    IllegalAction,
    InstanceDown,
    InstanceUp,
    Prefilled,
    Scale,
    SetRole,
    Terminate,
    WakeAt,
)
from simcore.contract import decisions as log
from simcore.simulator import Mechanisms
from tests.simulator.failing import TWO_NODES
from tests.simulator.harness import at, router, run, scheduler
from tests.simulator.watcher import RoleSetter, Watcher, first_up, run_both


def states(view):
    return [instance.state for instance in view.instances]


def to_last_up(view, request):
    return view.up[-1].id


# -- scaling ----------------------------------------------------------------------------------------------------------


def test_new_instances_are_up_after_their_boot_time_and_numbered_on():
    ran = run_both([(0, 8, 20)], lambda: Watcher(script={25: (Scale(2),)}), boot_s=0.05)
    assert ran.facts(InstanceUp) == [(75, InstanceUp(1)), (75, InstanceUp(2))]
    assert ran.kinds(log.UP) == [(75, 1, -1, -1), (75, 2, -1, -1)]
    assert ran.outcome.counters["instances_booted"] == 2


def test_a_starting_instance_is_seen_and_takes_work_only_when_it_is_up():
    seen = []
    kinds = router(
        emits=frozenset({Dispatch, Scale, WakeAt}),
        on_start=at(0.025, 0.065, 0.085),
        on_woke=lambda s, v, f: seen.append((states(v), len(v.up))) or ([Scale(1)] if f.key == 0.025 else ()),
        on_arrived=lambda s, v, f: (Dispatch(f.request, to_last_up(v, f.request)),),
    )
    done = run([(0, 8, 20), (70 * 10**9, 8, 2), (80 * 10**9, 8, 2)], make_router=kinds, boot_s=0.05)
    assert seen == [(["up"], 1), (["up", "starting"], 1), (["up", "up"], 2)]
    assert [done["requests"][request]["instance"] for request in range(3)] == [0, 0, 1]
    assert done["tokens"][2] == [90 * 10**9, 100 * 10**9]


def test_a_dispatch_to_a_starting_instance_is_illegal():
    script = {10: (Scale(1), Dispatch(0, 1))}
    with pytest.raises(IllegalAction, match="instance 1 is starting"):
        run_both([(0, 8, 2)], lambda: Watcher(lambda view, request: None, script=script), boot_s=1)


def test_the_least_of_a_load_follows_what_boots_and_what_drains():
    chosen = []

    def on_woke(self, view, fact):
        chosen.append(view.least("requests"))
        return {0.015: (Scale(1),), 0.055: (Drain(1),)}.get(fact.key, ())

    kinds = router(
        emits=frozenset({Dispatch, Scale, Drain, WakeAt}),
        on_start=at(0.005, 0.015, 0.025, 0.055, 0.065),
        on_woke=on_woke,
        on_arrived=lambda s, v, f: (Dispatch(f.request, 0),),
    )
    run([(0, 8, 20)], make_router=kinds, boot_s=0.03)
    assert chosen == [0, 0, 0, 1, 0]


def test_nothing_is_least_where_nothing_is_up():
    kinds = router(
        emits=frozenset({Drain, WakeAt}),
        on_start=at(0.0, 0.01),
        on_woke=lambda s, v, f: (Drain(0),) if f.key == 0 else (Dispatch(0, v.least("requests")),),
    )
    with pytest.raises(IllegalAction, match="no instance is up"):
        run([(0, 8, 20)], make_router=kinds)


def test_the_schedulers_of_a_new_instance_start_when_it_is_up():
    started = []
    local = scheduler(on_start=lambda s, v: started.append((v.now_s, v.instance)) or ())
    script = {10: (Scale(1),)}
    run([(0, 8, 20)], make_router=lambda: Watcher(script=script), make_scheduler=local, boot_s=0.05)
    assert started == [(0.0, 0), (0.06, 1)]


def test_timers_of_one_instant_keep_their_order_when_instances_are_added():
    woken = []
    local = scheduler(
        on_start=lambda s, v: (WakeAt(0.1, v.instance),),
        on_woke=lambda s, v, f: woken.append(f.key) or (),
    )
    kinds = router(
        emits=frozenset({Dispatch, Scale, WakeAt}),
        on_start=lambda s, v: (WakeAt(0.01, "scale"),),
        on_woke=lambda s, v, f: (Scale(2), WakeAt(0.1, "router")) if f.key == "scale" else woken.append(f.key) or (),
        on_arrived=lambda s, v, f: (Dispatch(f.request, 0),),
    )
    run([(0, 8, 20)], instances=2, make_router=kinds, make_scheduler=local, boot_s=0.05)
    assert woken == ["router", 0, 1, 2, 3]


def test_a_new_instance_has_links_of_its_own():
    topology = replace(TWO_NODES, instances=1)
    ran = run_both(
        [(30, 8, 3)],
        lambda: Watcher(hand=lambda view, request: 1, script={10: (Scale(1),)}),
        roles=("prefill",),
        topology=topology,
        block_bytes=20,
    )
    # One block of 20 bytes at 1000 bytes a second: from 40 ms, when the prompt is through, to 60 ms.
    assert ran.tokens[0] == [40, 70, 80]
    assert ran.outcome.counters["bytes_pcie_in:1"] == 20


# -- draining ---------------------------------------------------------------------------------------------------------


def test_a_draining_instance_ends_what_it_has_then_goes_down_and_tells():
    rows = [(0, 8, 5), (0, 8, 7), (20, 8, 2)]
    ran = run_both(rows, lambda: Watcher(first_up, script={15: (Drain(0),)}), instances=2)
    assert ran.tokens == {0: [10, 20, 30, 40, 50], 1: [10, 20, 30, 40, 50, 60, 70], 2: [30, 40]}
    assert ran.facts(InstanceDown, Done) == [(70, InstanceDown(0, "drained")), (70, Done(Drain(0), ok=True))]
    assert ran.kinds(log.DOWN) == [(70, 0, -1, 0)]


def test_an_idle_instance_drains_at_once():
    ran = run_both([(0, 8, 5)], lambda: Watcher(script={15: (Drain(1),)}), instances=2)
    assert ran.facts(InstanceDown, Done) == [(15, InstanceDown(1, "drained")), (15, Done(Drain(1), ok=True))]


def test_what_waits_and_what_was_preempted_is_served_before_a_drain_ends():
    # 12 tokens of KV. Both prompts run at once; at 20 ms the newer one yields, and is computed again alone at the end.
    ran = run_both(
        [(0, 4, 5), (0, 4, 4), (5, 8, 1)], lambda: Watcher(script={15: (Drain(0),)}), kv_blocks=12, block_tokens=1
    )
    assert ran.outcome.preemptions == 1
    assert ran.outcome.finished == 3
    assert ran.facts(InstanceDown) == [(max(max(times) for times in ran.tokens.values()), InstanceDown(0, "drained"))]


def test_the_last_request_may_leave_a_draining_instance_by_an_abort():
    ran = run_both([(0, 8, 50)], lambda: Watcher(script={15: (Drain(0),), 25: (Abort(0),)}))
    assert ran.facts(InstanceDown) == [(30, InstanceDown(0, "drained"))]
    assert ran.outcome.cancelled == 1


def test_a_dispatch_to_a_draining_instance_is_illegal():
    with pytest.raises(IllegalAction, match="instance 0 is draining"):
        run_both([(0, 8, 5), (20, 8, 5)], lambda: Watcher(script={15: (Drain(0),)}))


def test_a_drain_that_is_cancelled_ends_in_done_and_the_instance_takes_work_again():
    script = {15: (Drain(0),), 25: (CancelDrain(0),)}
    ran = run_both([(0, 8, 5), (30, 8, 5)], lambda: Watcher(script=script))
    assert ran.facts(InstanceDown, Done) == [(25, Done(Drain(0), ok=False, why="cancelled"))]
    assert ran.kinds(log.OVERTAKEN) == [(25, -1, -1, -1)]
    assert ran.tokens[1] == [40, 50, 60, 70, 80]


def test_a_request_that_was_prefilled_and_is_not_dispatched_keeps_a_drain_open():
    script = {25: (Drain(0),), 45: (Dispatch(0, 1),)}
    ran = run_both([(0, 8, 3)], lambda: Watcher(script=script), instances=2, roles=("prefill", "decode"))
    # Dispatched at 45 ms; the copy takes no time, and its source has a boundary at once.
    assert ran.tokens[0] == [10, 55, 65]
    assert ran.facts(Prefilled, InstanceDown) == [(10, Prefilled(0, 0)), (45, InstanceDown(0, "drained"))]


# -- roles ------------------------------------------------------------------------------------------------------------


def test_a_new_role_waits_until_the_instance_is_empty():
    ran = run_both(
        [(0, 8, 5), (20, 8, 2), (60, 8, 2)],
        lambda: RoleSetter(to_last_up, lambda view, request: 0, script={15: (SetRole(1, "prefill"),)}),
        instances=2,
    )
    # The second finds instance 1 draining and goes to 0; the third is prefilled on 1 and handed to 0.
    assert ran.tokens == {0: [10, 20, 30, 40, 50], 1: [30, 40], 2: [70, 80]}
    assert ran.facts(Done, Prefilled) == [(50, Done(SetRole(1, "prefill"), ok=True)), (70, Prefilled(2, 1))]
    assert ran.kinds(log.ROLE) == [(50, 1, -1, 1)]


def test_the_role_an_instance_has_is_set_at_once():
    script = {15: (SetRole(0, "mixed"),)}
    ran = run_both([(0, 8, 5)], lambda: RoleSetter(script=script))
    assert ran.facts(Done) == [(15, Done(SetRole(0, "mixed"), ok=True))]
    assert ran.kinds(log.ROLE) == []


def test_a_change_of_role_can_be_cancelled():
    script = {15: (SetRole(0, "decode"),), 25: (CancelDrain(0),)}
    ran = run_both([(0, 8, 5), (30, 8, 1)], lambda: RoleSetter(script=script))
    assert ran.facts(Done) == [(25, Done(SetRole(0, "decode"), ok=False, why="cancelled"))]
    assert ran.tokens[1] == [40]


# -- terminating ------------------------------------------------------------------------------------------------------


def test_what_is_on_a_terminated_instance_arrives_again_and_keeps_its_tokens():
    ran = run_both([(0, 8, 6)], lambda: Watcher(first_up, script={35: (Terminate(0),)}), instances=2)
    # Three tokens came; the fourth iteration is lost, and prompt and tokens are computed again elsewhere.
    assert ran.tokens[0] == [10, 20, 30, 45, 55, 65]
    assert ran.facts(InstanceDown, Arrived) == [(35, InstanceDown(0, "terminated")), (35, Arrived(0))]
    assert ran.kinds(log.LOST) == [(35, 0, 0, 3)]
    assert len(ran.kinds(log.ARRIVED)) == ran.outcome.arrived == 1


def test_what_is_on_a_terminated_instance_may_fail():
    ran = run_both(
        [(0, 8, 6), (40, 8, 2)],
        lambda: Watcher(first_up, script={35: (Terminate(0),)}),
        instances=2,
        mechanisms=Mechanisms(lost="failed"),
    )
    assert ran.states == {0: 4, 1: 0}
    assert ran.facts(InstanceDown, Cancelled) == [(35, InstanceDown(0, "terminated")), (35, Cancelled(0, "failed"))]
    assert (ran.outcome.failed, ran.outcome.finished) == (1, 1)


def test_an_instance_that_is_terminated_while_it_starts_never_comes_up():
    script = {10: (Scale(1),), 30: (Terminate(1),)}
    ran = run_both([(0, 8, 20)], lambda: Watcher(script=script), boot_s=0.05)
    assert ran.facts(InstanceDown, InstanceUp) == [(30, InstanceDown(1, "terminated"))]


def test_a_drain_is_overtaken_by_a_termination():
    script = {15: (Drain(0),), 25: (Terminate(0),)}
    ran = run_both([(0, 8, 5)], lambda: Watcher(first_up, script=script), instances=2)
    assert ran.facts(InstanceDown, Done) == [
        (25, InstanceDown(0, "terminated")),
        (25, Done(Drain(0), ok=False, why="instance down")),
    ]


def test_a_router_may_terminate_the_instance_that_has_just_told_it_something():
    then = {FirstToken(1, 0): (Terminate(0),)}
    ran = run_both([(0, 8, 4), (0, 8, 4)], lambda: Watcher(first_up, then=then), instances=2)
    assert ran.tokens == {0: [10, 20, 30, 40], 1: [10, 20, 30, 40]}
    assert [row[3] for row in ran.kinds(log.LOST)] == [1, 1]


# -- what is illegal --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "rule"),
    [
        ({10: (Scale(0),)}, "instances must be >= 1"),
        ({10: (Drain(2),)}, r"instance must be 0\.\.1"),
        ({10: (Drain(0), Drain(0))}, "instance 0 must be up, is draining"),
        ({10: (CancelDrain(0),)}, "instance 0 must be draining, is up"),
        ({10: (Terminate(1),), 20: (Terminate(1),)}, "instance 1 must be starting or up or draining, is down"),
        ({10: (Scale(1), Drain(2))}, "instance 2 must be up, is starting"),
        ({10: (SetRole(0, "both"),)}, "role must be one of mixed, prefill, decode"),  # type: ignore[arg-type]
        ({10: (SetRole(0, "decode"), SetRole(0, "mixed"))}, "instance 0 must be up, is draining"),
    ],
)
def test_an_action_on_the_wrong_instance_names_the_rule_and_the_state(script, rule):
    with pytest.raises(IllegalAction, match=rule):
        run_both([(0, 8, 20)], lambda: RoleSetter(script=script), instances=2, boot_s=1)


def test_two_lanes_have_no_role_to_set():
    with pytest.raises(IllegalAction, match="two lanes do the work of both roles"):
        run_both(
            [(0, 8, 20)],
            lambda: RoleSetter(script={10: (SetRole(0, "decode"),)}),
            mechanisms=Mechanisms(sm_split=(50, 50)),
        )


def test_a_router_that_hears_of_no_prefill_makes_no_prefill_instance():
    kinds = router(
        emits=frozenset({SetRole, WakeAt}), on_start=at(0.0), on_woke=lambda s, v, f: (SetRole(0, "prefill"),)
    )
    with pytest.raises(IllegalAction, match="must dispatch what is prefilled"):
        run([(0, 8, 2)], make_router=kinds)


# -- how many there were ----------------------------------------------------------------------------------------------


def test_the_time_of_an_instance_runs_from_the_beginning_of_its_boot_until_it_is_down():
    script = {20: (Scale(1),), 50: (Drain(0),), 100: (Terminate(1),)}
    ran = run_both([(0, 8, 30)], lambda: Watcher(script=script, place=first_up), boot_s=0.05)
    assert ran.outcome.measured["mean_instances"] == (300 + 80) / 300


def test_of_a_fleet_that_stays_as_it_is_no_time_is_kept():
    assert run([(0, 8, 20)], instances=2)["outcome"].measured == {}
