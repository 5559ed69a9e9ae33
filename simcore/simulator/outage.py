"""Outage: an instance goes down, and what becomes of all that was on it, or on its way to it or from it.

First the books of all that is lost, then the facts: whoever hears one sees an instance that is down and empty.
"""

from functools import partial
from typing import TYPE_CHECKING, Literal

from simcore.books.outage import lose_fetch, lose_source, take_all, without_kv
from simcore.books.request import CANCELLED, FAILED, UNROUTED, WAITING, Request
from simcore.contract import Abort, Arrived, Cancelled, Done, InstanceDown
from simcore.contract import decisions as log
from simcore.simulator.actions import INSTANCE_DOWN, ROLLOUT, ROUTER
from simcore.simulator.clients import WHY
from simcore.simulator.rollout_actions import stop
from simcore.simulator.tiered_stepper import SimTieredLane

if TYPE_CHECKING:
    from simcore.simulator.instance import SimInstance
    from simcore.simulator.simulator import Simulator
    from simcore.simulator.stepper import SimLane

Cause = Literal["drained", "terminated", "failed"]
CAUSES: tuple[Cause, ...] = ("drained", "terminated", "failed")


def go_down(simulator: "Simulator", instance: "SimInstance", cause: Cause) -> None:
    """Take an instance down, at once.

    Told are, in this order: first tokens that were still to be told, and who had given the last token; `InstanceDown`;
    the `Done` of each action that waited for a boundary, a drain or a switch; then, of each request that is lost, that
    it arrives again, or is stopped for good.
    """
    instance.state = "down"
    instance.epoch += 1
    instance.catch_up()
    _end_copies(simulator, instance)
    _leave_without_kv(simulator, instance)
    overtaken: list[tuple[int, Done]] = []
    given_up: dict[int, int] = {}
    stopped: dict[int, list[Abort]] = {}
    lost: list[Request] = []
    ended: list[tuple[SimLane, list[Request], list[Request]]] = []
    for lane in instance.lanes:
        for action, who in lane.pending:
            if isinstance(action, Abort) and who == ROLLOUT:
                stopped.setdefault(action.request, []).append(action)
            elif isinstance(action, Abort) and who < ROUTER:
                given_up[action.request] = who  # there is no boundary left to wait for
            elif not callable(action):
                overtaken.append((who, Done(action, ok=False, why=INSTANCE_DOWN)))
        gone, finished = take_all(lane, lane.started)
        lost += gone
        ended.append((lane, lane.stop(), finished))
    if instance.splitting is not None:
        switch, who = instance.splitting
        overtaken.append((who, Done(switch, ok=False, why=INSTANCE_DOWN)))
    if instance.draining is not None:
        overtaken.append((ROUTER, Done(instance.draining, ok=False, why=INSTANCE_DOWN)))
    instance.clear(simulator.settings.mechanisms.sm_split)
    for request in lost:
        if simulator.rollouts is not None:
            simulator.rollouts.displaced(request, instance.id)
        _write_off(simulator, instance, request, cancelled=request.id in given_up)
    simulator.fleet.changed(instance)
    if simulator.rollouts is not None:
        simulator.rollouts.weights.went_down(instance)

    for lane, firsts, finished in ended:
        still = [request for request in firsts if request.state not in (CANCELLED, FAILED)]
        if still or finished:
            simulator.ended(lane, still, finished, simulator.clock.now)
    simulator.counts[f"instances_{cause}"] += 1
    simulator.log(instance.id, log.DOWN, -1, CAUSES.index(cause))
    simulator.messenger.tell_router("on_instance_down", InstanceDown(instance.id, cause))
    for who, done in overtaken:
        simulator.done(who, done)
    _stop_samples(simulator, stopped)
    for request in lost:
        if request.id in stopped:
            continue
        if request.state == UNROUTED:
            simulator.messenger.tell_router("on_arrived", Arrived(request.id))
        else:
            why = WHY[given_up[request.id]] if request.id in given_up else "failed"
            simulator.messenger.tell_router("on_cancelled", Cancelled(request.id, why))


def _stop_samples(simulator: "Simulator", stopped: dict[int, list[Abort]]) -> None:
    """Stop the samples of a rollout that were to be stopped at a boundary which does not come."""
    for request_id, actions in stopped.items():
        for action in actions:
            request = simulator.live.get(request_id)
            if request is None:
                simulator.done(ROLLOUT, Done(action, ok=False, why=INSTANCE_DOWN))
            else:
                assert simulator.rollouts is not None
                stop(simulator, simulator.rollouts, request, action)


def _write_off(simulator: "Simulator", instance: "SimInstance", request: Request, cancelled: bool) -> None:
    """Book the loss of a request: it waits for a router, or has ended."""
    if cancelled:
        simulator.log(instance.id, log.ABORTED, request.id, 0)
        simulator.close(request, CANCELLED)
        simulator.outcome.cancelled += 1
        return
    simulator.log(instance.id, log.LOST, request.id, request.generated)
    if simulator.settings.mechanisms.lost == "failed":
        simulator.close(request, FAILED)
        simulator.outcome.failed += 1
    else:
        without_kv(request)
        simulator.counts["requests_requeued"] += 1


def _end_copies(simulator: "Simulator", instance: "SimInstance") -> None:
    """Stop the copies to and from an instance; at the other end, what was reserved or kept is given back."""
    for copy, (transfer, src, dst) in list(simulator.copying.items()):
        if instance.id not in (src, dst):
            continue
        simulator.network.cancel(transfer)
        del simulator.copying[copy]
        if dst != instance.id:
            assert copy.request.lane is not None
            there = simulator.lanes[copy.request.lane]
            assert isinstance(there, SimTieredLane)
            there.later(partial(lose_fetch, there, copy.request))
    for lane in instance.lanes:
        if isinstance(lane, SimTieredLane):
            for request in (*lane.queue_view(), *sorted(lane.arriving, key=lambda request: request.id)):
                source = None if request.held is None else request.held.source
                if isinstance(source, SimTieredLane) and request in source.outgoing:
                    source.later(partial(source.fetched_from, request))


def _leave_without_kv(simulator: "Simulator", instance: "SimInstance") -> None:
    """Let those who wait on other instances, and have their KV on this one, know that it is gone."""
    for lane in instance.lanes:
        for request in lane.outgoing if isinstance(lane, SimTieredLane) else ():
            held = request.held
            assert held is not None
            if held.source is lane and request.lane != lane.index and request.state == WAITING:
                assert request.lane is not None
                there = simulator.lanes[request.lane]
                assert isinstance(there, SimTieredLane)
                lose_source(there, request)
                there.look_again()
                if simulator.indexes:
                    simulator.reindex(there)
