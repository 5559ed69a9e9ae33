"""Synchronous rollouts: submit what a step needs, wait for all of it, train, publish; the baseline of every other.

Source: the loop of THUDM/slime@624b824a, `slime/rollout/sglang_rollout.py`, without partial rollouts.
Decides: how many groups are begun at a time; with more than a step needs, when the others are given up.
Leaves: which groups are accepted (the study's filter), and where samples run (the router).

Groups that the filter rejects are replaced as they come (dynamic sampling, DAPO, arXiv:2503.14476). `over_provision`
above 1 is over-sampling without recycling.
"""

from math import ceil

from simcore.contract import (
    Actions,
    Discard,
    Done,
    GroupCompleted,
    Rollout,
    RolloutOpened,
    RolloutView,
    Submit,
    Train,
    Trained,
    UpdateWeights,
)


class SynchronousRollout(Rollout):
    """Nothing of a step outlives it.

    Args:
        over_provision: groups submitted at a time, as a multiple of those a step needs, >= 1.

    Raises ValueError for an `over_provision` below 1.
    """

    def __init__(self, over_provision: float = 1.0) -> None:
        if over_provision < 1:
            raise ValueError(f"over_provision must be at least 1, got {over_provision:g}")
        self.over_provision = over_provision
        self.accepted: list[int] = []
        self.under_way = 0
        """Groups of this step that are not rejected: in flight, or accepted."""
        self.stopping: set[int] = set()

    def on_rollout_opened(self, view: RolloutView, fact: RolloutOpened) -> Actions:
        self.target, self.samples = fact.target_groups, fact.samples
        self.accepted = []
        self.under_way = 0
        return self._submit()

    def _submit(self) -> Actions:
        while self.under_way < self.target:
            groups = ceil(self.over_provision * self.target)
            self.under_way += groups
            yield Submit(groups, self.samples)

    def on_group_completed(self, view: RolloutView, fact: GroupCompleted) -> Actions:
        if self.stopping:
            return
        if not fact.accepted:
            self.under_way -= 1
            yield from self._submit()
            return
        self.accepted.append(fact.group)
        if len(self.accepted) == self.target:
            self.stopping = set(view.groups) - set(self.accepted)
            yield from map(Discard, sorted(self.stopping))
            if not self.stopping:
                yield Train(tuple(sorted(self.accepted)))

    def on_done(self, view: RolloutView, fact: Done) -> Actions:
        action = fact.action
        if isinstance(action, Submit):  # fewer prompts were left
            self.under_way -= action.groups - fact.kept
        elif isinstance(action, Discard):
            self.stopping.discard(action.group)
            if not self.stopping:
                yield Train(tuple(sorted(self.accepted)))

    def on_trained(self, view: RolloutView, fact: Trained) -> Actions:
        return (UpdateWeights(view.trained),)
