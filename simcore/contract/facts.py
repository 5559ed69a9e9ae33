"""Facts: what a backend tells a policy. Past tense, frozen, each with a semantic cause.

How a backend splits its work into steps is not a fact: the simulator may run a thousand iterations in one
event and the engine one by one, and both report the same facts at the same boundaries.
"""

from collections.abc import Hashable
from typing import Literal

from simcore.contract.actions import Action, InstanceId, RequestId
from simcore.contract.values import value as fact


@fact
class Arrived:
    """A request reached the cluster, or lost its instance and all its KV; nobody has routed it yet."""

    request: RequestId


@fact
class Rejected:
    """A request was turned away: `why` is "too_long" (can never fit), "policy" (a `Reject`) or "queue_full"."""

    request: RequestId
    why: str


@fact
class FirstToken:
    """The first output token of a request came out at this boundary; with `schedule_ahead`, at the one before."""

    request: RequestId
    instance: InstanceId


@fact
class Prefilled:
    """The prompt of a request is through on an instance that only prefills; its KV waits there for a `Dispatch`."""

    request: RequestId
    instance: InstanceId


@fact
class Finished:
    """The last of `output_tokens` output tokens of a request came out; its KV is free again."""

    request: RequestId
    instance: InstanceId
    output_tokens: int


@fact
class Preempted:
    """A running request lost its place. `kv` says what became of its KV."""

    request: RequestId
    instance: InstanceId
    kv: Literal["drop", "swap"]


@fact
class Cancelled:
    """A request was stopped for good.

    `why`: "client" or "timeout" (the client gave up), "aborted" (an `Abort`), "failed" (its instance went down).
    """

    request: RequestId
    why: str


@fact
class TurnEnded:
    """A program's turn ended in a call of `tool` ("": none). Whether another turn follows is not known."""

    request: RequestId
    program: int
    tool: str


@fact
class PriorityChanged:
    """New priorities are in force (epoch number `epoch`); every waiting key is read again."""

    epoch: int


@fact
class Stepped:
    """Answers `WakeAfter` and `WakeBelow`: the lane has completed `iteration` iterations since its start."""

    instance: InstanceId
    lane: int
    iteration: int


@fact
class Blocked:
    """A lane stands idle with a queue: `request`, next in order, does not fit, and nothing under way will free KV.

    Told once, until something changes.
    """

    instance: InstanceId
    lane: int
    request: RequestId


@fact
class InstanceUp:
    """An instance is ready for work."""

    instance: InstanceId


@fact
class InstanceDown:
    """An instance is gone: `why` is "drained", "terminated" or "failed"."""

    instance: InstanceId
    why: str


@fact
class RolloutOpened:
    """The trainer is free for step `step` (from 0), and wants `target_groups` complete groups of `samples` responses.

    Told at the start, and whenever a step has ended, what was aborted behind it stands, and the weights are out.
    """

    step: int
    target_groups: int
    samples: int


@fact
class RolloutStarved:
    """Nothing is under way, and so nothing will happen: step `step` has `complete` of its `target_groups` groups.

    Prompts have run out, or nobody submits any. A rollout that answers nothing ends the run.
    """

    step: int
    target_groups: int
    complete: int


@fact
class SampleScored:
    """A response is done and has its reward; None: scoring failed as often as it was tried, and its group with it."""

    request: RequestId
    group: int
    reward: float | None


@fact
class GroupCompleted:
    """All samples of `group` are done and scored; `accepted` is the filter's verdict. Of a failed group, it is no."""

    group: int
    accepted: bool


@fact
class Trained:
    """Training step `step` ended."""

    step: int


@fact
class WeightsUpdated:
    """Weights `version` are live on `instance`; tokens from now on carry it."""

    instance: InstanceId
    version: int


@fact
class Done:
    """The outcome of an action that took time, or of one overtaken by events (`ok` false, `why` says how).

    `kept` counts what survived: tokens after an `Abort`, blocks on the host after a `Preempt`.
    """

    action: Action
    ok: bool
    why: str = ""
    kept: int = 0


@fact
class Woke:
    """Answers a `WakeAt`."""

    key: Hashable


Fact = (
    Arrived
    | Rejected
    | FirstToken
    | Prefilled
    | Finished
    | Preempted
    | Cancelled
    | TurnEnded
    | PriorityChanged
    | Stepped
    | Blocked
    | InstanceUp
    | InstanceDown
    | RolloutOpened
    | RolloutStarved
    | SampleScored
    | GroupCompleted
    | Trained
    | WeightsUpdated
    | Done
    | Woke
)
