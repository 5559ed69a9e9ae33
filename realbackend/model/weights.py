"""Weights: names of a checkpoint to storages of a decoder, filled in place; from safetensors, or drawn by a seed.

One way for checkpoints and for updates while a model serves: a storage keeps its address, as CUDA graphs need.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from realbackend.model.decoder import Decoder
from realbackend.model.shape import RANDOM, ModelShape, named_shape, read_shape


def load_decoder(source: str, *, device: torch.device, dtype: torch.dtype, seed: int = 0) -> Decoder:
    """Return a decoder from a folder in Hugging Face format, or with drawn weights from `random:SHAPE`.

    source: a folder with `config.json` and safetensors; or `random:` and nano, tiny, small, or a `config.json`.
    Raises ValueError for a config or a checkpoint that does not fit, with the key.
    """
    if source.startswith(RANDOM):
        decoder = Decoder.empty(named_shape(source), device, dtype)
        load_weights(decoder, drawn(decoder.shape, seed, device, dtype))
        return decoder
    folder = Path(source)
    decoder = Decoder.empty(read_shape(folder), device, dtype)
    load_weights(decoder, stored(folder, device))
    return decoder


def load_weights(decoder: Decoder, named: Iterable[tuple[str, Tensor]]) -> None:
    """Copy tensors, named as in a checkpoint, into the storages of a decoder. All must come, each once.

    Raises ValueError with the names that are missing, unknown or twice, or of another shape; what came before stands.
    """
    storages = places(decoder)
    missing = dict.fromkeys(storages)
    for name, tensor in named:
        place = storages.get(name)
        if place is None:
            if name == "lm_head.weight" and decoder.shape.tied:
                continue
            raise ValueError(f"weights: no place for {name} {list(tensor.shape)} in a {decoder.shape.kind} model")
        if name not in missing:
            raise ValueError(f"weights: {name} comes twice")
        if place.shape != tensor.shape:
            raise ValueError(f"weights: {name} must be {list(place.shape)}, got {list(tensor.shape)}")
        place.copy_(tensor)
        del missing[name]
    if missing:
        names = list(missing)
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise ValueError(f"weights: missing {', '.join(names[:5])}{more}")


def stored(folder: Path, device: torch.device) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a folder, in one safetensors file or in the shards its index names. Raises ValueError."""
    from safetensors import SafetensorError, safe_open

    index = folder / "model.safetensors.index.json"
    if index.is_file():
        files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    else:
        files = ["model.safetensors"]
    for name in files:
        file = folder / name
        if not file.is_file():
            raise ValueError(f"weights: no such file: {file}")
        try:
            with safe_open(file, framework="pt", device=str(device)) as shard:
                for key in shard.keys():  # noqa: SIM118 - not a dict
                    yield key, shard.get_tensor(key)
        except SafetensorError as error:
            raise ValueError(f"weights: {file}: {error}") from None


def drawn(shape: ModelShape, seed: int, device: torch.device, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """Yield weights drawn by a seed: matrices normal with a deviation of 0.02, norms 1, biases 0."""
    generator = torch.Generator(device).manual_seed(seed)
    for name, place in places(Decoder.empty(shape, torch.device("meta"), dtype)).items():
        if name.endswith("norm.weight"):
            yield name, torch.ones(place.shape, dtype=dtype, device=device)
        elif name.endswith(".bias"):
            yield name, torch.zeros(place.shape, dtype=dtype, device=device)
        else:
            yield name, torch.empty(place.shape, dtype=dtype, device=device).normal_(0, 0.02, generator=generator)


def places(decoder: Decoder) -> dict[str, Tensor]:
    """Return where each tensor of a checkpoint goes: views of the storages, parts of packed ones."""
    shape = decoder.shape
    sizes = [shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim, shape.kv_heads * shape.head_dim]
    named = {"model.embed_tokens.weight": decoder.embedding, "model.norm.weight": decoder.norm}
    if not shape.tied:
        named["lm_head.weight"] = decoder.head
    for number, layer in enumerate(decoder.layers):
        within = f"model.layers.{number}"
        q, k, v = layer.qkv.split(sizes)
        gate, up = layer.gate_up.chunk(2)
        named |= {
            f"{within}.input_layernorm.weight": layer.input_norm,
            f"{within}.self_attn.q_proj.weight": q,
            f"{within}.self_attn.k_proj.weight": k,
            f"{within}.self_attn.v_proj.weight": v,
            f"{within}.self_attn.o_proj.weight": layer.output,
            f"{within}.post_attention_layernorm.weight": layer.post_norm,
            f"{within}.mlp.gate_proj.weight": gate,
            f"{within}.mlp.up_proj.weight": up,
            f"{within}.mlp.down_proj.weight": layer.down,
        }
        if layer.qkv_bias is not None:
            names = (f"{within}.self_attn.{each}_proj.bias" for each in "qkv")
            named |= dict(zip(names, layer.qkv_bias.split(sizes), strict=True))
        if layer.q_norm is not None and layer.k_norm is not None:
            named[f"{within}.self_attn.q_norm.weight"] = layer.q_norm
            named[f"{within}.self_attn.k_norm.weight"] = layer.k_norm
    return named
