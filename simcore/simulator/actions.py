"""Actions: what policies ask for, held against the contract, then started."""

from collections.abc import Iterable
from math import isfinite
from typing import TYPE_CHECKING

from simcore.books.request import PAUSED, RUNNING, SWAPPED, UNROUTED, WAITING, Request
from simcore.contract import (
    Abort,
    Action,
    Arrived,
    CancelDrain,
    Dispatch,
    Done,
    Drain,
    IllegalAction,
    PinKV,
    Preempt,
    Reject,
    Scale,
    SetRole,
    SplitSMs,
    Terminate,
    Touch,
    Unpin,
    WakeAfter,
    WakeAt,
    WakeBelow,
    to_ps,
)
from simcore.contract import decisions as log
from simcore.simulator.clock import TIMERS, Alarm
from simcore.simulator.kv_actions import pin, split_sms, unpin

if TYPE_CHECKING:
    from simcore.simulator.simulator import Simulator
    from simcore.simulator.stepper import SimLane

FLEET: frozenset[type] = frozenset({Scale, Drain, CancelDrain, Terminate, SetRole})
"""Actions on instances as a whole."""
STARTS: frozenset[type] = FLEET | {
    *(Dispatch, Reject, Preempt, Abort, Touch),
    *(PinKV, Unpin, SplitSMs),
    *(WakeAt, WakeAfter, WakeBelow),
}
"""Actions this backend can start."""

ROUTER, ROLLOUT = -1, -5
"""Who asks, when it is not a lane or a client."""
TOO_LONG, BY_POLICY, QUEUE_FULL = range(3)
"""Why a request is turned away."""
INSTANCE_DOWN = "instance down"
"""Why an action that was under way came to nothing."""
_BY_WHO = 2.0**-30
"""Timers of one instant go off in the order of who set them: the router, then lane by lane."""


def start_for_router(simulator: "Simulator", actions: Iterable[Action] | None) -> None:
    """Start what the router asks for. Raises IllegalAction."""
    if actions is None:
        raise IllegalAction(f"{type(simulator.router).__name__}: a hook returns actions, () for none; got None")
    for action in tuple(actions):  # what a generator yields takes effect after it has ended
        if type(action) not in simulator.router_may:
            raise IllegalAction(f"{action}: this router may only {names(simulator.router_may)}")
        if type(action) is Dispatch:
            _dispatch(simulator, action)
        elif type(action) is WakeAt:
            wake_at(simulator, action, ROUTER)
        elif type(action) is Reject:
            simulator.rejected(_unrouted(simulator, action), BY_POLICY)
        elif type(action) is Abort:
            _abort(simulator, action, ROUTER)
        elif type(action) is SplitSMs:
            split_sms(simulator, action, ROUTER)
        elif isinstance(action, Scale | Drain | CancelDrain | Terminate | SetRole):
            simulator.fleet.start(action)


def start_for_scheduler(simulator: "Simulator", lane: "SimLane", actions: Iterable[Action] | None) -> None:
    """Start what the scheduler of `lane` asks for: it concerns its own lane only. Raises IllegalAction."""
    if actions is None:
        raise IllegalAction(f"{type(lane.scheduler).__name__}: a hook returns actions, () for none; got None")
    for action in tuple(actions):
        if type(action) not in lane.may:
            raise IllegalAction(f"{action}: this scheduler may only {names(lane.may)}")
        if isinstance(action, Preempt):
            _preempt(simulator, lane, action)
        elif isinstance(action, Abort):
            request = simulator.live.get(action.request)
            if request is not None and request.lane != lane.index:
                where = "no instance" if request.lane is None else simulator.place_of(request.lane)
                raise IllegalAction(f"{action}: must be on instance {lane.instance}, is on {where}")
            _abort(simulator, action, lane.index)
        elif type(action) is Touch:
            _touch(simulator, lane, action)
        elif type(action) is PinKV:
            pin(simulator, lane, action)
        elif type(action) is Unpin:
            unpin(simulator, lane, action)
        elif type(action) is SplitSMs:
            split_sms(simulator, action, lane.index)
        elif type(action) is WakeAt:
            wake_at(simulator, action, lane.index)
        elif type(action) is WakeAfter:
            lane.wake_after(action)
        elif type(action) is WakeBelow:
            lane.wake_below(action)


