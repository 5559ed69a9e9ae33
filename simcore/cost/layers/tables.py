"""Tables: the kernels of one layer as measured, by tokens, by sequences, and for attention by the whole batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.cost.hardware import Hardware
from simcore.cost.model_spec import ModelSpec
from simcore.cost.tables.plausible import require_device

Values = NDArray[np.float64]

PRODUCTS = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
"""Matrix products of a layer."""
SMALL = {"layernorm": 2, "act_fn": 1, "rotary_emb": 1, "qk_norm": 1}
"""Small kernels of a layer, and how many of each there are in it."""
ONCE = ("embedding", "final_layernorm")
"""Layers that a model has once."""
HEAD = ("lm_head", "sampler")
"""What is done for each sequence."""
OPTIONAL = ("rotary_emb", "qk_norm")
"""Layers that not every architecture has as kernels of their own."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Microseconds of one layer by a count, ascending."""

    counts: Values
    us: Values


@dataclass(frozen=True, slots=True)
class Attention:
    """Attention of one layer over whole batches, [n] each: one prefill chunk, and decodes that are all equally long.

    chunk: new tokens of the chunk; 0: none. before: tokens of its request in the KV cache. decodes: how many decode.
    history: tokens each of them has in the KV cache. us: microseconds.
    """

    chunk: Values
    before: Values
    decodes: Values
    history: Values
    us: Values


@dataclass(frozen=True, slots=True)
class Uneven:
    """Attention over batches in which `long` of the decodes have a longer history than the others, [n] each.

    even_us: the same batch with every decode at the `mean` history; longest_us: with every decode at the `longest`.
    All times are microseconds of one layer, or all in another unit: only their proportions matter, but for `us` where
    one long request decides alone.
    """

    chunk: Values
    before: Values
    decodes: Values
    long: Values
    mean: Values
    longest: Values
    even_us: Values
    longest_us: Values
    us: Values


@dataclass(frozen=True, slots=True)
class Alphas:
    """How far a batch of uneven decodes lies between the even one at their mean and the one at their longest, [n] each.

    Each row is a bucket, bounded from above: decodes, share (of the longest that the mean is), longest history.
    otherwise: the value where no bucket was measured.
    """

    decodes: Values
    share: Values
    longest: Values
    alpha: Values
    otherwise: float = 0.0


@dataclass(frozen=True, slots=True)
class LayerTables:
    """What was measured of one model's layers on one GPU, and what is known about it.

    gpu, model: names as the profiler gives them. tp: the degree the shapes are of. dtype: of weights and KV.
    dense: by tokens, by layer. head: by sequences, by layer. stairs: between two token counts a layer takes what it
    does at the larger one; else the value lies between. uneven, alphas: None where it was not measured.
    provenance: source, software, units. error: on points left out.
    """

    gpu: str
    model: str
    tp: int
    dtype: str
    dense: Mapping[str, Curve]
    head: Mapping[str, Curve]
    attention: Attention
    uneven: Uneven | None = None
    alphas: Alphas | None = None
    stairs: bool = True
    provenance: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] = field(default_factory=dict)

    def require(self, model: ModelSpec, tp: int, hardware: Hardware | None = None) -> None:
        """Raise ValueError unless this is the model, the degree and the GPU that were measured."""
        if not same_model(self.model, model.name):
            raise ValueError(f"the profile was measured for {self.model}, the study's model is {model.name}")
        if tp != self.tp:
            raise ValueError(f"the profile was measured with tp {self.tp}, the study has tp {tp}")
        if self.dtype.split("-")[0] != model.weights_dtype:
            raise ValueError(f"the profile was measured in {self.dtype}, the study's weights are {model.weights_dtype}")
        if hardware is not None:
            require_device(self.gpu, hardware, "the profile")


def same_model(published: str, name: str) -> bool:
    """Return whether a model on a hub is the one with this name, or one of its sizes that was trained further.

    >>> same_model("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"), same_model("Qwen/Qwen3-32B", "qwen3-8b")
    (True, False)
    """
    one, other = (text.rsplit("/", 1)[-1].lower().replace("_", "-") for text in (published, name))
    return one == other or one.startswith(f"{other}-") or other.startswith(f"{one}-")


def columns(table: Attention | Uneven | Alphas) -> dict[str, Values]:
    """Return the columns of a table by name."""
    found = {part.name: getattr(table, part.name) for part in fields(table)}
    return {name: values for name, values in found.items() if isinstance(values, np.ndarray)}
