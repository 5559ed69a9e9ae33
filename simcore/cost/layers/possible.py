"""Possible: whether matrix products could run as fast as a profile says, on the GPU it says."""

from simcore.cost.hardware import Hardware
from simcore.cost.layers.tables import PRODUCTS, Curve, LayerTables
from simcore.cost.model_spec import DTYPE_BYTES, ModelSpec

_ABOVE_PEAK = 1.05
_BELOW_PEAK = 100.0
_CACHED_BYTES = 150e6
"""No GPU keeps so many weights in its cache from one measurement to the next."""


def require_possible(tables: LayerTables, model: ModelSpec, hardware: Hardware, where: object) -> None:
    """Raise ValueError when a product runs above the GPU's peak, or a hundred times below.

    Another unit, another GPU, another model and shapes of another tp are all told by that.
    """
    head = {"lm_head": tables.head["lm_head"]}
    fast, slow = [], []
    for name, curve in {**{name: tables.dense[name] for name in PRODUCTS}, **head}.items():
        k, n = _shape(model, tables.tp, name)
        dtype = "bf16" if name == "lm_head" else model.weights_dtype
        points = [(count, us, _peak_us(hardware, dtype, count, k, n)) for count, us in _points(curve)]
        fast += [(least_us / us, name, count, us) for count, us, least_us in points]
        count, us, least_us = points[-1]
        slow.append((us / least_us, name, count, us))
    for worst, allowed, what in (
        (max(fast), _ABOVE_PEAK, "above the peak"),
        (max(slow), _BELOW_PEAK, "below the peak"),
    ):
        times, name, count, us = worst
        if times > allowed:
            raise ValueError(
                f"{where}: {name} at {count:g} took {us:g} us, {times:.3g} times {what} of {hardware.name}. Are these "
                f"microseconds, of {tables.model}, of one layer, with tp {tables.tp}?"
            )


def _peak_us(hardware: Hardware, dtype: str, rows: float, k: int, n: int) -> float:
    flops = hardware.fp8_flops if dtype == "fp8" and hardware.fp8_flops else hardware.bf16_flops
    weights = k * n * DTYPE_BYTES[dtype]
    read_s = weights / hardware.memory_bytes_per_s if weights > _CACHED_BYTES else 0.0
    return max(2 * rows * k * n / flops, read_s) * 1e6


def _shape(model: ModelSpec, tp: int, name: str) -> tuple[int, int]:
    """Return width in and width out of a product on one of `tp` GPUs."""
    queries = model.heads // tp * model.head_dim
    keys_values = 2 * model.kv_heads_per_gpu(tp) * model.head_dim
    return {
        "qkv_proj": (model.hidden, queries + keys_values),
        "o_proj": (queries, model.hidden),
        "gate_up_proj": (model.hidden, 2 * model.intermediate // tp),
        "down_proj": (model.intermediate // tp, model.hidden),
        "lm_head": (model.hidden, model.vocab // tp),
    }[name]


def _points(curve: Curve) -> list[tuple[float, float]]:
    return list(zip(curve.counts.tolist(), curve.us.tolist(), strict=True))
