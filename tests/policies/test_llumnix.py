"""Llumnix: freeness, where requests go, who gives requests to whom, and how many instances run.

The instance of most tests is that of the check values: 851 blocks, 300 free, 20 running; two wait, the first of them
for 30 blocks, both for 50.
"""

from math import inf
from typing import Any

import pytest

from policies.llumnix import REBALANCE, SCALE, Llumnix
from policies.migrate_once import MigrateOnce
from simcore.contract import (
    Arrived,
    CancelDrain,
    Dispatch,
    Done,
    Drain,
    FirstToken,
    InstanceUp,
    Migrate,
    Scale,
    WakeAt,
    Woke,
)
from tests.policies.views import Ask, Cluster, Server, answer, sent


def server(id=0, **said: Any):
    usual: dict[str, Any] = {"running": 20, "waiting": 2, "head_blocks": 30, "waiting_blocks": 50, "free_blocks": 300}
    return Server(id, kv_blocks=851, **(usual | said))


def calm(id, free_blocks, running=10, **said: Any):
    """An instance where nobody waits, with freeness free_blocks / running."""
    return Server(id, kv_blocks=851, running=running, free_blocks=free_blocks, **said)


def artifact(**settings: Any):
    return Llumnix(variant="artifact", **settings)


def woken(router, view, key=REBALANCE):
    """Return what a router asks for when it wakes, its next alarm left out."""
    first, *asked = answer(router.on_woke(view, Woke(key)))
    assert isinstance(first, WakeAt)
    return asked


# -- freeness ----------------------------------------------------------------------------------------------------


def test_freeness_in_the_paper_is_what_is_left_after_the_head_of_line_for_each_running_request():
    assert Llumnix().freeness(server()) == 13.5, "(851 - (551 + 30)) / 20"
    assert Llumnix(defragment=False).freeness(server()) == 15, "the queue is left out"


def test_freeness_in_the_artifact_counts_all_who_wait_and_a_watermark():
    assert artifact().freeness(server()) == pytest.approx(11.524, abs=5e-4), "(300 - 8 - 50) / 21"
    assert artifact(defragment=False).freeness(server()) == 14.6, "(300 - 8) / 20"
    assert artifact().freeness(server(), placing=True) == 11.0, "(300 - 8 - 50) / 22"


def test_an_urgent_request_takes_the_headroom_with_it():
    assert artifact().freeness(server(), headroom=True) == pytest.approx(-24.238, abs=5e-4), "751 blocks reserved"
    assert Llumnix().freeness(server(), headroom=True) == (270 - 751) / 20


@pytest.mark.parametrize("variant", ["paper", "artifact"])
def test_nothing_is_freer_than_an_empty_instance(variant):
    empty = Server(0, kv_blocks=851, free_blocks=851)
    assert Llumnix(variant=variant).freeness(empty) == inf
    assert Llumnix(variant=variant).freeness(empty, placing=True, headroom=True) == inf


@pytest.mark.parametrize(("variant", "freeness"), [("paper", -inf), ("artifact", -1000)])
def test_an_instance_that_drains_is_the_least_free(variant, freeness):
    assert Llumnix(variant=variant).freeness(server(state="draining")) == freeness


def test_before_anybody_runs_the_head_of_line_alone_shares_the_blocks():
    assert Llumnix().freeness(server(running=0, free_blocks=851)) == 821


# -- where a request goes ----------------------------------------------------------------------------------------


def test_a_request_goes_to_the_freest_instance():
    view = Cluster([calm(0, 90), calm(1, 120), calm(2, 119)], Ask(0))
    assert sent(Llumnix(), view, 0) == 1
    assert sent(Llumnix(), Cluster([calm(0, 90), calm(1, 90)], Ask(0)), 0) == 0, "ties go to the lowest id"


def test_queues_are_ranked_by_negative_freeness():
    queues = [server(0, free_blocks=10, head_blocks=90), server(1, free_blocks=10, head_blocks=50)]
    assert sent(Llumnix(), Cluster(queues, Ask(0)), 0) == 1, "-4 or -2"


def test_others_keep_away_from_an_urgent_request_and_if_asked_so_do_urgent_ones():
    view = Cluster([calm(0, 300), calm(1, 200), calm(2, 100)], Ask(0, priority=-1), Ask(1, priority=-1), Ask(2))
    router = Llumnix(gather_urgent=False)
    assert sent(router, view, 0) == 0
    view.requests[0].instance, view.requests[0].state = 0, "running"
    assert sent(router, view, 1) == 1, "(300 - 751) / 10 on instance 0"
    view.requests[1].instance, view.requests[1].state = 1, "waiting"
    assert sent(router, view, 2) == 2, "10, and nobody urgent"
    view.instances[0].running, view.instances[0].free_blocks = 1, 840
    assert sent(router, view, 2) == 0, "89 for each: its load is below the target"
    del view.requests[0], view.requests[1]
    assert sent(router, view, 2) == 0


