"""Roles: the base classes of all policies. Override only what you decide; the rest is never called.

`on_*` hooks answer a fact with actions. The other methods of a `Scheduler` are questions: pure, they leave
`self` unchanged, so a backend may ask twice, early, or not at all. A policy never sleeps, blocks, reads a
clock, touches a device or draws from a global random generator; time is `view.now_s`.

A policy is built from keyword arguments alone, so a study names it: `{policy: power_of_two, choices: 3}`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from simcore.contract.actions import (
    Abort,
    Action,
    Discard,
    Dispatch,
    PinKV,
    Preempt,
    Reject,
    RequestId,
    Resume,
    Submit,
    Touch,
    Train,
    Unpin,
    UpdateWeights,
    WakeAfter,
    WakeAt,
    WakeBelow,
)
from simcore.contract.facts import (
    Arrived,
    Blocked,
    Cancelled,
    Done,
    Finished,
    FirstToken,
    GroupCompleted,
    InstanceDown,
    InstanceUp,
    Preempted,
    Prefilled,
    PriorityChanged,
    Rejected,
    RolloutOpened,
    RolloutStarved,
    SampleScored,
    Stepped,
    Trained,
    TurnEnded,
    WeightsUpdated,
    Woke,
)
from simcore.contract.rollouts import RolloutView
from simcore.contract.view import ClusterView, LaneView, RequestView

Actions = Iterable[Action]


class IllegalAction(ValueError):
    """A policy asked for something that is wrong by its own view; names the action, the rule and the value."""


class Policy:
    """What every role shares."""

    emits: ClassVar[frozenset[type]] = frozenset()
    """Action types the hooks may yield."""
    oracle: ClassVar[frozenset[str]] = frozenset()
    """Names of hidden truths the policy reads; the study must switch each on."""


class Router(Policy):
    """One per cluster: where a request goes; migration, scaling, draining, role changes."""

    emits: ClassVar[frozenset[type]] = frozenset({Dispatch, Reject, WakeAt})

    def on_start(self, view: ClusterView) -> Actions:
        """Called once, before anything else happens."""
        return ()

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        """A request left unrouted stays so until a later hook dispatches it."""
        return ()

    def on_rejected(self, view: ClusterView, fact: Rejected) -> Actions:
        return ()

    def on_first_token(self, view: ClusterView, fact: FirstToken) -> Actions:
        return ()

    def on_prefilled(self, view: ClusterView, fact: Prefilled) -> Actions:
        """A request left undispatched keeps its KV where it is. Needed where an instance's role is "prefill"."""
        return ()

    def on_finished(self, view: ClusterView, fact: Finished) -> Actions:
        return ()

    def on_preempted(self, view: ClusterView, fact: Preempted) -> Actions:
        return ()

    def on_cancelled(self, view: ClusterView, fact: Cancelled) -> Actions:
        return ()

    def on_turn_ended(self, view: ClusterView, fact: TurnEnded) -> Actions:
        return ()

    def on_instance_up(self, view: ClusterView, fact: InstanceUp) -> Actions:
        return ()

    def on_instance_down(self, view: ClusterView, fact: InstanceDown) -> Actions:
        return ()

    def on_done(self, view: ClusterView, fact: Done) -> Actions:
        return ()

    def on_woke(self, view: ClusterView, fact: Woke) -> Actions:
        return ()


Admit = Literal["yes", "no", "hold"]
"""Answer to `Scheduler.admit`: take it; skip it and ask about the next; admit nobody more for now."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A whole iteration, chosen by the scheduler: `decodes` each gain one token, `prefills` are (request, tokens).

    Those it wants to `preempt` lose their KV and their place first; then nobody is admitted in this iteration.
    """

    decodes: Sequence[RequestId]
    prefills: Sequence[tuple[RequestId, int]]
    preempt: Sequence[RequestId] = ()


