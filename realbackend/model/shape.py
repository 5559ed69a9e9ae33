"""Shape: the sizes and switches of a decoder, read from a Hugging Face `config.json`, or one of three small ones.

Llama, Qwen2 (and 2.5), Qwen3, dense. Reads what transformers 5 writes (`rope_parameters`, `dtype`) and what came before
(`rope_theta`, `rope_scaling`, `torch_dtype`).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

ARCHITECTURES = ("llama", "qwen2", "qwen3")
RANDOM = "random:"
"""What the name of weights begins with that are drawn, not loaded."""


@dataclass(frozen=True, slots=True)
class RopeScaling:
    """How Llama 3 stretches rotary frequencies: slow ones by `factor`, fast ones not, smoothly in between."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_positions: int


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes of a decoder.

    positions: the longest context it can have. qkv_bias: Qwen2. head_norms: queries and keys are normed (Qwen3).
    eos: ids of the tokens that end a text.
    """

    kind: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    positions: int
    eps: float = 1e-5
    rope_theta: float = 10_000.0
    rope_scaling: RopeScaling | None = None
    qkv_bias: bool = False
    head_norms: bool = False
    tied: bool = False
    eos: tuple[int, ...] = ()

    @property
    def parameters(self) -> int:
        """How many numbers the weights are."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        layer = self.hidden * (2 * queries + 2 * keys + 3 * self.intermediate + 2)
        layer += (queries + 2 * keys) * self.qkv_bias + 2 * self.head_dim * self.head_norms
        return self.layers * layer + self.hidden + self.vocabulary * self.hidden * (1 if self.tied else 2)

    def kv_bytes_per_token(self, itemsize: int) -> int:
        """Bytes of KV that one token takes."""
        return self.layers * 2 * self.kv_heads * self.head_dim * itemsize


PRESETS = MappingProxyType(
    {
        "nano": ModelShape("llama", 2, 128, 4, 2, 32, 352, 1024, 131072, tied=True),
        "tiny": ModelShape("llama", 4, 256, 8, 4, 32, 688, 4096, 131072, tied=True),
        "small": ModelShape("llama", 6, 384, 6, 2, 64, 1024, 8192, 131072, tied=True),
    }
)
"""Shapes for tests on a CPU: 0.5, 3.9 and 12.6 million parameters."""


def shape_of(config: dict[str, Any], where: str = "config") -> ModelShape:
    """Return the shape that a `config.json` describes. Raises ValueError, with the key, for one not served here."""

    def need(key: str) -> int:
        value = config.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{where}: {key} must be a whole number >= 1, got {value!r}")
        return value

    kind = config.get("model_type")
    if kind not in ARCHITECTURES:
        raise ValueError(f"{where}: model_type must be one of {', '.join(ARCHITECTURES)}, got {kind!r}")
    if config.get("hidden_act", "silu") != "silu":
        raise ValueError(f"{where}: hidden_act must be silu, got {config['hidden_act']!r}")
    if config.get("use_sliding_window"):
        raise ValueError(f"{where}: use_sliding_window must be false, got {config['use_sliding_window']!r}")
    if kind != "qwen2" and config.get("attention_bias"):
        raise ValueError(f"{where}: attention_bias must be false for {kind}, got {config['attention_bias']!r}")
    if config.get("mlp_bias"):
        raise ValueError(f"{where}: mlp_bias must be false, got {config['mlp_bias']!r}")
    heads, hidden = need("num_attention_heads"), need("hidden_size")
    kv_heads = need("num_key_value_heads") if config.get("num_key_value_heads") is not None else heads
    if heads % kv_heads:
        raise ValueError(f"{where}: num_key_value_heads must divide num_attention_heads ({heads}), got {kv_heads}")
    theta, scaling = _rope(config, where)
    eos = config.get("eos_token_id")
    return ModelShape(
        kind=kind,
        layers=need("num_hidden_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=need("head_dim") if config.get("head_dim") is not None else hidden // heads,
        intermediate=need("intermediate_size"),
        vocabulary=need("vocab_size"),
        positions=need("max_position_embeddings"),
        eps=float(config.get("rms_norm_eps", 1e-6)),
        rope_theta=theta,
        rope_scaling=scaling,
        qkv_bias=kind == "qwen2",
        head_norms=kind == "qwen3",
        tied=bool(config.get("tie_word_embeddings", False)),
        eos=() if eos is None else tuple(eos) if isinstance(eos, list) else (eos,),
    )


def named_shape(weights: str, folder: Path = Path()) -> ModelShape:
    """Return the shape that weights have: `random:` and a preset or `config.json`, or a folder. Raises ValueError.

    folder: what a relative path is relative to, if it is not found where it stands.
    """
    name = weights.removeprefix(RANDOM)
    if name != weights and name in PRESETS:
        return PRESETS[name]
    path = Path(name)
    beside = folder / name
    if not path.exists() and not beside.exists():
        known = f"{RANDOM}nano, tiny or small, {RANDOM}CONFIG, or a folder with config.json and safetensors"
        raise ValueError(f"must be {known}, got {weights!r}")
    return read_shape(path if path.exists() else beside)


def read_shape(path: Path) -> ModelShape:
    """Return the shape in a `config.json`, or in the folder that holds one. Raises ValueError."""
    file = path / "config.json" if path.is_dir() else path
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{file}: no such file") from None
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{file}: {error}") from None
    if not isinstance(config, dict):
        raise ValueError(f"{file}: must hold an object, got {type(config).__name__}")
    return shape_of(config, str(file))


def _rope(config: dict[str, Any], where: str) -> tuple[float, RopeScaling | None]:
    both = config.get("rope_parameters") or {}
    theta = float(both.get("rope_theta", config.get("rope_theta", 10_000.0)))
    scaling = both if "rope_type" in both else config.get("rope_scaling")
    kind = (scaling or {}).get("rope_type", (scaling or {}).get("type", "default"))
    if scaling is None or kind == "default":
        return theta, None
    if kind != "llama3":
        raise ValueError(f"{where}: rope_scaling must be of type llama3 or default, got {kind!r}")
    return theta, RopeScaling(
        factor=float(scaling["factor"]),
        low_freq_factor=float(scaling["low_freq_factor"]),
        high_freq_factor=float(scaling["high_freq_factor"]),
        original_positions=int(scaling["original_max_position_embeddings"]),
    )