def test_urgent_requests_gather():
    view = Cluster([calm(0, 300), calm(1, 200)], Ask(0, priority=-1), Ask(1, priority=-1), Ask(2))
    router = artifact()
    assert sent(router, view, 0) == 0, "headroom would be new everywhere"
    view.requests[0].instance, view.requests[0].state = 0, "running"
    view.instances[0].free_blocks = 20
    assert sent(router, view, 1) == 0, "1.2 where the headroom is paid for, (192 - 751) / 10 elsewhere"
    assert sent(router, view, 2) == 1


def test_without_priorities_urgent_requests_are_like_others():
    view = Cluster([calm(0, 300), calm(1, 200)], Ask(0, priority=-1), Ask(1))
    router = Llumnix(priorities=False)
    assert sent(router, view, 0) == 0
    view.requests[0].instance = 0
    assert sent(router, view, 1) == 0


def test_what_waited_for_an_instance_is_placed_by_priority_then_in_order():
    view = Cluster([calm(0, 300, state="down")], Ask(0), Ask(1, priority=-1), Ask(2, state="waiting", instance=0))
    router = Llumnix()
    assert answer(router.on_arrived(view, Arrived(0))) == []
    view.instances[0].state = "up"
    assert answer(router.on_instance_up(view, InstanceUp(0))) == [Dispatch(1, 0), Dispatch(0, 0)]


# -- who gives requests to whom ----------------------------------------------------------------------------------


def test_the_least_free_gives_to_the_freest_and_the_next_to_the_next():
    view = Cluster([calm(0, 20), calm(1, 200), calm(2, 10), calm(3, 100), calm(4, 30), calm(5, 35)])
    assert woken(Llumnix(), view) == [Migrate(2, 1), Migrate(0, 3)], "at 3 and 3.5 instances 4 and 5 keep theirs"
    assert woken(Llumnix(destination_above=10), view) == [Migrate(2, 1)], "10 is not above 10"
    assert woken(Llumnix(source_below=1.5), view) == [Migrate(2, 1)]


def test_pairing_is_looked_at_every_period():
    view = Cluster([calm(0, 20), calm(1, 200)])
    router = Llumnix(period_s=0.5)
    assert answer(router.on_start(view)) == [WakeAt(0.5, REBALANCE)]
    view.now_s = 2.0
    assert answer(router.on_woke(view, Woke(REBALANCE)))[0] == WakeAt(2.5, REBALANCE)
    assert answer(Llumnix(migrate=False).on_start(view)) == []


def test_a_router_that_was_down_starts_anew_and_sees_what_was_placed_without_it():
    view = Cluster([calm(0, 20), calm(1, 200)])
    router = Llumnix()
    assert woken(router, view) == [Migrate(0, 1)]
    view.now_s = 30.0
    view.requests[4] = Ask(4, priority=-1, state="running", instance=1)
    assert answer(router.on_start(view)) == [WakeAt(30.1, REBALANCE)]
    assert not router.migrating
    view.instances[0].free_blocks = 100
    assert woken(router, view) == [Migrate(1, 0)], "others leave the urgent request alone"


def test_a_head_of_line_that_does_not_fit_drives_running_requests_away():
    fragmented = calm(0, 50, waiting=1, head_blocks=60, waiting_blocks=60)
    view = Cluster([fragmented, calm(1, 100)])
    assert woken(Llumnix(), view) == [Migrate(0, 1)]
    assert woken(Llumnix(defragment=False), view) == []


def test_others_leave_an_urgent_request_alone():
    view = Cluster([calm(0, 300), calm(1, 200)], Ask(7, priority=-1))
    router = Llumnix()
    assert sent(router, view, 7) == 0
    view.requests[7].instance, view.requests[7].state = 0, "running"
    assert woken(router, view) == [Migrate(0, 1)], "(300 - 751) / 10 is below 3"


def test_an_end_of_a_migration_under_way_is_in_no_other():
    view = Cluster([calm(0, 20), calm(1, 200), calm(2, 10)])
    router = Llumnix()
    assert woken(router, view) == [Migrate(2, 1)]
    view.instances.append(calm(3, 300))
    assert woken(router, view) == [Migrate(0, 3)]
    assert woken(router, view) == []