class Scheduler(Policy):
    """One per lane of an instance: who runs next, who yields, how large a chunk.

    Args (of every scheduler):
        max_num_batched_tokens: tokens one iteration may process, prefill and decode together.
        max_num_seqs: requests that may run at once; at most `max_num_batched_tokens`.
        reserve_full_prompt: admit a request only when its whole prompt fits the free KV, not just its next chunk.
    """

    emits: ClassVar[frozenset[type]] = frozenset({Preempt, Abort, Touch, PinKV, Unpin, WakeAt, WakeAfter, WakeBelow})

    def __init__(
        self, *, max_num_batched_tokens: int = 2048, max_num_seqs: int = 256, reserve_full_prompt: bool = True
    ) -> None:
        if max_num_seqs < 1:
            raise ValueError(f"max_num_seqs must be >= 1, got {max_num_seqs}")
        if max_num_batched_tokens < max_num_seqs:
            rule = f"must be >= max_num_seqs ({max_num_seqs})"
            raise ValueError(f"max_num_batched_tokens {rule}, got {max_num_batched_tokens}")
        self.max_num_batched_tokens = max_num_batched_tokens
        self.max_num_seqs = max_num_seqs
        self.reserve_full_prompt = reserve_full_prompt

    # -- questions: pure --------------------------------------------------------------------------------

    def order(self, request: RequestView) -> Any:
        """Return the key by which waiting requests queue, smallest first; ties go to the earlier enqueued.

        Read when the request is enqueued and on `Touch`. The default is first come, first served.
        """
        return 0

    def admit(self, view: LaneView, request: RequestView) -> Admit:
        """May this waiting request, next in order and fitting, start now?

        After "no" or "hold" the question is asked again at the next boundary that follows an arrival, a
        departure, a freed block, a `Touch` or a `Stepped`; and while the token budget ran out before the queue did.
        """
        return "yes"

    def victim(self, view: LaneView) -> RequestId | None:
        """Which running request yields when KV runs out? `None`: the newest."""
        return None

    def spill(self, view: LaneView, request: RequestView) -> Literal["drop", "swap"] | None:
        """What becomes of the KV of this victim? `None`: as `mechanism.preemption` says.

        A swap is a drop all the same while the request prefills, or where the host has no room.
        """
        return None

    def pick_migrant(self, view: LaneView) -> RequestId | None:
        """Which request leaves when the router migrates from here without naming one?"""
        return None

    def batch(self, view: LaneView) -> Batch:
        """Build the whole next iteration. Overriding it turns the other questions off; asked at every boundary."""
        raise TypeError(f"{type(self).__name__} does not build whole batches")

    # -- reactions ----------------------------------------------------------------------------------------

    def on_start(self, view: LaneView) -> Actions:
        """Called once: before anything else happens, or when an instance that was added comes up."""
        return ()

    def on_arrived(self, view: LaneView, fact: Arrived) -> Actions:
        """A request was dispatched to this lane."""
        return ()

    def on_first_token(self, view: LaneView, fact: FirstToken) -> Actions:
        return ()

    def on_finished(self, view: LaneView, fact: Finished) -> Actions:
        return ()

    def on_preempted(self, view: LaneView, fact: Preempted) -> Actions:
        return ()

    def on_cancelled(self, view: LaneView, fact: Cancelled) -> Actions:
        return ()

    def on_turn_ended(self, view: LaneView, fact: TurnEnded) -> Actions:
        return ()

    def on_priority_changed(self, view: LaneView, fact: PriorityChanged) -> Actions:
        return ()

    def on_stepped(self, view: LaneView, fact: Stepped) -> Actions:
        return ()

    def on_blocked(self, view: LaneView, fact: Blocked) -> Actions:
        return ()

    def on_done(self, view: LaneView, fact: Done) -> Actions:
        return ()

    def on_woke(self, view: LaneView, fact: Woke) -> Actions:
        return ()


class Rollout(Policy):
    """RL rollouts: what to generate, when to stop, what to do with partial responses, when weights move.

    Where a sample runs, fresh or resumed, is the router's to say: to it both have `Arrived`.
    """

    emits: ClassVar[frozenset[type]] = frozenset({Submit, Abort, Resume, Discard, Train, UpdateWeights, WakeAt})

    def on_start(self, view: RolloutView) -> Actions:
        """Called once, before anything else happens."""
        return ()

    def on_rollout_opened(self, view: RolloutView, fact: RolloutOpened) -> Actions:
        return ()

    def on_rollout_starved(self, view: RolloutView, fact: RolloutStarved) -> Actions:
        """A hook that starts nothing ends the run."""
        return ()

    def on_sample_scored(self, view: RolloutView, fact: SampleScored) -> Actions:
        return ()

    def on_group_completed(self, view: RolloutView, fact: GroupCompleted) -> Actions:
        return ()

    def on_trained(self, view: RolloutView, fact: Trained) -> Actions:
        return ()

    def on_weights_updated(self, view: RolloutView, fact: WeightsUpdated) -> Actions:
        return ()

    def on_done(self, view: RolloutView, fact: Done) -> Actions:
        return ()

    def on_woke(self, view: RolloutView, fact: Woke) -> Actions:
        return ()

    def state(self) -> dict[str, Any]:
        """Return what must outlive an interruption between two steps, as JSON; `restore` takes it."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from the `state` of a policy with the same arguments. Called before `on_start`."""


def overrides(policy: Policy, method: str) -> bool:
    """Return whether `policy` defines `method` itself; hooks it leaves alone are never called.

    >>> overrides(Router(), "on_arrived")
    False
    """
    for role in (Router, Scheduler, Rollout):
        if isinstance(policy, role):
            return getattr(type(policy), method) is not getattr(role, method)
    raise TypeError(f"{type(policy).__name__} is neither a Router, a Scheduler nor a Rollout")
