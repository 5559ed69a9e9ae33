"""Attention: the terms that grow with context, decode and prefill, in whole picoseconds per token.

Coefficients are rounded once, per context token and per chunk size, so that a step ahead is an addition, not a
recomputation, and lines are exact to the picosecond.
"""

from simcore.contract import UNBOUNDED, Shape, to_ps
from simcore.cost.hardware import Hardware
from simcore.cost.matmuls import ACTIVATION_BYTES
from simcore.cost.model_spec import ModelSpec


class DecodeAttention:
    """Each decode reads the KV of its context: affine in the sum of contexts, bound by KV bytes on any real GPU.

    Uneven contexts cost the same as even ones with the same sum; so a long one among many short is underestimated.
    """

    name = "decode_attention"
    uses_longest = False

    def __init__(self, model: ModelSpec, hardware: Hardware, tp: int) -> None:
        self._step_ps = to_ps(model.layers * hardware.decode_attention_s)
        io_bytes = 2 * model.heads // tp * model.head_dim * ACTIVATION_BYTES
        self._decode_ps = to_ps(model.layers * hardware.decode_passes * io_bytes / hardware.memory_bytes_per_s)
        memory_s = model.kv_bytes_per_token(tp) / (hardware.memory_bytes_per_s * hardware.kv_share)
        compute_s = _pair_s(model, hardware, tp)
        # One slope per SM share; a share of nothing never runs.
        self._context_ps = [0] + [to_ps(max(memory_s, compute_s * 100 / share)) for share in range(1, 101)]

    def line(self, shape: Shape) -> tuple[int, int, int]:
        decodes = shape.decodes
        if not decodes:
            return 0, 0, UNBOUNDED
        context_ps = self._context_ps[shape.sm_pct]
        first = self._step_ps + self._decode_ps * decodes + context_ps * shape.context
        return first, context_ps * decodes, UNBOUNDED


class PrefillAttention:
    """Each chunk attends to itself and to all before it: bound by compute, or by reading KV when the chunk is short.

    Both bounds are affine in `before`, so a run of equal chunks is one line up to where they cross.
    """

    name = "prefill_attention"
    uses_longest = False

    def __init__(self, model: ModelSpec, hardware: Hardware, tp: int) -> None:
        self._step_ps = to_ps(model.layers * hardware.prefill_attention_s)
        self._chunks = _ChunkBounds(model, hardware, tp)

    def line(self, shape: Shape) -> tuple[int, int, int]:
        if not shape.chunks:
            return 0, 0, UNBOUNDED
        first = self._step_ps
        increment = 0
        iterations = UNBOUNDED
        for new, before in shape.chunks:
            compute_ps, compute_more, memory_ps, memory_more = self._chunks[new << 7 | shape.sm_pct]
            compute_ps += compute_more * before
            memory_ps += memory_more * before
            lead = compute_ps - memory_ps
            gain = (compute_more - memory_more) * new
            if lead >= 0:
                first += compute_ps
                increment += compute_more * new
                crossing = lead // -gain + 1 if gain < 0 else UNBOUNDED
            else:
                first += memory_ps
                increment += memory_more * new
                crossing = -lead // gain + 1 if gain > 0 else UNBOUNDED
            if crossing < iterations:
                iterations = crossing
        return first, increment, iterations


class _ChunkBounds(dict[int, tuple[int, int, int, int]]):
    """By `new << 7 | sm_pct`: picoseconds of a chunk with nothing before it and per token before, for both bounds."""

    def __init__(self, model: ModelSpec, hardware: Hardware, tp: int) -> None:
        super().__init__()
        self._pair_s = _pair_s(model, hardware, tp)
        self._kv_s = model.kv_bytes_per_token(tp) / (hardware.memory_bytes_per_s * hardware.kv_share)
        io_bytes = 2 * (model.heads // tp + model.kv_heads_per_gpu(tp)) * model.head_dim * ACTIVATION_BYTES
        self._io_s = model.layers * hardware.prefill_passes * io_bytes / hardware.memory_bytes_per_s

    def __missing__(self, key: int) -> tuple[int, int, int, int]:
        new, share = key >> 7, key & 127
        pair_s = self._pair_s * 100 / share
        # Causal: the i-th new token attends to i tokens of its own chunk.
        own_s = pair_s * new * (new + 1) / 2
        io_s = self._io_s * new
        bounds = to_ps(io_s + own_s), to_ps(pair_s * new), to_ps(io_s + self._kv_s * new), to_ps(self._kv_s)
        self[key] = bounds
        return bounds


def _pair_s(model: ModelSpec, hardware: Hardware, tp: int) -> float:
    """Return the seconds one query token takes per token it attends to, all layers, when compute binds it."""
    operations = 4 * model.layers * (model.heads // tp) * model.head_dim
    return operations / (hardware.bf16_flops * hardware.attention_share)
