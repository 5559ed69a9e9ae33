"""Real schema: what the real engine runs instead of the study as it stands."""

from typing import Any, Literal

from pydantic import Field

from simcore.study.spec import Natural, Spec


class RealSpec(Spec):
    """What `--backend real` needs to know.

    `weights`: a folder in Hugging Face format, or `random:` and nano, tiny, small or a `config.json`. `dtype`: fp32 on
    a CPU, bf16 on a GPU if left out. `seed` draws random weights, and prompts. `stop`: texts have the length their
    trace gives, or may end before. `instead`: keys of the study, dotted, and the values they have on the real engine.
    """

    weights: str = "random:tiny"
    dtype: Literal["fp32", "bf16", "fp16"] | None = None
    seed: Natural = 0
    stop: Literal["length", "eos"] = "length"
    instead: dict[str, Any] = Field(default_factory=dict)
