"""The router goes down: requests go round robin without it, and it starts again. Every iteration takes 10 ms."""

from simcore.contract import Arrived, Done, Drain, Finished, Migrate, Prefilled, Scale
from simcore.contract import decisions as log
from simcore.simulator import Fault, Mechanisms
from tests.simulator.failing import HAND_ON
from tests.simulator.given import slow
from tests.simulator.watcher import Watcher, run_both

DOWN_35_TO_75 = (Fault("router", 0, 0.035, 0.04),)


class Starting(Watcher):
    """Sends all to instance 1, and notes each of its starts and arrivals."""

    def __init__(self):
        super().__init__(lambda view, request: 1)

    def on_start(self, view):
        self.told.append((round(view.now_s * 1000), "start"))
        return super().on_start(view)

    def on_arrived(self, view, fact):
        self.told.append((round(view.now_s * 1000), fact))
        return super().on_arrived(view, fact)


def places(ran):
    """Return (ms, instance) of each dispatch, by request."""
    return {request: (at, where) for at, where, request, _ in ran.kinds(log.DISPATCH)}


def test_who_arrives_meanwhile_goes_round_robin():
    rows = [(at, 16, 2) for at in (30, 40, 50, 60, 80)]
    ran = run_both(rows, Starting, instances=3, faults=DOWN_35_TO_75)
    assert places(ran) == {0: (30, 1), 1: (40, 0), 2: (50, 1), 3: (60, 2), 4: (80, 1)}
    assert [told for told in ran.told if told[1] == "start" or isinstance(told[1], Arrived)] == [
        (0, "start"),
        (30, Arrived(0)),
        (75, "start"),
        (80, Arrived(4)),
    ]


def test_what_was_held_back_goes_when_the_router_does():
    ran = run_both([(10, 16, 2), (10, 16, 2)], lambda: Watcher(lambda v, r: None), instances=2, faults=DOWN_35_TO_75)
    assert places(ran) == {0: (35, 0), 1: (35, 1)}


def test_who_finds_nobody_up_waits_for_an_instance_or_for_the_router():
    """Instance 0 is up again at 60; in the second run only after the router, who is told of who waits."""
    for back_s, place in ((0.06, (60, 0)), (0.09, (90, 0))):
        gone = Fault("instance", 0, 0.02, back_s - 0.02)
        ran = run_both(
            [(40, 16, 2)],
            lambda: Watcher(lambda view, r: 0 if view.instances[0].state == "up" else None),
            faults=(gone, *DOWN_35_TO_75),
        )
        assert places(ran) == {0: place}


def test_facts_meanwhile_are_lost_and_timers_are_gone():
    script = {50: (Scale(1),), 20: ()}
    ran = run_both([(0, 16, 5), (100, 16, 1)], lambda: Watcher(script=script), faults=DOWN_35_TO_75)
    assert len(ran.simulator.instances) == 2, "the timer of 50 is set again at the start, for now"
    assert [at for at, _ in ran.facts(Finished)] == [110]


def test_what_was_prefilled_goes_on_without_the_router():
    def make():
        return Watcher(lambda view, request: 0, lambda view, request: None)

    ran = run_both([(30, 16, 3)], make, faults=DOWN_35_TO_75, **HAND_ON)
    assert ran.states == {0: 0}
    assert not ran.facts(Prefilled)


def test_a_drain_goes_on_without_the_router():
    ran = run_both([(0, 16, 6)], lambda: Watcher(script={20: (Drain(0),)}), faults=DOWN_35_TO_75)
    assert ran.simulator.instances[0].state == "down"
    assert not ran.facts(Done)


def test_a_migration_goes_on_and_may_be_asked_for_again():
    """Paused at 30 for eleven blocks, which begin to flow at 100, when their link is up again."""
    asks = {20: (Migrate(0, 1, 0),)}
    faults = (*DOWN_35_TO_75, Fault("link", "nvlink_out:0", 0.03, 0.07, 0.0))
    ran = run_both(
        [(0, 160, 9)],
        lambda: Watcher(script=asks),
        instances=2,
        faults=faults,
        mechanisms=Mechanisms(migration="multistage"),
        **slow(2),
    )
    assert [(at, fact.ok, fact.why) for at, fact in ran.facts(Done)] == [
        (75, False, "in flight"),
        (111, True, ""),
    ]
    assert ran.states == {0: 0}
