"""Training settings: what is asked, how the model learns from it, and what it knew before."""

from dataclasses import dataclass
from typing import Literal

from realbackend.training.task import Kind


@dataclass(frozen=True, slots=True)
class Training:
    """How a model is trained on its own samples.

    Args:
        task: what prompts ask for.
        temperature, top_p: how samples are drawn; log-probabilities are of softmax(logits / temperature).
        learning_rate, betas, weight_decay: of Adam.
        gradient_norm: gradients are scaled down to this norm.
        mini_batches: updates in a training step, each over its share of the samples.
        clip_low, clip_high: the ratio to the old probability is clipped to 1 - clip_low .. 1 + clip_high.
        average: "token": every token of a mini-batch weighs the same (DAPO, arXiv:2503.14476); "sample": every sample
            does (GRPO, arXiv:2402.03300).
        old: the probability that ratios are to is "recomputed" under the weights a step begins with, also of tokens
            that older weights generated (as slime does), or that of the "rollout", which generated them.
        stale: tokens that older weights generated are "trained" on, or "masked" in the loss.
        filter: "dynamic" accepts only groups whose rewards differ (DAPO); "none" all.
        held_out: prompts to measure accuracy on, which are never trained on.
        evaluate_every: training steps between two measurements.
        warm_start: supervised steps before the first sample.
        examples: different prompts that these steps see.
        seed: draws weights, prompts and samples.

    Raises ValueError for a number out of range.
    """

    task: Kind = "copy"
    temperature: float = 1.0
    top_p: float = 1.0
    learning_rate: float = 5e-4
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.0
    gradient_norm: float = 1.0
    mini_batches: int = 1
    clip_low: float = 0.2
    clip_high: float = 0.28
    average: Literal["token", "sample"] = "token"
    old: Literal["recomputed", "rollout"] = "recomputed"
    stale: Literal["trained", "masked"] = "trained"
    filter: Literal["dynamic", "none"] = "dynamic"
    held_out: int = 200
    evaluate_every: int = 5
    warm_start: int = 0
    examples: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("mini_batches", 1), ("held_out", 1), ("evaluate_every", 1), ("examples", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be >= {least}, got {getattr(self, name)}")
        for name in ("temperature", "learning_rate", "gradient_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
        if not 0 <= self.clip_low < 1:
            raise ValueError(f"clip_low must be in [0, 1), got {self.clip_low}")
        if self.clip_high < 0 or self.warm_start < 0 or self.weight_decay < 0:
            raise ValueError("clip_high, warm_start and weight_decay must be >= 0")