def _dispatch(simulator: "Simulator", action: Dispatch) -> None:
    request = simulator.live.get(action.request)
    handed = False
    if request is None or request.state != UNROUTED:
        handed = request is not None and request.state == PAUSED and simulator.keeps(request)
        if request is None or not handed:
            request = _unrouted(simulator, action)  # raises
    instances = simulator.instances
    if not 0 <= action.instance < len(instances):
        raise IllegalAction(f"{action}: instance must be 0..{len(instances) - 1}")
    instance = instances[action.instance]
    if instance.state != "up":
        raise IllegalAction(f"{action}: instance {instance.id} is {instance.state}")
    if instance.role == ("prefill" if handed else "decode"):
        takes = "what was prefilled elsewhere" if instance.role == "decode" else "what is not prefilled"
        raise IllegalAction(f"{action}: instance {instance.id} takes only {takes}")
    # The token that ends a request is never attended to, so its KV is never written.
    if request.prompt + request.output - 1 > instance.pool.tokens:
        simulator.rejected(request, TOO_LONG)
        return
    most = simulator.max_waiting
    if most is not None and not handed and instance.waiting >= most:
        simulator.counts["queue_full"] += 1
        simulator.rejected(request, QUEUE_FULL)
        return
    if simulator.log_decisions:
        simulator.log(instance.id, log.DISPATCH, request.id, -1)
    lane = instance.lanes[0]
    lane.submit(request)
    if simulator.indexes:
        simulator.reindex(lane)
    if simulator.reports is not None:
        simulator.reports.dispatched(request, instance)
    if simulator.tell_dispatches:
        simulator.messenger.tell_scheduler(lane, "on_arrived", Arrived(request.id))


def _unrouted(simulator: "Simulator", action: Dispatch | Reject) -> Request:
    request = simulator.live.get(action.request)
    if request is None:
        raise IllegalAction(f"{action}: no live request {action.request}")
    if request.state != UNROUTED:
        assert request.lane is not None
        raise IllegalAction(f"{action}: request {request.id} is already on instance {simulator.place_of(request.lane)}")
    return request


def _preempt(simulator: "Simulator", lane: "SimLane", action: Preempt) -> None:
    request = simulator.live.get(action.request)
    if request is None or request.state != RUNNING or request.lane != lane.index:
        raise IllegalAction(f"{action}: must be running on instance {lane.instance}")
    if action.kv == "swap" and not simulator.settings.mechanisms.host_blocks:
        raise IllegalAction(f"{action}: kv must be 'drop' where there is no host memory for KV")
    simulator.log(lane.instance, log.PREEMPT, request.id, -1)
    lane.act(action, lane.index)


def _abort(simulator: "Simulator", action: Abort, who: int) -> None:
    request = simulator.live.get(action.request)
    if request is None:
        raise IllegalAction(f"{action}: no live request {action.request}")
    if action.keep_tokens:
        raise IllegalAction(f"{action}: keep_tokens must be false: only a rollout policy can resume the request")
    simulator.log(simulator.place_of(who), log.ABORT, request.id, -1)
    abort(simulator, request, action, who)


def abort(simulator: "Simulator", request: Request, action: Abort, who: int) -> None:
    """Stop a request: at once where it waits, at the next boundary where it runs."""
    if request.state == UNROUTED:
        simulator.cancelled(request, who)
        simulator.done(who, Done(action, ok=True))
        return
    assert request.lane is not None
    lane = simulator.lanes[request.lane]
    if request.state == RUNNING:
        lane.act(action, who)
        return
    lane.withdrawn(request)
    if simulator.indexes:
        simulator.reindex(lane)
    simulator.cancelled(request, who)
    simulator.done(who, Done(action, ok=True))


def _touch(simulator: "Simulator", lane: "SimLane", action: Touch) -> None:
    request = simulator.live.get(action.request)
    if request is None or request.state not in (WAITING, SWAPPED) or request.lane != lane.index:
        raise IllegalAction(f"{action}: must be waiting on instance {lane.instance}")
    simulator.log(lane.instance, log.TOUCH, request.id, -1)
    lane.touch(request)
    lane.refused = False
    lane.look_again()


def wake_at(simulator: "Simulator", action: WakeAt, who: int) -> None:
    """Set a timer for the router, the rollout policy or a lane. Raises IllegalAction."""
    clock = simulator.clock
    if not isfinite(action.time_s):
        raise IllegalAction(f"{action}: time_s must be a date")
    at_ps = max(to_ps(action.time_s), clock.now)
    timer = (who, at_ps, action.key)
    if timer in simulator.timers:
        raise IllegalAction(f"{action}: the same action is still in flight")
    simulator.timers.add(timer)
    Alarm(clock, at_ps - clock.now, lambda _: simulator.woke(timer), TIMERS + (who + 1) * _BY_WHO)


def names(actions: Iterable[type]) -> str:
    """Return the names of kinds of actions, in order, as a list in words."""
    return ", ".join(sorted(action.__name__ for action in actions))