def test_a_pair_goes_on_in_the_paper_as_long_as_both_ends_qualify():
    view = Cluster([calm(0, 20), calm(1, 200)])
    router = Llumnix()
    (move,) = woken(router, view)
    assert answer(router.on_done(view, Done(move, ok=True))) == [move]
    view.instances[0].free_blocks = 40
    assert answer(router.on_done(view, Done(move, ok=True))) == []
    assert not router.migrating


def test_a_migration_that_failed_is_not_tried_again_before_the_next_round():
    view = Cluster([calm(0, 20), calm(1, 200)])
    router = Llumnix()
    (move,) = woken(router, view)
    assert answer(router.on_done(view, Done(move, ok=False, why="nobody"))) == []
    assert woken(router, view) == [move]


def test_a_pair_moves_one_request_a_round_in_the_artifact():
    view = Cluster([calm(0, 20), calm(1, 200)])
    router = artifact()
    (move,) = woken(router, view)
    assert answer(router.on_done(view, Done(move, ok=True))) == []


def test_in_the_artifact_who_preempted_gives_and_who_has_a_queue_takes_nothing():
    preempting = calm(0, 100, waiting=1, waiting_blocks=20, preempted=1)
    view = Cluster([preempting, calm(1, 300, waiting=1, waiting_blocks=1), calm(2, 200)])
    assert woken(artifact(), view) == [Migrate(0, 2)]
    assert woken(Llumnix(), view) == []


@pytest.mark.parametrize("state", ["down", "starting", "draining"])
def test_only_instances_that_are_up_take_requests(state):
    view = Cluster([calm(0, 20), calm(1, 800, state=state), calm(2, 30)], Ask(3))
    assert Migrate(0, 1) not in woken(Llumnix(), view)


def test_an_instance_with_nobody_running_gives_nothing():
    assert woken(Llumnix(), Cluster([server(0, running=0, free_blocks=0), calm(1, 200)])) == []


# -- draining ----------------------------------------------------------------------------------------------------


def at_zero(id, **said: Any):
    usual: dict[str, Any] = {"state": "running", "output_tokens": 5}
    return Ask(id, instance=0, **(usual | said))


def test_who_waits_on_an_instance_that_drains_leaves_first_then_short_ones_then_urgent_ones():
    view = Cluster(
        [calm(0, 800, running=4, waiting=1, state="draining"), calm(1, 200)],
        at_zero(1, priority=-1),
        at_zero(2, prompt_tokens=300),
        at_zero(3, prompt_tokens=200),
        at_zero(4, state="waiting", output_tokens=0),
        at_zero(5, output_tokens=0),
        Ask(6, instance=1, state="waiting"),
    )
    router, left = Llumnix(), []
    moves = woken(router, view)
    while moves:
        (move,) = moves
        left.append(move.request)
        del view.requests[move.request]
        moves = answer(router.on_done(view, Done(move, ok=True)))
    assert left == [4, 3, 2, 1], "who prefills cannot leave"


def test_an_instance_that_drains_goes_before_all_others():
    view = Cluster([calm(0, 800, state="draining"), calm(1, 10), calm(2, 200)], at_zero(1))
    assert woken(Llumnix(), view) == [Migrate(0, 2, 1)]


def test_a_drain_waits_while_nobody_can_take_its_requests():
    view = Cluster([calm(0, 800, state="draining"), calm(1, 30)], at_zero(1))
    assert woken(Llumnix(), view) == []


# -- scaling -----------------------------------------------------------------------------------------------------


def scaling(variant="paper", **settings: Any):
    return Llumnix(variant=variant, migrate=False, max_instances=4, **settings)


def test_the_fleet_is_looked_at_after_a_while_and_then_every_period():
    router = scaling(first_scale_s=100, scale_period_s=10)
    view = Cluster([calm(0, 400)])
    assert answer(router.on_start(view)) == [WakeAt(100, SCALE)]
    view.now_s = 100.0
    assert answer(router.on_woke(view, Woke(SCALE))) == [WakeAt(110, SCALE)]


def test_an_instance_is_added_when_the_fleet_was_short_of_freeness_twice():
    view, router = Cluster([calm(0, 80), calm(1, 100)]), scaling()
    assert woken(router, view, SCALE) == [], "9, but for the first time"
    assert woken(router, view, SCALE) == [Scale(1)]
    view.instances.append(calm(2, 851, running=0, state="starting"))
    assert woken(router, view, SCALE) == [], "one is coming"


