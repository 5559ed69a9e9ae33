"""Training schema: what a small model learns on the real engine, and how, from the rollouts of a study."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simcore.study.spec import Count, Natural, NotNegative, Spec

Positive = Annotated[float, Field(gt=0)]
_HEADS = 4


class TrainingSpec(Spec):
    """A Llama of `layers` layers, `hidden` wide, with drawn weights, learns a `task` of digits by GRPO.

    `warm_start` supervised steps on `examples` prompts come first. Accuracy is measured on `held_out` other prompts
    every `evaluate_every` training steps. The rest: `realbackend.training.settings.Training`.
    """

    task: Literal["copy", "reverse", "sort", "add"] = "copy"
    layers: Count = 2
    hidden: Count = 64
    temperature: Positive = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    learning_rate: Positive = 5e-4
    mini_batches: Count = 1
    clip_low: Annotated[float, Field(ge=0, lt=1)] = 0.2
    clip_high: NotNegative = 0.28
    average: Literal["token", "sample"] = "token"
    old: Literal["recomputed", "rollout"] = "recomputed"
    stale: Literal["trained", "masked"] = "trained"
    held_out: Count = 200
    evaluate_every: Count = 5
    warm_start: Natural = 0
    examples: Count = 512

    @model_validator(mode="after")
    def _divides(self) -> "TrainingSpec":
        if self.hidden % (2 * _HEADS):
            raise ValueError(f"hidden must be a multiple of {2 * _HEADS}, got {self.hidden}")
        return self
