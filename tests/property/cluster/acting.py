"""What the plain cluster does for each action. Policies that are drawn here ask for legal things only."""

from functools import partial
from typing import Any

from simcore.contract import (
    Abort,
    Arrived,
    CancelDrain,
    Dispatch,
    Done,
    Drain,
    Migrate,
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
    Woke,
    to_ps,
)
from simcore.contract import decisions as log
from tests.property.cluster.migrating import PlainMigration
from tests.property.cluster.requests import PAUSED, RUNNING, UNROUTED


def start_for_router(cluster: Any, actions: tuple[Any, ...]) -> None:
    for action in actions:
        match action:
            case Dispatch():
                dispatch(cluster, action)
            case Reject():
                cluster.rejected(cluster.live[action.request], 1)
            case Abort():
                abort(cluster, action, -1)
            case WakeAt():
                wake_at(cluster, action, None)
            case Scale():
                for _ in range(action.instances):
                    cluster.boot(cluster.add_instance("mixed", "starting"), first_time=True)
            case Drain() | SetRole():
                instance = cluster.instances[action.instance]
                assert instance.state == "up"
                if isinstance(action, SetRole) and action.role == instance.role:
                    cluster.done(-1, Done(action, ok=True))
                    continue
                instance.state, instance.goal = "draining", action
                instance.see_if_empty()
            case CancelDrain():
                instance = cluster.instances[action.instance]
                assert instance.state == "draining"
                goal, instance.goal, instance.state = instance.goal, None, "up"
                cluster.overtaken(-1, goal, "cancelled")
            case Terminate():
                cluster.instances[action.instance].go_down(1)
            case SplitSMs():
                cluster.instances[action.instance].switch.ask(action)
            case Migrate():
                cluster.write(action.src, log.MIGRATE, -1 if action.request is None else action.request, action.dst)
                if any(other.action == action for other in cluster.migrations):
                    cluster.overtaken(-1, action, "in flight")
                else:
                    PlainMigration(cluster, action)
            case _:
                raise AssertionError(action)


def start_for_scheduler(lane: Any, actions: tuple[Any, ...]) -> None:
    cluster, here = lane.cluster, lane.instance.id
    for action in actions:
        match action:
            case Preempt():
                cluster.write(here, log.PREEMPT, action.request, -1)
                lane.ask(partial(lane.preempt, action), partial(cluster.overtaken, lane.index, action))
            case Abort():
                abort(cluster, action, lane.index)
            case Touch():
                request = cluster.live[action.request]
                cluster.write(here, log.TOUCH, request.id, -1)
                request.key = lane.scheduler.order(cluster.views.request(request))
                lane.sort()
                lane.changed()
                lane.wake()
            case PinKV():
                at_rest(lane, partial(pin, lane, action))
            case Unpin():
                at_rest(lane, partial(lane.instance.unpin, lane, action.key, 0))
            case WakeAt():
                wake_at(cluster, action, lane)
            case WakeAfter():
                lane.marks.append(lane.iterations + action.iterations)
            case WakeBelow():
                lane.lows.append(action.free_blocks)
            case _:
                raise AssertionError(action)


def dispatch(cluster: Any, action: Dispatch) -> None:
    request, instance = cluster.live[action.request], cluster.instances[action.instance]
    fresh = request.state == UNROUTED
    assert instance.state == "up", action
    assert instance.role in ("mixed", "prefill" if fresh else "decode"), action
    assert fresh or (request.state == PAUSED and request in request.lane.paused), action
    if instance.pool.blocks(request.prompt + request.output - 1) > instance.pool.total:
        cluster.rejected(request, 0)
        return
    most = cluster.mechanisms.max_waiting
    if most is not None and fresh and len(instance.waiting) >= most:
        cluster.rejected(request, 2)
        return
    cluster.write(instance.id, log.DISPATCH, request.id, -1)
    lane = instance.lanes[0]
    if not fresh:
        request.lane.hand_on(request)
        lane = instance.lanes[-1]
    request.number = instance.numbers
    instance.numbers += 1
    lane.enqueue(request)
    cluster.reports[instance.id].dispatched(request)
    cluster.tell(lane, "on_arrived", Arrived(request.id))


def abort(cluster: Any, action: Abort, who: int) -> None:
    request = cluster.live[action.request]
    cluster.write_for(who, log.ABORT, request.id)
    lane = request.lane
    if request.state == RUNNING:
        lane.ask(partial(lane.abort, action, who, request.id, "aborted"), partial(cluster.overtaken, who, action))
        return
    cluster.stop_waiting(request, "aborted")
    cluster.done(who, Done(action, ok=True))


def at_rest(lane: Any, do: Any) -> None:
    """Pins change at once where no iteration is under way."""
    if lane.busy:
        lane.ask(do)
    elif lane.standing:
        do()
    else:
        before, lane.freed = lane.freed, False
        do()
        lane.gave, lane.freed = lane.freed, lane.freed or before
        lane.wake()


def pin_key(cluster: Any, number: int) -> int:
    program: int = cluster.requests[number].program
    return program if program >= 0 else -1 - number


def pin(lane: Any, action: PinKV) -> None:
    cluster = lane.cluster
    if not lane.instance.works:
        cluster.overtaken(lane.index, action, "instance down")
        return
    request = cluster.requests[action.request]
    lane.instance.pin(lane, pin_key(cluster, action.request), request, to_ps(action.until_s))


def wake_at(cluster: Any, action: WakeAt, lane: Any) -> None:
    who = -1 if lane is None else lane.index
    at = max(to_ps(action.time_s), cluster.now)
    failures = cluster.router_failures

    def wake() -> None:
        if lane is None and failures != cluster.router_failures:
            return
        cluster.write_for(who, log.WOKE, -1)
        cluster.tell(lane, "on_woke", Woke(action.key))

    cluster.at(at, "timers", who, wake)
