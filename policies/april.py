"""APRIL: submit more groups than a step needs, stop when enough are complete, go on with the partial ones next time.

Active partial rollouts (arXiv:2509.18521), after RLsys-Foundation/APRIL@a72b585 (`variant: ap`) and its successor in
THUDM/slime@624b824a (`variant: sl`). A group is accepted only when all its samples are done; the others wait in a
buffer with what they have, and their samples are resumed from prompt and partial response under new weights.
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

    Raises ValueError for an `over_provision` below 1, and for a word that is none of these.
    """

    def __init__(
        self,
        over_provision: float = 2.0,
        variant: Literal["ap", "sl"] = "sl",
        surplus: Surplus | None = None,
        order: Literal["fifo", "oldest"] = "fifo",
    ) -> None:
        if over_provision < 1:
            raise ValueError(f"over_provision must be at least 1, got {over_provision:g}")
        for name, value, known in (
            ("variant", variant, ("ap", "sl")),
            ("surplus", surplus, ("discard", "buffer", None)),
            ("order", order, ("fifo", "oldest")),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(map(str, known))}, got {value!r}")
        self.over_provision = over_provision
        self.surplus: Surplus = surplus or ("discard" if variant == "ap" else "buffer")
        self.order = order
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
        self.target, self.samples = fact.target_groups, fact.samples
        self.accepted = []
        self.under_way = 0
        self.reached_s = None
        yield from self._refill(view)
        yield from self._stop_if_reached(view)

    def _refill(self, view: RolloutView) -> Actions:
        most = ceil(self.over_provision * self.target)
        while self.under_way < self.target:
            if self.order == "oldest":
                self.buffer.sort()
            taken, self.buffer = self.buffer[:most], self.buffer[most:]
            for number in taken:
                group = view.groups[number]
                if group.state == "accepted":
                    self.accepted.append(number)
                yield from map(Resume, group.paused)
            if len(taken) < most:
                yield Submit(most - len(taken), self.samples)
            self.under_way += most

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
        if fact.group in self.buffer:
            if not fact.accepted:
                self.buffer.remove(fact.group)
        elif fact.accepted and self.surplus == "discard" and view.now_s == self.reached_s:
            yield Discard(fact.group)

    # -- enough groups -----------------------------------------------------------------------------------------------

    def _stop_if_reached(self, view: RolloutView) -> Actions:
        if len(self.accepted) < self.target:
            return
        self.reached_s = view.now_s
        self.stopping = {
            Abort(request, keep_tokens=True) for group in view.groups.values() for request in group.in_flight
        }
        yield from sorted(self.stopping, key=lambda abort: abort.request)
        if not self.stopping:
            yield self._train(view)

    def on_done(self, view: RolloutView, fact: Done) -> Actions:
        if isinstance(fact.action, Submit):  # fewer prompts were left
            self.under_way -= fact.action.groups - fact.kept
        elif isinstance(fact.action, Abort):
            self.stopping.discard(fact.action)
            if not self.stopping:
                yield self._train(view)

    def _train(self, view: RolloutView) -> Train:
        """Keep what is left for the next step, and train on the first groups that were complete."""
        batch, spare = self.accepted[: self.target], self.accepted[self.target :]
        here = {*batch, *self.buffer}
        self.buffer += sorted(number for number in view.groups if number not in here)
        assert set(spare) <= set(self.buffer)
        return Train(tuple(sorted(batch)))

    def on_trained(self, view: RolloutView, fact: Trained) -> Actions:
        return (UpdateWeights(view.trained),)

    # -- an interrupted run ------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {"buffer": list(self.buffer)}

    def restore(self, state: dict[str, Any]) -> None:
        self.buffer = list(state["buffer"])
