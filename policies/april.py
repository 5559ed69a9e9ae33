"""APRIL: submit more groups than a step needs, stop when enough are complete, go on with the partial ones next time.

Source: arXiv:2509.18521; RLsys-Foundation/APRIL@a72b585 (`variant: ap`), THUDM/slime@624b824a (`variant: sl`).
Decides: how many groups are begun, when they are stopped, which partial ones go on first, what becomes of surplus.
Leaves: how a sample is stopped and resumed (docs/mechanisms.md), and where it runs (the router).

A group is accepted only when all its samples are done. The others wait in a buffer with what they have: their samples
are resumed from prompt and partial response, under new weights.
"""

from math import ceil
from typing import Any, Literal

from simcore.contract import (
    Abort,
    Actions,
    Discard,
    Done,
    GroupCompleted,
    Resume,
    Rollout,
    RolloutOpened,
    RolloutView,
    Submit,
    Train,
    Trained,
    UpdateWeights,
)

Surplus = Literal["discard", "buffer"]


class April(Rollout):
    """Over-provision, stop at the target, recycle.

    Args:
        over_provision: groups submitted at a time, as a multiple of those a step needs (alpha), >= 1.
        variant: "ap" drops a group that is complete in the wake-up that reached the target; "sl" keeps it.
        surplus: what becomes of such a group, whatever the variant; None: what the variant says.
        order: which groups of the buffer go on first: "fifo", or those begun "oldest".
        choose: "first": stop when enough groups are complete; "varied": when as many as are submitted at a time are,
            train on those whose rewards differ most, and discard the others (`over_sampling_filter`).

    Raises ValueError for an `over_provision` below 1, and for a word that is none of these.
    """

    def __init__(
        self,
        over_provision: float = 2.0,
        variant: Literal["ap", "sl"] = "sl",
        surplus: Surplus | None = None,
        order: Literal["fifo", "oldest"] = "fifo",
        choose: Literal["first", "varied"] = "first",
    ) -> None:
        if over_provision < 1:
            raise ValueError(f"over_provision must be at least 1, got {over_provision:g}")
        for name, value, known in (
            ("variant", variant, ("ap", "sl")),
            ("surplus", surplus, ("discard", "buffer", None)),
            ("order", order, ("fifo", "oldest")),
            ("choose", choose, ("first", "varied")),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(map(str, known))}, got {value!r}")
        self.over_provision = over_provision
        self.surplus: Surplus = surplus or ("discard" if variant == "ap" else "buffer")
        self.order = order
        self.choose = choose
        self.buffer: list[int] = []
        """Groups of earlier steps, complete or partial, in the order they came."""
        self.accepted: list[int] = []
        self.under_way = 0
        """Groups of this step that are not rejected: in flight, or accepted."""
        self.stopping: set[Abort] = set()
        self.reached_s: float | None = None
        """When enough groups were complete."""

    # -- a step begins -----------------------------------------------------------------------------------------------

    def on_rollout_opened(self, view: RolloutView, fact: RolloutOpened) -> Actions:
        self.wanted, self.samples = fact.target_groups, fact.samples
        self.at_a_time = ceil(self.over_provision * self.wanted)
        self.target = self.wanted if self.choose == "first" else self.at_a_time
        self.accepted = []
        self.under_way = 0
        self.reached_s = None
        yield from self._refill(view)
        yield from self._stop_if_reached(view)

    def _refill(self, view: RolloutView) -> Actions:
        while self.under_way < self.target:
            if self.order == "oldest":
                self.buffer.sort()
            taken, self.buffer = self.buffer[: self.at_a_time], self.buffer[self.at_a_time :]
            self.accepted += [number for number in taken if view.groups[number].state == "accepted"]
            if len(self.accepted) >= self.target:  # what began now could not be stopped with the others: they stop now
                return
            for number in taken:
                yield from map(Resume, view.groups[number].paused)
            if len(taken) < self.at_a_time:
                yield Submit(self.at_a_time - len(taken), self.samples)
            self.under_way += self.at_a_time

    # -- groups end --------------------------------------------------------------------------------------------------

    def on_group_completed(self, view: RolloutView, fact: GroupCompleted) -> Actions:
        if self.reached_s is not None:
            yield from self._late(view, fact)
        elif fact.accepted:
            self.accepted.append(fact.group)
            yield from self._stop_if_reached(view)
        else:
            self.under_way -= 1
            yield from self._refill(view)

    def _late(self, view: RolloutView, fact: GroupCompleted) -> Actions:
        """A group was complete when nobody waited for it any more."""
        same_wake_up = view.now_s == self.reached_s
        drop = fact.accepted and same_wake_up and self.surplus == "discard"
        if drop:
            yield Discard(fact.group)
        if fact.group in self.buffer and (drop or not fact.accepted):
            self.buffer.remove(fact.group)

    # -- enough groups -----------------------------------------------------------------------------------------------

    def _stop_if_reached(self, view: RolloutView) -> Actions:
        if len(self.accepted) < self.target:
            return
        self.reached_s = view.now_s
        running = sorted(request for group in view.groups.values() for request in group.in_flight)
        aborts = [Abort(request, keep_tokens=True) for request in running]
        self.stopping = set(aborts)
        yield from aborts
        if not aborts:
            yield from self._train(view)

    def on_done(self, view: RolloutView, fact: Done) -> Actions:
        if isinstance(fact.action, Submit):  # fewer prompts were left
            self.under_way -= fact.action.groups - fact.kept
        elif fact.action in self.stopping:
            self.stopping.discard(fact.action)
            if not self.stopping:
                yield from self._train(view)

    def _train(self, view: RolloutView) -> Actions:
        """Train on the groups chosen, and keep what else there is for the next step."""
        batch = self.accepted[: self.wanted]
        if self.choose == "varied":
            batch = sorted(self.accepted, key=lambda number: (-_spread(view, number), number))[: self.wanted]
            yield from [Discard(number) for number in self.accepted if number not in batch]
        gone = {*self.accepted} if self.choose == "varied" else {*batch}
        self.buffer += sorted(number for number in view.groups if number not in gone and number not in self.buffer)
        yield Train(tuple(sorted(batch)))

    def on_trained(self, view: RolloutView, fact: Trained) -> Actions:
        return (UpdateWeights(view.trained),)

    # -- an interrupted run ------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {"buffer": list(self.buffer)}

    def restore(self, state: dict[str, Any]) -> None:
        self.buffer = list(state["buffer"])


def _spread(view: RolloutView, group: int) -> float:
    rewards = [sample.reward or 0.0 for sample in view.groups[group].samples]
    return max(rewards) - min(rewards)
