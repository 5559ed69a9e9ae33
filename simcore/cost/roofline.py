"""Roofline: what a step takes, from a model's sizes and a GPU's datasheet, term by term.

Every term is max(operations / reached FLOP/s, bytes / reached bandwidth) plus a fixed time per kernel; the shares
reached and the fixed times come with the `Hardware`. docs/cost_model.md has the formulas and how far they are off.
"""

from collections.abc import Callable
from dataclasses import asdict

from simcore.contract import UNBOUNDED, Shape, to_ps
from simcore.cost.attention import DecodeAttention, PrefillAttention
from simcore.cost.composite import Composite
from simcore.cost.hardware import Hardware
from simcore.cost.matmuls import ACTIVATION_BYTES, LayerMatmuls, LmHead
from simcore.cost.model_spec import ModelSpec

ELEMENTWISE_KERNELS = 4
"""Small kernels in a layer: two norms with their residual, rotary embedding, activation."""


class Roofline(Composite):
    """The cost of `model` on `tp` GPUs of one kind, its layers split over them.

    Raises ValueError when the model cannot be split so.
    """

    def __init__(self, model: ModelSpec, hardware: Hardware, tp: int = 1) -> None:
        model.require_tp(tp)
        parts = (model, hardware, tp)
        super().__init__(
            by_tokens=[Launch(hardware), LayerMatmuls(*parts), Elementwise(*parts), AllReduce(*parts)],
            by_sequences=[LmHead(*parts)],
            lines=[DecodeAttention(*parts), PrefillAttention(*parts)],
            described=_described(model, hardware, tp),
        )
        self._decode_lines = _DecodeLines(super().line)

    def line(self, shape: Shape) -> tuple[int, int, int]:
        if shape.chunks:
            return super().line(shape)
        # Decodes alone, as in half of all steps: only attention depends on more than their number, and linearly.
        empty_ps, context_ps, increment = self._decode_lines[shape.decodes << 7 | shape.sm_pct]
        return empty_ps + context_ps * shape.context, increment, UNBOUNDED


class _DecodeLines(dict[int, tuple[int, int, int]]):
    """By `decodes << 7 | sm_pct`: picoseconds with no context, per token of context, and per iteration."""

    def __init__(self, line: Callable[[Shape], tuple[int, int, int]]) -> None:
        super().__init__()
        self._line = line

    def __missing__(self, key: int) -> tuple[int, int, int]:
        decodes, share = key >> 7, key & 127
        empty_ps, increment, _ = self._line(Shape(decodes, sm_pct=share))
        context_ps = self._line(Shape(decodes, context=1, sm_pct=share))[0] - empty_ps
        self[key] = empty_ps, context_ps, increment
        return self[key]


class Launch:
    """Host time of a step that the GPU waits for; the fixed times of kernels are in the terms they belong to."""

    name = "launch"

    def __init__(self, hardware: Hardware) -> None:
        self._step_ps = to_ps(hardware.step_s)

    def ps(self, count: int, sm_pct: int) -> int:
        return self._step_ps


class Elementwise:
    """Embedding, norms, rotary embedding and activations: bytes moved, and one fixed time a kernel."""

    name = "elementwise"

    def __init__(self, model: ModelSpec, hardware: Hardware, tp: int) -> None:
        norms = 8 * model.hidden
        rotary = 2 * (model.heads // tp + model.kv_heads_per_gpu(tp)) * model.head_dim
        dense_width = (model.layers - model.moe_layers) * model.intermediate
        met_width = model.experts_per_token * model.moe_intermediate + model.shared_intermediate
        activations = 3 * (dense_width + model.moe_layers * met_width) // tp
        embedding = 2 * model.hidden
        numbers = model.layers * (norms + rotary) + activations + embedding
        self._token_s = numbers * ACTIVATION_BYTES / (hardware.memory_bytes_per_s * hardware.weights_share)
        self._step_s = ELEMENTWISE_KERNELS * model.layers * hardware.kernel_s

    def ps(self, count: int, sm_pct: int) -> int:
        return to_ps(self._step_s + count * self._token_s) if count else 0


class AllReduce:
    """Two all-reduces a layer, each moving 2 (tp - 1) / tp of the hidden states over the link; none on one GPU."""

    name = "allreduce"

    def __init__(self, model: ModelSpec, hardware: Hardware, tp: int) -> None:
        calls = 2 * model.layers if tp > 1 else 0
        moved_bytes = 2 * (tp - 1) / tp * model.hidden * ACTIVATION_BYTES
        self._step_s = calls * hardware.allreduce_s
        self._token_s = calls * moved_bytes / (hardware.link_bytes_per_s * hardware.link_share)

    def ps(self, count: int, sm_pct: int) -> int:
        return to_ps(self._step_s + count * self._token_s) if count else 0


def _described(model: ModelSpec, hardware: Hardware, tp: int) -> dict[str, object]:
    constants = {
        name: {"value": getattr(hardware, name), "source": source} for name, source in hardware.sources.items()
    }
    return {
        "cost": "roofline",
        "model": asdict(model),
        "hardware": hardware.name,
        "tp": tp,
        "constants": constants,
        "error": hardware.error,
    }
