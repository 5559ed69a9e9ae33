"""Actions: what policies ask for, held against the contract, then started."""

from collections.abc import Iterable
from math import isfinite
from typing import TYPE_CHECKING

from simcore.books.request import RUNNING, UNROUTED, WAITING, Request
from simcore.contract import (
    Abort,
    Action,
    Arrived,
    Dispatch,
    Done,
    IllegalAction,
    Preempt,
    Reject,
    Touch,
    WakeAfter,
    WakeAt,
    WakeBelow,
    to_ps,
)
from simcore.contract import decisions as log
from simcore.simulator.clock import TIMERS, Alarm

if TYPE_CHECKING:
    from simcore.simulator.simulator import Simulator
    from simcore.simulator.stepper import SimLane

STARTS: frozenset[type] = frozenset({Dispatch, Reject, Preempt, Abort, Touch, WakeAt, WakeAfter, WakeBelow})
"""Actions this backend can start."""

ROUTER = -1
"""Who asks, when it is not a lane."""


def start_for_router(simulator: "Simulator", actions: Iterable[Action] | None) -> None:
    """Start what the router asks for. Raises IllegalAction."""
    if actions is None:
        raise IllegalAction(f"{type(simulator.router).__name__}: a hook returns actions, () for none; got None")
    for action in tuple(actions):  # what a generator yields takes effect after it has ended
        if type(action) not in simulator.router_may:
            raise IllegalAction(f"{action}: this router may only {_names(simulator.router_may)}")
        if type(action) is Dispatch:
            _dispatch(simulator, action)
        elif type(action) is WakeAt:
            _wake_at(simulator, action, ROUTER)
        elif type(action) is Reject:
            simulator.rejected(_unrouted(simulator, action), by_policy=True)
        elif type(action) is Abort:
            _abort(simulator, action, ROUTER)


def start_for_scheduler(simulator: "Simulator", lane: "SimLane", actions: Iterable[Action] | None) -> None:
    """Start what the scheduler of `lane` asks for: it concerns its own lane only. Raises IllegalAction."""
    if actions is None:
        raise IllegalAction(f"{type(lane.scheduler).__name__}: a hook returns actions, () for none; got None")
    for action in tuple(actions):
        if type(action) not in lane.may:
            raise IllegalAction(f"{action}: this scheduler may only {_names(lane.may)}")
        if isinstance(action, Preempt):
            _preempt(simulator, lane, action)
        elif isinstance(action, Abort):
            request = simulator.live.get(action.request)
            if request is not None and request.lane != lane.index:
                raise IllegalAction(f"{action}: must be on instance {lane.index}, is on {request.lane}")
            _abort(simulator, action, lane.index)
        elif type(action) is Touch:
            _touch(simulator, lane, action)
        elif type(action) is WakeAt:
            _wake_at(simulator, action, lane.index)
        elif type(action) is WakeAfter:
            lane.wake_after(action)
        elif type(action) is WakeBelow:
            lane.wake_below(action)


def _dispatch(simulator: "Simulator", action: Dispatch) -> None:
    request = _unrouted(simulator, action)
    lanes = simulator.lanes
    if not 0 <= action.instance < len(lanes):
        raise IllegalAction(f"{action}: instance must be 0..{len(lanes) - 1}")
    lane = lanes[action.instance]
    # The token that ends a request is never attended to, so its KV is never written.
    if request.prompt + request.output - 1 > lane.pool.tokens:
        simulator.rejected(request, by_policy=False)
        return
    if simulator.log_decisions:
        simulator.log(lane.index, log.DISPATCH, request.id, -1)
    lane.submit(request)
    if simulator.indexes:
        simulator.reindex(lane)
    if simulator.tell_dispatches:
        simulator.messenger.tell_scheduler(lane, "on_arrived", Arrived(request.id))


def _unrouted(simulator: "Simulator", action: Dispatch | Reject) -> Request:
    request = simulator.live.get(action.request)
    if request is None:
        raise IllegalAction(f"{action}: no live request {action.request}")
    if request.state != UNROUTED:
        raise IllegalAction(f"{action}: request {request.id} is already on instance {request.lane}")
    return request


def _preempt(simulator: "Simulator", lane: "SimLane", action: Preempt) -> None:
    request = simulator.live.get(action.request)
    if request is None or request.state != RUNNING or request.lane != lane.index:
        raise IllegalAction(f"{action}: must be running on instance {lane.index}")
    if action.kv == "swap":
        raise IllegalAction(f"{action}: kv must be 'drop' under `mechanism: {{preemption: recompute}}`")
    simulator.log(lane.index, log.PREEMPT, request.id, -1)
    lane.act(action, lane.index)


def _abort(simulator: "Simulator", action: Abort, who: int) -> None:
    request = simulator.live.get(action.request)
    if request is None:
        raise IllegalAction(f"{action}: no live request {action.request}")
    if action.keep_tokens:
        raise IllegalAction(f"{action}: keep_tokens must be false: no rollout can resume the request")
    simulator.log(who, log.ABORT, request.id, -1)
    if request.state == RUNNING:
        assert request.lane is not None
        simulator.lanes[request.lane].act(action, who)
        return
    if request.state == WAITING:
        assert request.lane is not None
        lane = simulator.lanes[request.lane]
        lane.withdraw(request)
        lane.look_again()
        if simulator.indexes:
            simulator.reindex(lane)
    simulator.cancelled(request)
    simulator.done(who, Done(action, ok=True))


def _touch(simulator: "Simulator", lane: "SimLane", action: Touch) -> None:
    request = simulator.live.get(action.request)
    if request is None or request.state != WAITING or request.lane != lane.index:
        raise IllegalAction(f"{action}: must be waiting on instance {lane.index}")
    simulator.log(lane.index, log.TOUCH, request.id, -1)
    lane.waiting.touch(request)
    lane.refused = False
    lane.look_again()


def _wake_at(simulator: "Simulator", action: WakeAt, who: int) -> None:
    clock = simulator.clock
    if not isfinite(action.time_s):
        raise IllegalAction(f"{action}: time_s must be a date")
    at_ps = max(to_ps(action.time_s), clock.now)
    timer = (who, at_ps, action.key)
    if timer in simulator.timers:
        raise IllegalAction(f"{action}: the same action is still in flight")
    simulator.timers.add(timer)
    # Timers of one instant go off in the order of who set them: the router, then instance by instance.
    priority = TIMERS + (who + 1) / (len(simulator.lanes) + 1)
    Alarm(clock, at_ps - clock.now, lambda _: simulator.woke(timer), priority)


def _names(actions: Iterable[type]) -> str:
    return ", ".join(sorted(action.__name__ for action in actions))
