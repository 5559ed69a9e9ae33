"""Measured: operator times from public tables, the constants derived from them, and the roofline's error on them.

The tables are not part of the repository; see `profiles()`. Run from the repository root to print all three tables of
docs/cost_model.md: `python -m tests.cost.measured`.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simcore.cost import Hardware, load_hardware
from simcore.cost.matmuls import Product

TABLES = {"a100-80gb": "a100_sxm", "h100": "h100_sxm", "h200": "h200_sxm"}
BYTES = 2
Points = pd.DataFrame
Values = NDArray[np.float64]


def profiles() -> Path:
    """Return the folder of public measurements that may lie beside the repository."""
    return Path(__file__).resolve().parents[3] / "shared" / "profiles"


def matmuls(gpu: str) -> Points:
    """Return bf16 (and fp8, one scale per tensor) products: dtype, m, n, k, seconds; the best kernel of each shape."""
    points = _table(gpu, "gemm").rename(columns={"gemm_dtype": "dtype"})
    points = points[points.dtype.isin(["bfloat16", "fp8"])].replace({"dtype": {"bfloat16": "bf16"}})
    return points.groupby(["dtype", "m", "n", "k"], as_index=False)[["seconds"]].min()


def attention(gpu: str, phase: str) -> Points:
    """Return "context" or "generation" attention, bf16, heads of 128, no window, at least eight heads."""
    points = _table(gpu, f"{phase}_attention")
    points = points[(points.kv_cache_dtype == "bfloat16") & (points.head_dim == 128) & (points.num_heads >= 8)]
    if "window_size" in points:
        points = points[points.window_size == 0]
    return points[points.isl >= 128] if phase == "context" else points


def derived(gpu: str) -> dict[str, float]:
    """Return the constants of a GPU's hardware file that its tables give."""
    hardware = load_hardware(gpu)
    constants = dict(_matmul_constants(hardware, matmuls(gpu)))
    prefill = fit_relative(attention(gpu, "context"), prefill_features(hardware, attention(gpu, "context")))
    decode = fit_relative(attention(gpu, "generation"), decode_features(hardware, attention(gpu, "generation")))
    constants |= {"prefill_attention_s": prefill[0], "attention_share": 1 / prefill[1], "prefill_passes": prefill[2]}
    constants |= {"decode_attention_s": decode[0], "kv_share": 1 / decode[1], "decode_passes": decode[2]}
    reduces = _table(gpu, "custom_allreduce")
    reduces = reduces[reduces.backend == "vllm_graph"]
    moved = 2 * (reduces.num_gpus - 1) / reduces.num_gpus * reduces.message_size * BYTES
    large = reduces.message_size >= 2**24
    constants["link_share"] = float((moved / hardware.link_bytes_per_s / reduces.seconds)[large].median())
    constants["allreduce_s"] = float(reduces.seconds[reduces.message_size <= 2**12].median())
    return constants


def prefill_features(hardware: Hardware, points: Points) -> Values:
    pairs = points.batch_size * points.num_heads * points.isl * (points.isl + 1.0) / 2
    io = points.batch_size * points.isl * 2.0 * (points.num_heads + points.num_key_value_heads) * 128 * BYTES
    return np.stack(
        [np.ones(len(points)), 4 * 128 * pairs / hardware.bf16_flops, io / hardware.memory_bytes_per_s], axis=1
    )


def decode_features(hardware: Hardware, points: Points) -> Values:
    kv = points.batch_size * (points.step + 1.0) * 2 * points.num_key_value_heads * 128 * BYTES
    io = points.batch_size * 2.0 * points.num_heads * 128 * BYTES
    bandwidth = hardware.memory_bytes_per_s
    return np.stack([np.ones(len(points)), kv / bandwidth, io / bandwidth], axis=1)


def fit_relative(points: Points, features: Values) -> Values:
    """Return the least-squares weights of `features` for `points.seconds`, by relative error."""
    seconds = points.seconds.to_numpy()
    weights: Values = np.linalg.lstsq(features / seconds[:, None], np.ones(len(points)), rcond=None)[0]
    return weights


def errors(gpu: str) -> Iterator[tuple[str, int, float, float]]:
    """Yield (operator, points, median, p90) of the roofline's relative error with the shipped constants."""
    hardware = load_hardware(gpu)
    for dtype, points in matmuls(gpu).groupby("dtype"):
        for name, chosen in (("", points), (", n and k >= 1024", points[(points.n >= 1024) & (points.k >= 1024)])):
            rows = zip(chosen.k, chosen.n, chosen.m, strict=True)
            predicted = [Product(k, n, str(dtype)).seconds(hardware, m, 100) for k, n, m in rows]
            yield f"matmul {dtype}{name}", len(chosen), *_spread(np.array(predicted), chosen)
    points = attention(gpu, "context")
    weights = [hardware.prefill_attention_s, 1 / hardware.attention_share, hardware.prefill_passes]
    yield "prefill attention", len(points), *_spread(prefill_features(hardware, points) @ np.array(weights), points)
    points = attention(gpu, "generation")
    weights = [hardware.decode_attention_s, 1 / hardware.kv_share, hardware.decode_passes]
    yield "decode attention", len(points), *_spread(decode_features(hardware, points) @ np.array(weights), points)


def _matmul_constants(hardware: Hardware, points: Points) -> Iterator[tuple[str, float]]:
    points = points[(points.n >= 2048) & (points.k >= 2048)]
    bf16 = points[points.dtype == "bf16"]
    small = bf16[bf16.m <= 16]
    moved = BYTES * (small.n * small.k + small.m * (small.n + small.k)) / hardware.memory_bytes_per_s
    floor, per_byte = fit_relative(small, np.stack([np.ones(len(small)), moved], axis=1))
    yield "matmul_s", floor
    yield "weights_share", 1 / per_byte
    for name, dtype, peak in (
        ("matmul_share", "bf16", hardware.bf16_flops),
        ("fp8_matmul_share", "fp8", hardware.fp8_flops),
    ):
        large = points[(points.dtype == dtype) & (points.m >= 1024)]
        if len(large):
            compute_s = 2.0 * large.m * large.n * large.k / peak
            yield name, float((compute_s / (large.seconds - floor)).median())


def _spread(predicted: Values, points: Points) -> tuple[float, float]:
    error = np.abs(predicted / points.seconds.to_numpy() - 1)
    return float(np.median(error)), float(np.quantile(error, 0.9))


def _table(gpu: str, operator: str) -> Points:
    folder = profiles() / "aiconfigurator" / TABLES[gpu]
    points = pd.concat([pd.read_parquet(file) for file in sorted(folder.glob(f"{operator}*.parquet"))])
    return points.assign(seconds=points.latency / 1e3)


if __name__ == "__main__":
    for name in TABLES:
        print(name, *(f"{key}={value:.4g}" for key, value in derived(name).items()), sep="\n  ")
        for operator, count, median, p90 in errors(name):
            print(f"  {operator}: {count} points, median {median:.1%}, p90 {p90:.1%}")
