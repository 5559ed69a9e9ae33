"""Reference: what the bare roofline, and the GPU's peak alone, say about a measured point."""

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from simcore.contract import PS_PER_S, Shape
from simcore.cost.attention import DecodeAttention, PrefillAttention
from simcore.cost.hardware import Hardware
from simcore.cost.matmuls import LayerMatmuls, Product
from simcore.cost.model_spec import ModelSpec
from simcore.cost.roofline import AllReduce, Elementwise, Roofline
from simcore.cost.tables.table import Table, Values

Point = tuple[float, ...]


def roofline_seconds(table: Table, hardware: Hardware, sizes: Mapping[str, int]) -> Values:
    """Return what the roofline says of the measured points of a table, [n]; sizes: of the model, if for one only."""
    at = _ROOFLINES[table.term](table, hardware, sizes)
    return np.array([at(tuple(point)) for point in table.points()[0].tolist()], dtype=np.float64)


def peak_seconds(table: Table, hardware: Hardware, sizes: Mapping[str, int]) -> Values:
    """Return the least the measured points of a table can take: their operations at the datasheet's rate, [n].

    0 where there is no such bound. Bytes give none: small matrices stay in the cache.
    """
    points = table.points()[0]
    if table.term == "gemm":
        fp8 = str(table.labels["dtype"]).startswith("fp8") and hardware.fp8_flops
        least: Values = 2 * points.prod(axis=1) / (hardware.fp8_flops if fp8 else hardware.bf16_flops)
        return least
    if table.term == "prefill_attention":
        heads, batch, tokens = points.T
        operations = 4 * float(table.labels["head_dim"]) * heads * batch * tokens * (tokens + 1) / 2
        # FP8 kernels may multiply at twice the rate.
        fastest: Values = operations / max(hardware.bf16_flops, hardware.fp8_flops)
        return fastest
    if table.term == "step_prefill":
        active = _model(sizes).active_parameters - 2 * sizes["vocab"] * sizes["hidden"]
        return 2 * active * points[:, 0] / (float(table.labels["tp"]) * hardware.bf16_flops)
    return np.zeros(len(points))


def _gemm(table: Table, hardware: Hardware, _: Mapping[str, int]) -> Callable[[Point], float]:
    dtype = "fp8" if str(table.labels["dtype"]).startswith("fp8") else "bf16"
    return lambda point: Product(int(point[2]), int(point[1]), dtype).seconds(hardware, int(point[0]), 100)


def _prefill(table: Table, hardware: Hardware, _: Mapping[str, int]) -> Callable[[Point], float]:
    @cache
    def term(heads: int) -> PrefillAttention:
        return PrefillAttention(_one_layer(table, heads), hardware, 1)

    def at(point: Point) -> float:
        heads, batch, tokens = map(int, point)
        return term(heads).line(Shape(chunks=[(tokens, 0)] * batch))[0] / PS_PER_S

    return at


def _decode(table: Table, hardware: Hardware, _: Mapping[str, int]) -> Callable[[Point], float]:
    @cache
    def term(heads: int) -> DecodeAttention:
        return DecodeAttention(_one_layer(table, heads), hardware, 1)

    def at(point: Point) -> float:
        heads, batch, context = map(int, point)
        return term(heads).line(Shape(decodes=batch, context=batch * context))[0] / PS_PER_S

    return at


def _allreduce(table: Table, hardware: Hardware, _: Mapping[str, int]) -> Callable[[Point], float]:
    # One token of a model of width one is one element of two bytes, reduced twice.
    gpus = int(table.labels["gpus"])
    term = AllReduce(_model({"layers": 1, "hidden": 1, "heads": gpus, "kv_heads": gpus, "head_dim": 1}), hardware, gpus)
    return lambda point: term.ps(int(point[0]) // 2, 100) / 2 / PS_PER_S


def _layer_matmuls(table: Table, hardware: Hardware, sizes: Mapping[str, int]) -> Callable[[Point], float]:
    term = LayerMatmuls(_model({**sizes, "layers": 1}), hardware, int(table.labels["tp"]))
    return lambda point: term.ps(int(point[0]), 100) / PS_PER_S


def _layer_elementwise(table: Table, hardware: Hardware, sizes: Mapping[str, int]) -> Callable[[Point], float]:
    # Two layers less one: what is left has no embedding in it.
    one, two = (Elementwise(_model({**sizes, "layers": n}), hardware, int(table.labels["tp"])) for n in (1, 2))
    return lambda point: (two.ps(int(point[0]), 100) - one.ps(int(point[0]), 100)) / PS_PER_S


def _embedding(_: Table, hardware: Hardware, sizes: Mapping[str, int]) -> Callable[[Point], float]:
    rate = hardware.memory_bytes_per_s * hardware.weights_share
    return lambda point: hardware.kernel_s + point[0] * 2 * sizes["hidden"] * 2 / rate


def _step_prefill(table: Table, hardware: Hardware, sizes: Mapping[str, int]) -> Callable[[Point], float]:
    cost = Roofline(_model(sizes), hardware, int(table.labels["tp"]))
    return lambda point: cost.line(Shape(chunks=[(int(point[0]), 0)]))[0] / PS_PER_S


def _step_decode(table: Table, hardware: Hardware, sizes: Mapping[str, int]) -> Callable[[Point], float]:
    cost = Roofline(_model(sizes), hardware, int(table.labels["tp"]))
    context = int(table.labels["context"])
    return lambda point: cost.line(Shape(int(point[0]), int(point[0]) * context))[0] / PS_PER_S


def _step_context(table: Table, hardware: Hardware, sizes: Mapping[str, int]) -> Callable[[Point], float]:
    cost = Roofline(_model(sizes), hardware, int(table.labels["tp"]))
    return lambda point: cost.line(Shape(1, int(point[0])))[0] / PS_PER_S


_ROOFLINES: dict[str, Callable[[Table, Hardware, Mapping[str, int]], Callable[[Point], float]]] = {
    "gemm": _gemm,
    "prefill_attention": _prefill,
    "decode_attention": _decode,
    "allreduce": _allreduce,
    "layer_matmuls": _layer_matmuls,
    "layer_elementwise": _layer_elementwise,
    "embedding": _embedding,
    "step_prefill": _step_prefill,
    "step_decode": _step_decode,
    "step_context": _step_context,
}


def _one_layer(table: Table, heads: int) -> ModelSpec:
    """Return a model that is one attention layer of `heads` query heads as the table's labels have it."""
    kv_heads, head_dim = int(table.labels["kv_heads"]), int(table.labels["head_dim"])
    sizes = {"layers": 1, "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim, "hidden": heads * head_dim}
    return _model(sizes, str(table.labels["kv_dtype"]))


def _model(sizes: Mapping[str, int], kv_dtype: str = "bf16") -> ModelSpec:
    return ModelSpec(
        name="measured",
        source="a table",
        layers=sizes["layers"],
        hidden=sizes["hidden"],
        heads=sizes["heads"],
        kv_heads=sizes["kv_heads"],
        head_dim=sizes.get("head_dim", sizes["hidden"] // sizes["heads"]),
        intermediate=sizes.get("intermediate", 0),
        vocab=sizes.get("vocab", 1),
        tied_embeddings=False,
        kv_dtype="fp8" if kv_dtype == "fp8" else "bf16",
    )
