"""Staleness gate: generate all the time, but begin only so many groups ahead of the training they are for.

Source: AReaL, arXiv:2505.24298; inclusionAI/AReaL@4aef98d8, `areal/infra/staleness_manager.py`.
Decides: how many groups are begun, when the trainer trains, that generation is interrupted for new weights.
Leaves: how a sample is stopped and resumed (docs/mechanisms.md), and where it runs (the router).

The gate bounds the mean staleness, not that of one sample: a step takes the oldest groups that are complete, and never
waits for one that is not. `eta` 0 is synchronous.
"""

from simcore.contract import (
    Abort,
    Actions,
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


class StalenessGate(Rollout):
    """Asynchronous rollouts with a bounded lead.

    Args:
        eta: how many training steps generation may be ahead, >= 0.
        max_running: most groups that generate at once, as a multiple of those a step needs, > 0.

    Raises ValueError for numbers out of bounds.
    """

    def __init__(self, eta: int = 1, max_running: float = 2.0) -> None:
        if eta < 0:
            raise ValueError(f"eta must be at least 0, got {eta}")
        if max_running <= 0:
            raise ValueError(f"max_running must be above 0, got {max_running:g}")
        self.eta = eta
        self.max_running = max_running
        self.running = 0
        self.accepted = 0
        """Groups accepted since the run began."""
        self.ready: set[int] = set()
        self.wants = False
        self.stopping: set[Abort] = set()
        self.exhausted = False

    def capacity(self, version: int) -> int:
        """Return how many groups may begin when the trainer has trained `version` steps."""
        most = round(self.max_running * self.target)
        return min(most - self.running, (self.eta + version + 1) * self.target - self.accepted - self.running)

    def on_rollout_opened(self, view: RolloutView, fact: RolloutOpened) -> Actions:
        self.target, self.samples = fact.target_groups, fact.samples
        self.wants = True
        yield from self._submit(view)
        yield from self._train()

    def _submit(self, view: RolloutView) -> Actions:
        groups = self.capacity(view.trained)
        if groups > 0 and not self.exhausted:
            self.running += groups
            yield Submit(groups, self.samples)

    def _train(self) -> Actions:
        if self.wants and len(self.ready) >= self.target:
            self.wants = False
            oldest = sorted(self.ready)[: self.target]
            self.ready -= set(oldest)
            yield Train(tuple(oldest))

    def on_group_completed(self, view: RolloutView, fact: GroupCompleted) -> Actions:
        self.running -= 1
        if fact.accepted:
            self.accepted += 1
            self.ready.add(fact.group)
        yield from self._train()
        if not self._updating(view):
            yield from self._submit(view)

    def _updating(self, view: RolloutView) -> bool:
        return view.trained > view.version

    # -- new weights -------------------------------------------------------------------------------------------------

    def on_trained(self, view: RolloutView, fact: Trained) -> Actions:
        running = sorted(request for group in view.groups.values() for request in group.in_flight)
        aborts = [Abort(request, keep_tokens=True) for request in running]
        self.stopping = set(aborts)
        yield from aborts
        if not aborts:
            yield UpdateWeights(view.trained)

    def on_done(self, view: RolloutView, fact: Done) -> Actions:
        if isinstance(fact.action, Submit):  # fewer prompts were left
            self.running -= fact.action.groups - fact.kept
            self.exhausted = True
        elif fact.action in self.stopping:
            self.stopping.discard(fact.action)
            if not self.stopping:
                yield UpdateWeights(view.trained)
        elif isinstance(fact.action, UpdateWeights):
            for group in view.groups.values():
                yield from map(Resume, group.paused)
