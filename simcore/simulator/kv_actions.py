"""KV actions: pins of KV until a date."""

from collections.abc import Callable
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, cast

from simcore.books.store import Tail
from simcore.books.tiered import TieredLane
from simcore.contract import Done, IllegalAction, PinKV, Unpin, to_ps
from simcore.contract import decisions as log
from simcore.simulator.clock import TIMERS, Alarm

if TYPE_CHECKING:
    from simcore.simulator.instance import SimInstance
    from simcore.simulator.simulator import Simulator
    from simcore.simulator.stepper import SimLane
    from simcore.simulator.tiered_stepper import SimTieredLane

_PIN_DATES = TIMERS - 0.25


def pin(simulator: "Simulator", lane: "SimLane", action: PinKV) -> None:
    """Hold the KV of what ended. Raises IllegalAction."""
    instance = simulator.instances[lane.instance]
    store = instance.store
    if store is None or not store.cached:
        raise IllegalAction(f"{action}: needs `mechanism: {{prefix_cache: cold}}`")
    if not isfinite(action.until_s):
        raise IllegalAction(f"{action}: until_s must be a date")
    if instance.state == "down":  # since the boundary that the scheduler is told of
        simulator.done(lane.index, Done(action, ok=False, why="instance down"))
        return
    assert isinstance(lane, TieredLane)
    tail = store.tails.get(action.request)
    if tail is None and lane.started == simulator.clock.now:
        tail = lane.ended.get(action.request)
    if tail is None:
        rule = "must have ended here at this boundary, or be the last turn of its program that did"
        raise IllegalAction(f"{action}: {rule}")
    act(simulator, lane, partial(_hold, simulator, instance, tail, to_ps(action.until_s)))


def _hold(simulator: "Simulator", instance: "SimInstance", tail: Tail, until_ps: int) -> bool:
    store = instance.store
    assert store is not None
    replaces = tail.key in store.pins
    made = store.pin(tail.key, tail.content, tail.computed, until_ps)
    simulator.log(instance.id, log.PINNED, tail.key, made.chain.blocks)
    look = partial(_look_again, instance, tail.key, until_ps)
    Alarm(simulator.clock, max(0, until_ps - simulator.clock.now), look, _PIN_DATES)
    return replaces


def act(simulator: "Simulator", lane: "SimLane", what: Callable[[], bool]) -> None:
    """Do something now if `lane` stands at its boundary, else at its next one; at once if it is idle."""
    tiered = cast("SimTieredLane", lane)
    if simulator.acting == lane.index:
        tiered.note_freed(what())
    elif lane.k:
        tiered.later(what)
    else:
        for beside in simulator.instances[lane.instance].lanes:
            beside.catch_up()
            beside.cut()  # fewer blocks may be free than its step counted on
        # It has a boundary at this instant, and if blocks came free so has, after it, the lane beside.
        tiered.later(partial(tiered.note_freed, what()))


def _look_again(instance: "SimInstance", key: int, until_ps: int, _: Alarm) -> None:
    assert instance.store is not None
    made = instance.store.pins.get(key)
    if made is not None and made.until_ps == until_ps:
        for lane in instance.lanes:
            lane.look_again()


def unpin(simulator: "Simulator", lane: "SimLane", action: Unpin) -> None:
    """Give a pin up, at once or at the next boundary. Raises IllegalAction if there is none."""
    instance = simulator.instances[lane.instance]
    if instance.store is None or action.key not in instance.store.pins:
        raise IllegalAction(f"{action}: nothing is pinned with that key on instance {lane.instance}")
    act(simulator, lane, partial(_let_go, simulator, instance, action.key))


def _let_go(simulator: "Simulator", instance: "SimInstance", key: int) -> bool:
    assert instance.store is not None
    if not instance.store.unpin(key):
        return False  # its date came first
    simulator.log(instance.id, log.UNPINNED, key, 0)
    for lane in instance.lanes:
        lane.refused = False
    return True
