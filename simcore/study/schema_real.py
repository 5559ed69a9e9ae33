"""Real schema: what the real engine runs instead of the study as it stands."""

from typing import Any, Literal

from pydantic import Field, model_validator

from simcore.study.schema_training import TrainingSpec
from simcore.study.spec import Natural, Spec


class RealSpec(Spec):
    """What `--backend real` needs to know.

    `weights`: a folder in Hugging Face format, or `random:` and nano, tiny, small or a `config.json`. `dtype`: fp32 on
    a CPU, bf16 on a GPU if left out. `seed` draws random weights, and prompts. `stop`: texts have the length their
    trace gives, or may end before. `instead`: keys of the study, dotted, and the values they have on the real engine.
    `training`: the model learns, and is its own: weights and prompts are drawn by the seeds of the study.
    """

    weights: str = "random:tiny"
    dtype: Literal["fp32", "bf16", "fp16"] | None = None
    seed: Natural = 0
    stop: Literal["length", "eos"] = "length"
    instead: dict[str, Any] = Field(default_factory=dict)
    training: TrainingSpec | None = None

    @model_validator(mode="after")
    def _one_model(self) -> "RealSpec":
        if self.training is not None:
            for key in sorted({"weights", "dtype", "seed", "stop"} & self.model_fields_set):
                raise ValueError(f"{key} must be left out where there is training")
        return self
