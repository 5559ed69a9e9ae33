"""Rollouts of a test: groups of given lengths, trained on a small cluster whose iterations take a second each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from policies.least_loaded import LeastLoaded
from policies.vllm_v1 import VllmV1
from simcore.contract import Arrivals, GroupView, Patience, Rollout, SampleView, Score
from simcore.results.schema import ROLLOUT_ROW
from simcore.simulator import RolloutSettings, Settings
from simcore.simulator.learning import TimedTrainer
from simcore.simulator.rollout import Rollouts
from simcore.simulator.settings import Outcome
from simcore.simulator.simulator import Simulator
from tests.property.draw import Flat

S = 10**12


@dataclass
class Prompts:
    """A workload: the output lengths of each group, behind prompts of `prompt` tokens. And a sink that keeps all."""

    lengths: Sequence[Sequence[int]]
    prompt: int = 1
    name: str = "given"
    source: str = "given"
    classes: tuple[str, ...] = ("default",)
    priorities: tuple[int, ...] = (0,)
    tools: tuple[str, ...] = ()
    patience: tuple[Patience, ...] = ()
    rate: float = 1.0
    kept: dict[str, list[Any]] = field(default_factory=dict)

    def pieces(self) -> Iterator[Arrivals]:
        half = len(self.lengths) // 2  # two pieces: groups are numbered across them
        for first, part in ((0, self.lengths[:half]), (half, self.lengths[half:])):
            output = np.array([tokens for group in part for tokens in group], np.int64)
            group = np.repeat(np.arange(first, first + len(part)), [len(group) for group in part])
            yield Arrivals(np.zeros_like(output), np.full_like(output, self.prompt), output, group=group)

    def __getattr__(self, name: str) -> Any:
        if name in ("requests", "steps", "gaps", "samples", "iterations", "decisions", "rollouts"):
            return lambda rows: self.kept.setdefault(name, []).extend(rows)
        raise AttributeError(name)


@dataclass
class Verdicts:
    """A judge that says what it is told.

    Args:
        rejected: groups the filter turns away.
        failing: by request, how often scoring it fails.
        took_s: seconds that scoring takes, by request; the others take none.
        rewards: by request; the others get 1.
    """

    rejected: frozenset[int] = frozenset()
    failing: dict[int, int] = field(default_factory=dict)
    took_s: dict[int, int] = field(default_factory=dict)
    rewards: dict[int, float] = field(default_factory=dict)

    def score(self, sample: SampleView, attempt: int) -> Score:
        took_ps = self.took_s.get(sample.request, 0) * S
        if attempt < self.failing.get(sample.request, 0):
            return Score(None, took_ps)
        return Score(self.rewards.get(sample.request, 1.0), took_ps)

    def accepts(self, group: GroupView) -> bool:
        return group.id not in self.rejected


@dataclass
class Ran:
    """What a run left."""

    simulator: Simulator
    outcome: Outcome
    steps: list[dict[str, int]]
    decisions: list[tuple[int, ...]]

    @property
    def rollouts(self) -> Rollouts:
        assert self.simulator.rollouts is not None
        return self.simulator.rollouts

    def times(self, name: str) -> list[float]:
        """Return a date of each step in seconds."""
        return [step[name] / S for step in self.steps]


def train(
    lengths: Sequence[Sequence[int]],
    make_rollout: Callable[[], Rollout],
    *,
    groups: int,
    steps: int = 1,
    prompt: int = 1,
    judge: Any = None,
    train_s: float = 10.0,
    weight_bytes: int = 0,
    load_s: float = 0.0,
    max_tokens: int | None = None,
    pause: bool = True,
    checkpoint: Callable[[dict[str, Any]], None] | None = None,
    resume: dict[str, Any] | None = None,
    **settings: Any,
) -> Ran:
    """Train on groups whose samples have these lengths; each training step takes `train_s`."""
    prompts = Prompts(lengths, prompt)
    trainer = TimedTrainer(lambda _tokens: train_s, weight_bytes, load_s)
    rollout = RolloutSettings(
        make_rollout,
        trainer,
        judge or Verdicts(),
        steps,
        groups,
        max_tokens,
        pause_for_weights=pause,
        checkpoint=checkpoint,
        resume=resume,
    )
    defaults: dict[str, Any] = {
        "instances": 1,
        "kv_blocks": 10_000,
        "cost": Flat(S, 0, 0, 0),
        "make_router": LeastLoaded,
        "make_scheduler": VllmV1,
        "record_decisions": True,
    }
    simulator = Simulator(Settings(**(defaults | settings), rollout=rollout), prompts, prompts)
    outcome = simulator.run()
    names = [column.name for column in ROLLOUT_ROW]
    rows = [dict(zip(names, row, strict=True)) for row in prompts.kept.get("rollouts", [])]
    return Ran(simulator, outcome, rows, prompts.kept.get("decisions", []))
