"""Rollout actions: what a rollout policy asks for, held against the contract, then started."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from simcore.books.request import PAUSED, RUNNING, UNROUTED, Request
from simcore.contract import (
    Abort,
    Action,
    Discard,
    IllegalAction,
    Resume,
    Submit,
    Train,
    UpdateWeights,
    WakeAt,
)
from simcore.contract import decisions as log
from simcore.simulator.actions import ROLLOUT, names, wake_at

if TYPE_CHECKING:
    from simcore.simulator.rollout import Rollouts
    from simcore.simulator.simulator import Simulator

ROLLOUT_STARTS: frozenset[type] = frozenset({Submit, Abort, Resume, Discard, Train, UpdateWeights, WakeAt})
"""Actions of a rollout policy that this backend can start."""


def start_for_rollout(simulator: "Simulator", rollouts: "Rollouts", actions: Iterable[Action] | None) -> None:
    """Start what the rollout policy asks for. Raises IllegalAction."""
    if actions is None:
        raise IllegalAction(f"{type(rollouts.policy).__name__}: a hook returns actions, () for none; got None")
    for action in tuple(actions):
        if type(action) not in rollouts.may:
            raise IllegalAction(f"{action}: this rollout policy may only {names(rollouts.may)}")
        if isinstance(action, Abort):
            _abort(simulator, rollouts, action)
        elif isinstance(action, Resume):
            rollouts.resume(action)
        elif isinstance(action, Submit):
            rollouts.submit(action)
        elif isinstance(action, Discard):
            rollouts.discard(action)
        elif isinstance(action, Train):
            rollouts.train(action)
        elif isinstance(action, UpdateWeights):
            rollouts.weights.publish(action)
        elif isinstance(action, WakeAt):
            wake_at(simulator, action, ROLLOUT)


def _abort(simulator: "Simulator", rollouts: "Rollouts", action: Abort) -> None:
    request = simulator.live.get(action.request)
    if request is None:
        raise IllegalAction(f"{action}: no live request {action.request}")
    if request.state == PAUSED and action.keep_tokens:
        raise IllegalAction(f"{action}: request {request.id} is paused")
    rollouts.stops(action)
    stop(simulator, rollouts, request, action)


def stop(simulator: "Simulator", rollouts: "Rollouts", request: Request, action: Abort) -> None:
    """Stop a sample: at once where it waits, at the next boundary where it runs."""
    lane = None if request.lane is None else simulator.lanes[request.lane]
    simulator.log(-1 if lane is None else lane.instance, log.ABORT, request.id, -1)
    if request.state == RUNNING:
        assert lane is not None
        lane.act(action, ROLLOUT)
        return
    if request.state not in (UNROUTED, PAUSED):
        assert lane is not None
        lane.withdrawn(request)
        if simulator.indexes:
            simulator.reindex(lane)
    rollouts.stopped(request, action)
