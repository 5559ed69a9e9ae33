"""Handshake: whatever happens to a request while it moves, at any moment, no block is lost and it is in one place.

1600 tokens are chosen at 40 ms, copied from 50 to 150 and, paused at 160, for another millisecond; with a busy
destination the request goes on there at 170. The books are added up every millisecond, between boundaries.
"""

import pytest

from policies.vllm_v1 import VllmV1
from simcore.books.request import PAUSED, STATES, UNROUTED
from simcore.contract import Abort, Migrate, Preempt, Terminate, WakeAt
from simcore.simulator import Mechanisms, Settings
from simcore.simulator.clock import SAMPLES, Alarm
from simcore.simulator.simulator import Simulator
from tests.property.draw import Flat
from tests.simulator.given import Given, Row
from tests.simulator.harness import MS
from tests.simulator.moving import TWO, by_script

MOMENTS = (35, 40, 42, 50, 55, 100, 149, 150, 155, 160, 160.5, 161, 165, 170, 175)
"""ms: asked, chosen, reserved, copying, copied, room for the rest, paused, there, given back; each met and between."""


def add_up(simulator: Simulator) -> None:
    """Assert that each block is free, in use or reserved, and each request in one place."""
    for instance in simulator.instances:
        instance.catch_up()
        (lane,) = instance.lanes
        used = sum(lane.blocks_after(r, 0, in_flight=lane.k > 0) for r in lane.running)
        assert instance.store is not None
        found = (instance.pool.free, used, instance.store.reserved)
        assert sum(found) == instance.pool.total, f"{simulator.clock.now / MS} ms, {instance.id}: {found}"
    for request in simulator.live.values():
        places = [request.state == UNROUTED]
        for lane in simulator.lanes:
            places += [request in lane.running, request in lane.queue_view()]
            places += [request.state == PAUSED and request in lane.paused]
        assert sum(places) == 1, f"{simulator.clock.now / MS} ms: {STATES[request.state]}, {places}"


def moving(kind, script, busy, make_scheduler=VllmV1, output=50):
    """Run a migration at 34 ms and what the script says; return the states of requests, and what `Done` said."""
    rows = [Row(0, 1600, output), *[Row(0, 16, 60)] * busy, Row(400, 16, 1)]
    given, notes = Given(rows), []
    homes = {1: 1} if busy else {}
    asks = {34: (Migrate(0, 1, 0),)}
    settings = Settings(
        **TWO,
        kv_blocks=300,
        cost=Flat(10 * MS, 0, 0, 0),
        **{"make_scheduler": make_scheduler, **by_script(asks | script, notes, homes)},
        mechanisms=Mechanisms(migration=kind),
        per_iteration=bool(busy),
    )
    simulator = Simulator(settings, given, given)
    for ms in range(25, 400):
        Alarm(simulator.clock, ms * MS + MS // 4, lambda _: add_up(simulator), SAMPLES)
    simulator.run()
    assert [one.pool.free for one in simulator.instances] == [300, 300]
    assert simulator.outcome.arrived == simulator.outcome.finished + simulator.outcome.cancelled
    return {row[0]: row[3] for row in given.kept["requests"]}, [why for _, _, why in notes]


@pytest.mark.parametrize("kind", ["blocking", "multistage"])
@pytest.mark.parametrize("busy", [0, 1])
@pytest.mark.parametrize("what", [Abort(0), Terminate(0), Terminate(1)], ids=("abort", "source dies", "other end dies"))
def test_an_end_at_any_moment_is_clean(what, busy, kind):
    told = set()
    for moment in MOMENTS:
        states, whys = moving(kind, {moment: (what,)}, busy)
        assert states[0] == (2 if isinstance(what, Abort) else 0)
        told.update(whys)
    assert told == {"", "gone" if isinstance(what, Abort) else "instance down"}


def waking_at(ms):
    return lambda self, view: (WakeAt(ms / 1000, 0),)


@pytest.mark.parametrize("busy", [0, 1])
def test_a_preemption_at_any_moment_is_clean(busy):
    told = set()
    for moment in MOMENTS:

        def on_woke(self, view, fact):
            there = view.requests.get(0)
            return (Preempt(0),) if there is not None and there.state == "running" else ()

        hooks = {"on_start": waking_at(moment), "on_woke": on_woke}
        meddling = type("Meddling", (VllmV1,), hooks)
        states, whys = moving("multistage", {}, busy, make_scheduler=meddling)
        assert states[0] == 0
        told.update(whys)
    assert told == {"", "gone"}


@pytest.mark.parametrize("kind", ["blocking", "two_stage", "multistage"])
def test_the_last_token_at_any_moment_is_clean(kind):
    told = set()
    for output in range(4, 30):
        states, whys = moving(kind, {}, output % 2, output=output)
        assert states[0] == 0
        told.update(whys)
    assert told == {"", "gone"}
