"""Scoring: from a response that is done to the verdict on its group: environment, reward, filter."""

from functools import partial
from typing import TYPE_CHECKING

from simcore.books.rollout import Group, Sample
from simcore.contract import GroupCompleted, SampleScored
from simcore.contract import decisions as log
from simcore.simulator.clock import TIMERS, Alarm

if TYPE_CHECKING:
    from simcore.simulator.rollout import Rollouts
    from simcore.simulator.simulator import Simulator

_SCORED = TIMERS + 0.25
_BY_ID = 2.0**-50


class Scoring:
    """What the judge of a run is asked, and what becomes of its answers."""

    def __init__(self, simulator: "Simulator", rollouts: "Rollouts") -> None:
        self._simulator = simulator
        self._rollouts = rollouts
        self._judge = rollouts.settings.judge
        self.under_way = 0

    def score(self, sample: Sample) -> None:
        """Have a response scored, unless its group is given up."""
        if sample.of.state != "open":
            return
        reward, took_ps = self._judge.score(sample, sample.attempts)
        if took_ps:
            self.under_way += 1
            scored = partial(self._has_been_scored, sample, reward)
            Alarm(self._simulator.clock, took_ps, scored, _SCORED + sample.request * _BY_ID)
        else:
            self._scored(sample, reward)

    def _has_been_scored(self, sample: Sample, reward: float | None, _: Alarm) -> None:
        self.under_way -= 1
        self._scored(sample, reward)

    def _scored(self, sample: Sample, reward: float | None) -> None:
        group, rollouts = sample.of, self._rollouts
        if group.state != "open":
            return
        if reward is None:
            sample.attempts += 1
            self._simulator.counts["scorings_failed"] += 1
            if sample.attempts < rollouts.settings.attempts:
                self.score(sample)
                return
        sample.stage, sample.reward = "scored", reward
        rollouts.tell("on_sample_scored", SampleScored(sample.request, group.id, reward))
        if reward is None:
            rollouts.fail(group)
        else:
            self.complete(group)

    def complete(self, group: Group) -> None:
        """Ask the filter, if all that is left of an open group is scored, and tell."""
        if group.state != "open" or not group.scored:
            return
        accepted = self._judge.accepts(group)
        self._simulator.log(-1, log.GROUP, group.id, int(accepted))
        if accepted:
            group.state = "accepted"
        else:
            self._rollouts.forget(group, "rejected")
        self._rollouts.tell("on_group_completed", GroupCompleted(group.id, accepted))
