"""Decoder: the forward pass of a Llama or Qwen model over paged KV, as a function of its weights."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from kernels.ops import Ops
from realbackend.model.rope import rope_table
from realbackend.model.shape import ModelShape
from realbackend.step import Step


@dataclass(slots=True)
class Layer:
    """Weights of one layer; matrices [out, in] as in checkpoints.

    qkv: queries, keys and values below each other. gate_up: gate, then up. The last three: where the model has them.
    """

    input_norm: Tensor
    qkv: Tensor
    output: Tensor
    post_norm: Tensor
    gate_up: Tensor
    down: Tensor
    qkv_bias: Tensor | None = None
    q_norm: Tensor | None = None
    k_norm: Tensor | None = None


@dataclass(slots=True)
class Decoder:
    """A model on one device. `head` is `embedding` where they are tied; `rope` is its table of cosines and sines."""

    shape: ModelShape
    embedding: Tensor
    layers: list[Layer]
    norm: Tensor
    head: Tensor
    rope: Tensor

    @classmethod
    def empty(cls, shape: ModelShape, device: torch.device, dtype: torch.dtype) -> "Decoder":
        """Return a decoder whose weights are not set yet, each a storage of its own that is filled in place."""

        def make(*size: int) -> Tensor:
            return torch.empty(size, dtype=dtype, device=device)

        queries, keys, e = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim, shape.head_dim
        layers = [
            Layer(
                input_norm=make(shape.hidden),
                qkv=make(queries + 2 * keys, shape.hidden),
                output=make(shape.hidden, queries),
                post_norm=make(shape.hidden),
                gate_up=make(2 * shape.intermediate, shape.hidden),
                down=make(shape.hidden, shape.intermediate),
                qkv_bias=make(queries + 2 * keys) if shape.qkv_bias else None,
                q_norm=make(e) if shape.head_norms else None,
                k_norm=make(e) if shape.head_norms else None,
            )
            for _ in range(shape.layers)
        ]
        embedding = make(shape.vocabulary, shape.hidden)
        head = embedding if shape.tied else make(shape.vocabulary, shape.hidden)
        return cls(shape, embedding, layers, make(shape.hidden), head, rope_table(shape, device))

    @property
    def device(self) -> torch.device:
        return self.embedding.device

    @property
    def dtype(self) -> torch.dtype:
        return self.embedding.dtype

    def forward(self, step: Step, kv: Tensor, ops: Ops) -> Tensor:
        """Compute an iteration; write its KV; return logits [m, vocabulary] of the rows that `step` wants.

        kv: [blocks, layers, 2, block_tokens, kv_heads, head_dim].
        """
        shape = self.shape
        e, scale = shape.head_dim, shape.head_dim**-0.5
        sizes = [shape.heads * e, shape.kv_heads * e, shape.kv_heads * e]
        hidden = functional.embedding(step.tokens, self.embedding)
        normed, residual = ops.rms_norm(hidden, self.layers[0].input_norm, shape.eps), hidden
        for number, layer in enumerate(self.layers):
            if number:
                normed, residual = ops.add_rms_norm(hidden, residual, layer.input_norm, shape.eps)
            q, k, v = functional.linear(normed, layer.qkv, layer.qkv_bias).split(sizes, dim=-1)
            q, k, v = q.unflatten(-1, (-1, e)), k.unflatten(-1, (-1, e)), v.unflatten(-1, (-1, e))
            if layer.q_norm is not None and layer.k_norm is not None:
                q, k = ops.rms_norm(q, layer.q_norm, shape.eps), ops.rms_norm(k, layer.k_norm, shape.eps)
            blocks = kv[:, number]
            q = ops.rope_and_store(q, k, v, self.rope, step.positions, step.slots, blocks)
            attended = ops.attention(q, blocks, step.plan, scale)
            hidden = functional.linear(attended.flatten(1), layer.output)
            normed, residual = ops.add_rms_norm(hidden, residual, layer.post_norm, shape.eps)
            hidden = functional.linear(ops.silu_mul(functional.linear(normed, layer.gate_up)), layer.down)
        wanted, residual = hidden.index_select(0, step.rows), residual.index_select(0, step.rows)
        normed, _ = ops.add_rms_norm(wanted, residual, self.norm, shape.eps)
        return functional.linear(normed, self.head)
