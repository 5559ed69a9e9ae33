"""Whole texts: the forward pass over texts that are all there, without KV blocks: what training differentiates.

It reads the weights of a `Decoder` and says what the engine's paged pass says at every place of a text.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from kernels.reference import Reference, rotated
from realbackend.model.decoder import Decoder

_OPS = Reference()


def trainable(decoder: Decoder) -> list[Tensor]:
    """Return the storages of a decoder, each once, in the order of its layers; from now on they have gradients."""
    found = [decoder.embedding]
    for each in decoder.layers:
        found += [each.input_norm, each.qkv, each.output, each.post_norm, each.gate_up, each.down]
        found += [one for one in (each.qkv_bias, each.q_norm, each.k_norm) if one is not None]
    found += [decoder.norm] if decoder.shape.tied else [decoder.norm, decoder.head]
    return [each.requires_grad_() for each in found]


def logits_of(decoder: Decoder, tokens: Tensor) -> Tensor:
    """Return [b, t, vocabulary] for texts [b, t] int64: at each place what follows the tokens up to it."""
    shape = decoder.shape
    e = shape.head_dim
    sizes = [shape.heads * e, shape.kv_heads * e, shape.kv_heads * e]
    cos, sin = decoder.rope[: tokens.shape[1]].unsqueeze(1).chunk(2, dim=-1)
    hidden = functional.embedding(tokens, decoder.embedding)
    for layer in decoder.layers:
        normed = _OPS.rms_norm(hidden, layer.input_norm, shape.eps)
        split = functional.linear(normed, layer.qkv, layer.qkv_bias).split(sizes, dim=-1)
        q, k, v = (each.unflatten(-1, (-1, e)) for each in split)
        if layer.q_norm is not None and layer.k_norm is not None:
            q, k = _OPS.rms_norm(q, layer.q_norm, shape.eps), _OPS.rms_norm(k, layer.k_norm, shape.eps)
        attended = functional.scaled_dot_product_attention(
            rotated(q, cos, sin).transpose(1, 2),
            rotated(k, cos, sin).transpose(1, 2),
            v.transpose(1, 2),
            is_causal=True,
            enable_gqa=True,
            scale=e**-0.5,
        )
        hidden = hidden + functional.linear(attended.transpose(1, 2).flatten(2), layer.output)
        normed = _OPS.rms_norm(hidden, layer.post_norm, shape.eps)
        hidden = hidden + functional.linear(_OPS.silu_mul(functional.linear(normed, layer.gate_up)), layer.down)
    return functional.linear(_OPS.rms_norm(hidden, decoder.norm, shape.eps), decoder.head)


def log_probs_of(decoder: Decoder, tokens: Tensor, temperature: float = 1.0) -> Tensor:
    """Return [b, t - 1] float32: of tokens 1, 2, … of texts [b, t] int64, each behind the ones before it."""
    logits = logits_of(decoder, tokens[:, :-1]).float() / temperature
    return -functional.cross_entropy(logits.transpose(1, 2), tokens[:, 1:], reduction="none")


def padded(texts: Sequence[Sequence[float]], device: torch.device) -> Tensor:
    """Return texts [b, longest], filled up with token 0: no place of a text sees what stands behind it.

    >>> padded([[1, 2, 3], [4]], torch.device("cpu")).tolist()
    [[1, 2, 3], [4, 0, 0]]
    """
    longest = max(len(text) for text in texts)
    return torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts], device=device)