def test_the_one_with_the_fewest_running_requests_goes_when_the_fleet_was_too_free_twice():
    view, router = Cluster([calm(0, 800), calm(1, 600, running=5), calm(2, 600, running=6)]), scaling()
    assert woken(router, view, SCALE) == []
    assert woken(router, view, SCALE) == [Drain(1)], "2000 blocks for 21 requests"
    view.instances[1].state = "draining"
    assert woken(router, view, SCALE) == [], "one at a time"


def test_a_look_in_between_starts_the_count_anew():
    free, short, router = Cluster([calm(0, 800), calm(1, 800)]), Cluster([calm(0, 80), calm(1, 80)]), scaling()
    assert [woken(router, view, SCALE) for view in (free, short, free, short)] == [[], [], [], []]


def test_within_the_bounds_nothing_changes():
    view, router = Cluster([calm(0, 100), calm(1, 100)]), scaling()
    assert woken(router, view, SCALE) == woken(router, view, SCALE) == []


def test_a_fleet_that_falls_short_during_a_drain_takes_the_instance_back():
    view, router = Cluster([calm(0, 80), calm(1, 80), calm(2, 700, state="draining")]), scaling("artifact")
    assert woken(router, view, SCALE) == [CancelDrain(2)]


def test_the_fleet_stays_between_its_least_and_its_most():
    full = Cluster([calm(i, 10) for i in range(4)])
    assert woken(scaling("artifact"), full, SCALE) == []
    idle = Cluster([calm(i, 800, running=1) for i in range(2)])
    assert woken(scaling("artifact", min_instances=2), idle, SCALE) == []
    assert woken(scaling("artifact", min_instances=1), idle, SCALE) == [Drain(1)]


def test_the_artifact_adds_as_many_as_make_the_fleet_free_enough():
    # With 8 blocks of watermark 32 are left for 100 requests; 2 x 851 more make 17.34 each, 1 x 851 only 8.83.
    view = Cluster([calm(0, 40, running=100)])
    assert woken(scaling("artifact"), view, SCALE) == [Scale(2)]


def test_the_artifact_drains_the_last_one_when_the_others_were_free_enough_without_it():
    # Without one of them (843 + 843 - 851) / 14 = 59.6; with 13 requests it is 64.2.
    view = Cluster([calm(0, 851, running=7), calm(1, 851, running=7)])
    assert woken(scaling("artifact"), view, SCALE) == []
    view.instances[0].running = 6
    assert woken(scaling("artifact"), view, SCALE) == [Drain(1)]


def test_an_empty_fleet_is_free_and_a_fleet_that_is_down_is_left_alone():
    assert woken(scaling("artifact"), Cluster([calm(0, 851, running=0), calm(1, 851, running=0)]), SCALE) == [Drain(1)]
    assert woken(scaling("artifact"), Cluster([calm(0, 851, state="down")]), SCALE) == []


# -- arguments ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"variant": "main"}, "variant must be one of paper, artifact, got 'main'"),
        ({"period_s": 0}, "period_s must be > 0, got 0"),
        ({"source_below": 5}, r"destination_above must be >= source_below \(5\), got 3.0"),
        ({"scale_above": 5}, r"scale_above must be >= scale_below \(10.0\), got 5"),
        ({"min_instances": 3, "max_instances": 2}, r"max_instances must be >= min_instances \(3\), got 2"),
    ],
)
def test_a_wrong_argument_is_named(settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        Llumnix(**settings)


# -- migrate once ------------------------------------------------------------------------------------------------


def test_migrate_once_moves_a_request_to_the_next_instance_after_a_while():
    view = Cluster([Server(0), Server(1), Server(2)], Ask(0), Ask(1))
    router = MigrateOnce(after_s=2)
    assert [sent(router, view, 0), sent(router, view, 1)] == [0, 1]
    view.now_s, view.requests[1].instance = 5.0, 1
    assert answer(router.on_first_token(view, FirstToken(1, 1))) == [WakeAt(7, 1)]
    assert answer(router.on_woke(view, Woke(1))) == [Migrate(1, 2, 1)]
    view.requests[1].instance = 2
    assert answer(router.on_woke(view, Woke(1))) == [Migrate(2, 0, 1)], "and from the last to the first"
    assert answer(router.on_woke(view, Woke(9))) == [], "it has ended"
    with pytest.raises(ValueError, match="after_s must be >= 0, got -1"):
        MigrateOnce(after_s=-1)
