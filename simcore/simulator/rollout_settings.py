"""Rollout settings: what a run of reinforcement learning needs to know beside its cluster and its prompts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simcore.contract import Judge, Rollout, Trainer


@dataclass(frozen=True, slots=True)
class RolloutSettings:
    """Training on the groups of the workload, which is read as prompts to draw from: its arrival dates do not count.

    Args:
        make_rollout: builds the rollout policy.
        trainer: trains, and publishes weights.
        judge: scores samples and filters groups.
        steps: training steps of the run, >= 1.
        groups: complete groups that the trainer wants for a step, >= 1.
        max_tokens: length cap of a response; None: the workload's.
        attempts: how often a sample is scored at most, >= 1, while scoring fails.
        pause_for_weights: instances stand still while weights are on their way; else only while they load them.
        checkpoint: called before each step with what must outlive an interruption, as JSON (`rollout_state.py`).
        resume: what `checkpoint` was called with: the run goes on from there. Its policy and workload must be the same.
    """

    make_rollout: Callable[[], Rollout]
    trainer: Trainer
    judge: Judge
    steps: int
    groups: int
    max_tokens: int | None = None
    attempts: int = 3
    pause_for_weights: bool = True
    checkpoint: Callable[[dict[str, Any]], None] | None = None
    resume: dict[str, Any] | None = None
