"""Actions: what a policy asks a backend to start. Imperative, frozen, compared by value.

An action takes effect after the hook that yielded it returns. One that says so ends in exactly one
`Done(action, ok, why, kept)`; of the others facts tell. A backend lists the actions it can start (`starts`), a policy
those it may yield (`emits`); a mismatch fails when the study is read, never in the middle of a run.
"""

from collections.abc import Hashable
from typing import Literal

from simcore.contract.values import value as action

RequestId = int
InstanceId = int

# -- where a request goes (router, rollout) ----------------------------------------------------------


@action
class Dispatch:
    """Put an unrouted request into the waiting queue of `instance`. Immediate: no `Done` unless refused.

    After `Prefilled`, its KV is copied from the instance that computed it once `instance` has room.
    """

    request: RequestId
    instance: InstanceId


@action
class Reject:
    """Turn an unrouted request away (admission control). It is counted, never silently dropped."""

    request: RequestId


@action
class Migrate:
    """Move a request, waiting or running, from `src` to `dst`. How: `mechanism.migration`. Ends in `Done`.

    Without a `request`, the scheduler of `src` picks one (`pick_migrant`).
    """

    src: InstanceId
    dst: InstanceId
    request: RequestId | None = None


# -- who runs next (scheduler) -----------------------------------------------------------------------


@action
class Preempt:
    """Take a running request out at the next boundary: drop its KV, or swap it to the host. Ends in `Done`."""

    request: RequestId
    kv: Literal["drop", "swap"] = "drop"


@action
class Resume:
    """Bring a paused request back: it arrives again, and the router says where it goes on. No `Done`.

    After an `Abort(keep_tokens=True)`: the KV of its prompt and of its tokens is computed again.
    """

    request: RequestId


@action
class Touch:
    """Read `order(request)` again: its place in the waiting queue may have changed."""

    request: RequestId


@action
class PinKV:
    """Keep the KV of a request that ended at this boundary, or of its program's last turn, until the date `until_s`.

    The pin goes at the first boundary at or after that date, with `Unpin`, or when the program's next turn starts to
    run here; what it held stays in the prefix cache. A new pin of the same program takes the place of the old one.
    Needs a prefix cache. No `Done`, unless the instance has just gone down.
    """

    request: RequestId
    until_s: float


@action
class Unpin:
    """Give up a pin before its date; `key` is that of `LaneView.pins`: a program, or -1 - request."""

    key: int


@action
class SplitSMs:
    """Share out an instance's SMs to its lanes: percentages of 1..100 each, in sum also more. Ends in `Done`."""

    instance: InstanceId
    prefill_pct: int
    decode_pct: int


# -- what is generated, and under which weights (rollout) ---------------------------------------------


@action
class Submit:
    """Start `groups` new groups of `samples` responses each, from the next prompts; their requests arrive.

    No `Done`, unless there are fewer prompts left: those are started, and `Done(ok=False, kept=how many)` follows.
    """

    groups: int
    samples: int


@action
class Abort:
    """Stop a request; ends in `Done`. With `keep_tokens` (rollout) it is paused, and `Resume` lets it go on from them.

    A sample of a rollout that is aborted for good is no more of its group.
    """

    request: RequestId
    keep_tokens: bool = False


@action
class Discard:
    """Give up a group; what of it is under way is aborted for good. Ends in `Done` once nothing of it runs."""

    group: int


@action
class Train:
    """Run one training step on these complete, accepted groups. Ends in `Done`, then `Trained`."""

    groups: tuple[int, ...]


@action
class UpdateWeights:
    """Publish the trainer's weights `version`; each instance tells `WeightsUpdated`. Ends in `Done` when all have them.

    Each instance goes over to them at a boundary. What runs there goes on, its KV that of the old weights.
    """

    version: int


# -- the fleet (router) ------------------------------------------------------------------------------


@action
class Scale:
    """Boot `instances` more mixed instances. No `Done`: `InstanceUp` follows for each after its boot time."""

    instances: int


@action
class Drain:
    """Send nothing more to an instance; when its last request has left, it goes down, and `Done`."""

    instance: InstanceId


@action
class CancelDrain:
    """Put a draining instance back to work. No `Done`, but that of the `Drain` or `SetRole`, which came to nothing."""

    instance: InstanceId


@action
class Terminate:
    """Shut an instance down at once; what is still on it is requeued or failed, as `mechanism.lost` says.

    No `Done`: `InstanceDown` follows, then `Arrived` or `Cancelled` of each request.
    """

    instance: InstanceId


@action
class SetRole:
    """Change what an instance serves, once its last request has left; until then it takes no more. Ends in `Done`."""

    instance: InstanceId
    role: Literal["mixed", "prefill", "decode"]


# -- when to think again (all) -----------------------------------------------------------------------


@action
class WakeAt:
    """Ask for `Woke(key)` at the date `time_s` (rounded to a picosecond, never before now)."""

    time_s: float
    key: Hashable


@action
class WakeAfter:
    """Scheduler only: ask for `Stepped` once `iterations` (>= 1) more iterations of this lane have ended.

    Several may be in flight; one `Stepped` answers all that are due.
    """

    iterations: int


@action
class WakeBelow:
    """Scheduler only: ask for `Stepped` at the first boundary with fewer than `free_blocks` free KV blocks.

    Several may be in flight; one `Stepped` answers all that are due.
    """

    free_blocks: int


Action = (
    Dispatch
    | Reject
    | Migrate
    | Preempt
    | Resume
    | Touch
    | PinKV
    | Unpin
    | SplitSMs
    | Submit
    | Abort
    | Discard
    | Train
    | UpdateWeights
    | Scale
    | Drain
    | CancelDrain
    | Terminate
    | SetRole
    | WakeAt
    | WakeAfter
    | WakeBelow
)
