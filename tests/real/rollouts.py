"""Rollouts: small runs of reinforcement learning, for tests of what learns and of what must not be lost."""

from typing import Any

import numpy as np

from policies.april import April
from policies.least_loaded import LeastLoaded
from policies.vllm_v1 import VllmV1
from simcore.contract import Arrivals
from simcore.cost import Affine
from simcore.simulator.learning import HashJudge, TimedTrainer
from simcore.simulator.rollout_settings import RolloutSettings
from simcore.simulator.settings import Settings
from tests.property.cluster.traffic import Traffic

MS = 10**9
CAP = 24


class Prompts(Traffic):
    """Groups of samples, and a sink that keeps training steps too."""

    def rollouts(self, rows: list[Any]) -> None:
        self.kept.setdefault("rollouts", []).extend(rows)


def prompts(groups: int, samples: int = 4, outputs: int = CAP) -> Prompts:
    """Return groups whose prompts have 3, 4, 5, 6, 7, 3, … tokens."""
    rows = groups * samples
    number = np.repeat(np.arange(groups), samples)
    lengths = np.full(rows, outputs, np.int64)
    return Prompts([Arrivals(np.zeros(rows, np.int64), 3 + number % 5, lengths, group=number)])


def settings(policy: Any = April, steps: int = 2, groups: int = 4, **given: Any) -> Settings:
    """Return two instances of iterations that take 10 ms and 0.1 ms a sample, and a trainer that says 50 ms."""
    rollout = {
        "make_rollout": policy,
        "trainer": TimedTrainer(lambda tokens: 0.05),
        "judge": HashJudge(seed=1, filter="dynamic"),
        "max_tokens": CAP,
    }
    rollout |= {key: given.pop(key) for key in tuple(given) if key in ("attempts", "judge", "pause_for_weights")}
    default: dict[str, Any] = {
        "instances": 2,
        "kv_blocks": 128,
        "cost": Affine(step_ps=10 * MS, sequence_ps=MS // 10),
        "make_router": LeastLoaded,
        "make_scheduler": VllmV1,
        "record_decisions": True,
    }
    return Settings(rollout=RolloutSettings(steps=steps, groups=groups, **rollout), **(default | given))


def is_conserved(outcome: Any) -> bool:
    """Return whether every group that was begun is accounted for."""
    counters = outcome.counters
    ended = ("trained", "rejected", "discarded", "failed", "open", "accepted")
    return bool(counters["groups_submitted"] == sum(counters[f"groups_{name}"] for name in ended))
