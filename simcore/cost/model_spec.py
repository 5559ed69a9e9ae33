"""Model: the sizes of a transformer that decide its cost, read from a Hugging Face `config.json`.

Llama, Mistral, Qwen2, Qwen3, Mixtral, Qwen2-MoE and Qwen3-MoE. Parameters, weight bytes and KV bytes are computed from
the sizes, never stored. Biases and the gate of a shared expert are left out: under 0.1% of the parameters.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

from simcore.cost import catalogue

Dtype = Literal["bf16", "fp16", "fp8"]
DTYPE_BYTES: dict[str, int] = {"bf16": 2, "fp16": 2, "fp8": 1}

_DENSE = ("llama", "mistral", "qwen2", "qwen3")
_MOE = ("mixtral", "qwen2_moe", "qwen3_moe")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Sizes of one model. `intermediate` is the width of the dense MLP, 0 when every layer is a mixture of experts.

    With `weights_dtype` "fp8" the matrices of the layers take one byte; embeddings, LM head, router and norms stay at
    two, as in published FP8 checkpoints.
    """

    name: str
    source: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    tied_embeddings: bool
    moe_layers: int = 0
    experts: int = 0
    experts_per_token: int = 0
    moe_intermediate: int = 0
    shared_intermediate: int = 0
    weights_dtype: Dtype = "bf16"
    kv_dtype: Dtype = "bf16"

    @property
    def parameters(self) -> int:
        """All parameters, with every expert."""
        return self._matrices(1, self.experts) + self._kept_wide(1) + self._norms()

    @property
    def active_parameters(self) -> int:
        """The parameters one token meets: with only its own experts."""
        return self._matrices(1, self.experts_per_token) + self._kept_wide(1) + self._norms()

    def weight_bytes(self, tp: int = 1) -> int:
        """Bytes of weights on each of `tp` GPUs; norms and the router are on all of them."""
        matrices = self._matrices(tp, self.experts) * DTYPE_BYTES[self.weights_dtype]
        return matrices + (self._kept_wide(tp) + self._norms()) * 2

    def kv_bytes_per_token(self, tp: int = 1) -> int:
        """Bytes of KV one token takes on each of `tp` GPUs, all layers."""
        return self.layers * 2 * self.kv_heads_per_gpu(tp) * self.head_dim * DTYPE_BYTES[self.kv_dtype]

    def kv_heads_per_gpu(self, tp: int) -> int:
        """KV heads on each of `tp` GPUs; with more GPUs than KV heads each holds a copy of one."""
        return max(1, self.kv_heads // tp)

    def require_tp(self, tp: int) -> None:
        """Raise ValueError unless the heads and the MLP can be split over `tp` GPUs."""
        if tp < 1:
            raise ValueError(f"tp must be >= 1, got {tp}")
        if self.heads % tp:
            raise ValueError(f"tp must divide the {self.heads} attention heads of {self.name}, got {tp}")
        if self.kv_heads % tp and tp % self.kv_heads:
            rule = f"must divide the {self.kv_heads} KV heads of {self.name} or be a multiple of them"
            raise ValueError(f"tp {rule}, got {tp}")
        for width in (self.intermediate, self.moe_intermediate, self.shared_intermediate):
            if width % tp:
                raise ValueError(f"tp must divide the MLP width {width} of {self.name}, got {tp}")

    def _matrices(self, tp: int, experts: int) -> int:
        """Parameters of the layers' matrices on each of `tp` GPUs, counting `experts` experts a layer."""
        queries = self.heads * self.head_dim // tp
        keys_values = 2 * self.kv_heads_per_gpu(tp) * self.head_dim
        attention = self.hidden * (2 * queries + keys_values)
        dense = 3 * self.hidden * self.intermediate // tp
        moe = 3 * self.hidden * (experts * self.moe_intermediate + self.shared_intermediate) // tp
        return self.layers * attention + (self.layers - self.moe_layers) * dense + self.moe_layers * moe

    def _kept_wide(self, tp: int) -> int:
        """Parameters that are never quantised, norms apart: embeddings, LM head, routers."""
        tables = 1 if self.tied_embeddings else 2
        return tables * self.vocab * self.hidden // tp + self.moe_layers * self.hidden * self.experts

    def _norms(self) -> int:
        return (2 * self.layers + 1) * self.hidden


def load_model(name_or_path: str, *, weights_dtype: Dtype = "bf16", kv_dtype: Dtype | None = None) -> ModelSpec:
    """Return a shipped model by name, or the model of any Hugging Face `config.json` (or of the folder that holds it).

    kv_dtype: None keeps KV at two bytes, in the dtype of the activations, as vLLM's "auto" does.
    Raises ValueError for an unknown name, an unsupported architecture, a missing key or an impossible value.
    """
    dtypes = get_args(Dtype)
    for knob, dtype in (("weights_dtype", weights_dtype), ("kv_dtype", kv_dtype or "bf16")):
        if dtype not in dtypes:
            raise ValueError(f"{knob} must be one of {', '.join(dtypes)}, got {dtype!r}")
    name, where, text = catalogue.read("model", name_or_path)
    config = _Config(where, text)
    kind = config.one_of("model_type", _DENSE + _MOE)
    layers, hidden = config.count("num_hidden_layers"), config.count("hidden_size")
    heads = config.count("num_attention_heads")
    kv_heads = config.count("num_key_value_heads", default=heads)
    if heads % kv_heads:
        raise ValueError(f"{where}: num_key_value_heads must divide num_attention_heads ({heads}), got {kv_heads}")
    if config.get("head_dim") is None and hidden % heads:
        raise ValueError(f"{where}: hidden_size must be a multiple of num_attention_heads ({heads}), got {hidden}")
    moe = _mixture(config, kind, layers) if kind in _MOE else {}
    moe_layers = moe.get("moe_layers", 0)
    return ModelSpec(
        name=name,
        source=str(config.get("source", where)),
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=config.count("head_dim", default=hidden // heads),
        intermediate=config.count("intermediate_size") if moe_layers < layers else 0,
        vocab=config.count("vocab_size"),
        tied_embeddings=bool(config.get("tie_word_embeddings", False)),
        weights_dtype=weights_dtype,
        kv_dtype=kv_dtype or ("fp16" if weights_dtype == "fp16" else "bf16"),
        **moe,
    )


def model_names() -> tuple[str, ...]:
    """Return the names of the models that ship with simcore, sorted."""
    return catalogue.names("model")


def _mixture(config: "_Config", kind: str, layers: int) -> dict[str, int]:
    """Return the mixture-of-experts sizes; Mixtral names them differently from Qwen."""
    mixtral = kind == "mixtral"
    experts = config.count("num_local_experts" if mixtral else "num_experts")
    per_token = config.count("num_experts_per_tok")
    if per_token > experts:
        raise ValueError(f"{config.where}: num_experts_per_tok must be <= the {experts} experts, got {per_token}")
    every = config.count("decoder_sparse_step", default=1)
    dense_only = config.get("mlp_only_layers") or ()
    return {
        "moe_layers": sum((layer + 1) % every == 0 and layer not in dense_only for layer in range(layers)),
        "experts": experts,
        "experts_per_token": per_token,
        "moe_intermediate": config.count("intermediate_size" if mixtral else "moe_intermediate_size"),
        "shared_intermediate": config.count("shared_expert_intermediate_size", default=0),
    }


class _Config:
    """A `config.json` whose errors name the file and the key."""

    def __init__(self, where: str, text: str) -> None:
        self.where = where
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{where}:{error.lineno}:{error.colno}: must be JSON: {error.msg}") from None
        if not isinstance(values, dict):
            raise ValueError(f"{where}: must be a JSON object, got {type(values).__name__}")
        self.values: dict[str, Any] = values

    def get(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    def one_of(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self._required(key)
        if value not in allowed:
            raise ValueError(f"{self.where}: {key} must be one of {', '.join(allowed)}, got {value!r}")
        return str(value)

    def count(self, key: str, default: int | None = None) -> int:
        """Return a whole number >= 1; absent or null means `default`, if there is one."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        value = self._required(key)
        if type(value) is not int or value < 1:
            raise ValueError(f"{self.where}: {key} must be a whole number >= 1, got {value!r}")
        return value

    def _required(self, key: str) -> Any:
        if self.values.get(key) is None:
            raise ValueError(f"{self.where}: {key} is missing")
        return self.values[key]
