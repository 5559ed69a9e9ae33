"""Rollout schema: training on the groups of the workload: how much, how rewards come about, how long training takes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simcore.study.spec import Count, Natural, NotNegative, Share, Spec

Part = Annotated[float, Field(ge=0, le=1)]


class RewardSpec(Spec):
    """How responses are scored: a share `always` of the prompts is solved by every sample, a share `never` by none.

    `seconds` of environment and scoring behind each response; a share `fails` of scorings fail, and are tried again up
    to `attempts` times in all.
    """

    always: Part = 0.2
    never: Part = 0.2
    seconds: NotNegative = 0.0
    spread: Literal["fixed", "exponential"] = "fixed"
    fails: Part = 0.0
    attempts: Count = 3

    @model_validator(mode="after")
    def _shares(self) -> "RewardSpec":
        if self.always + self.never > 1:
            raise ValueError(f"always and never must be at most 1 together, got {self.always:g} and {self.never:g}")
        return self


class TrainerSpec(Spec):
    """How long a training step takes: `seconds`, or what the model takes on `gpus` GPUs of the study's hardware.

    `mfu`: share of their bf16 peak that is reached. `extra_forwards`: passes over the batch for log-probabilities
    before the update.
    """

    seconds: NotNegative | None = None
    gpus: Count | None = None
    mfu: Share = 0.4
    extra_forwards: Annotated[int, Field(ge=0, le=10)] = 1


class WeightsSpec(Spec):
    """How new weights reach the instances: `bytes` to each node over its network (`model`: the model's; 0: none).

    Then `load_s` until an instance generates with them. With `pause`, instances stand still from the start.
    """

    bytes: Literal["model"] | Natural = "model"
    load_s: NotNegative = 0.0
    pause: bool = True


class RolloutSpec(Spec):
    """`steps` training steps on `groups` complete groups each; the prompts are the groups of the workload.

    `max_tokens` caps a response; left out, the workload's cap is it. `filter: dynamic` accepts only groups whose
    rewards differ. The first `warm_up_steps` count in no metric.
    """

    steps: Count
    groups: Count
    max_tokens: Count | None = None
    filter: Literal["none", "dynamic"] = "none"
    reward: RewardSpec = RewardSpec()
    trainer: TrainerSpec = TrainerSpec()
    weights: WeightsSpec = WeightsSpec()
    warm_up_steps: Natural = 0

    @model_validator(mode="after")
    def _some_count(self) -> "RolloutSpec":
        if self.warm_up_steps >= self.steps:
            raise ValueError(f"warm_up_steps must be below steps ({self.steps}), got {self.warm_up_steps}")
        return self
