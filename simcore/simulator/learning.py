"""Learning, simulated: a trainer that only takes time, and a judge that draws rewards from hashes.

What a sample is worth depends on its prompt and its number alone, so all systems meet the same rewards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log1p

from simcore.books.draw import seed_of, uniform
from simcore.contract import GroupView, SampleView, Score, to_ps

_JUDGE_DRAWS = 1 << 32
_SOLVABLE, _SOLVED, _FAILED, _TOOK = range(_JUDGE_DRAWS, _JUDGE_DRAWS + 4)


@dataclass(frozen=True, slots=True)
class TimedTrainer:
    """Takes time, learns nothing.

    Args:
        step_s: seconds of a training step over so many tokens, prompts included.
        weight_bytes: what a node receives of new weights.
        load_s: seconds until an instance that has them generates with them.
    """

    step_s: Callable[[int], float]
    weight_bytes: int = 0
    load_s: float = 0.0

    def train(self, step: int, groups: Sequence[GroupView]) -> int:
        tokens = sum(each.prompt_tokens + each.output_tokens for group in groups for each in group.samples)
        return to_ps(self.step_s(tokens))

    def publish(self, version: int) -> int:
        return self.weight_bytes

    def load(self, instance: int, version: int) -> int:
        return to_ps(self.load_s)


@dataclass(frozen=True, slots=True)
class HashJudge:
    """Draws rewards: 1 for a solved sample, 0 for others.

    Of the prompts a share `always` is solved by every sample, a share `never` by none; of the others each has a chance
    of its own, uniform in 0..1.

    Args:
        seed: the study's.
        seconds: mean time of environment and scoring.
        spread: "fixed": always that long; "exponential": exponentially distributed.
        fails: share of scorings that fail.
        filter: "dynamic" accepts only groups whose rewards differ (DAPO, arXiv:2503.14476); "none" all.
    """

    seed: int = 0
    always: float = 0.0
    never: float = 0.0
    seconds: float = 0.0
    spread: str = "fixed"
    fails: float = 0.0
    filter: str = "none"

    def score(self, sample: SampleView, attempt: int) -> Score:
        took_s = self.seconds
        if self.spread == "exponential":
            took_s *= -log1p(-self._draw(_TOOK, sample, attempt))
        if self.fails and self._draw(_FAILED, sample, attempt) < self.fails:
            return Score(None, to_ps(took_s))
        solved = self._draw(_SOLVED, sample) < self._chance(sample.group)
        return Score(float(solved), to_ps(took_s))

    def accepts(self, group: GroupView) -> bool:
        return self.filter == "none" or len({sample.reward for sample in group.samples}) > 1

    def _chance(self, group: int) -> float:
        place = uniform(seed_of(self.seed, _SOLVABLE), (group,))
        if place < self.never:
            return 0.0
        if place >= 1 - self.always:
            return 1.0
        return (place - self.never) / (1 - self.always - self.never)

    def _draw(self, purpose: int, sample: SampleView, *more: int) -> float:
        return uniform(seed_of(self.seed, purpose), (sample.group, sample.index, *more))
