"""Measured on an RTX PRO 6000: per-layer times of LLMServingSim, and the constants derived from them.

The model is Llama-3.1-8B in bf16 on one GPU; times are of one layer. Not part of the repository; see `profiles()`.
"""

import numpy as np
import pandas as pd

from simcore.cost import Hardware, load_hardware, load_model
from tests.cost.measured import BYTES, Points, Values, fit_relative, profiles

MODEL = load_model("llama-3.1-8b")
HEADS_BYTES = (MODEL.heads + MODEL.kv_heads) * MODEL.head_dim * BYTES


def products() -> Points:
    """Return m, n, k, seconds of the four products of a layer and of the LM head."""
    width, hidden = MODEL.intermediate, MODEL.hidden
    shapes = {"qkv_proj": (6144, hidden), "o_proj": (hidden, hidden), "gate_up_proj": (2 * width, hidden)}
    shapes |= {"down_proj": (hidden, width), "lm_head": (MODEL.vocab, hidden)}
    dense = _read("dense").rename(columns={"tokens": "m"})
    head = _read("per_sequence").rename(columns={"sequences": "m"})
    points = pd.concat([dense, head])
    points = points[points.layer.isin(list(shapes))]
    return points.assign(n=[shapes[x][0] for x in points.layer], k=[shapes[x][1] for x in points.layer])


def prefill_features(hardware: Hardware, points: Points) -> Values:
    pairs = MODEL.heads * points.prefill_chunk * (points.kv_prefill + (points.prefill_chunk + 1) / 2)
    compute_s = 4 * MODEL.head_dim * pairs / hardware.bf16_flops
    io_s = points.prefill_chunk * 2 * HEADS_BYTES / hardware.memory_bytes_per_s
    return np.stack([np.ones(len(points)), compute_s, io_s], axis=1)


def decode_features(hardware: Hardware, points: Points) -> Values:
    kv = points.n_decode * points.kv_decode * 2 * MODEL.kv_heads * MODEL.head_dim * BYTES
    io = points.n_decode * 2 * MODEL.heads * MODEL.head_dim * BYTES
    return np.stack([np.ones(len(points)), kv, io], axis=1) / [1, *[hardware.memory_bytes_per_s] * 2]


def derived() -> dict[str, float]:
    """Return the constants of rtx-pro-6000.yaml that the tables give."""
    hardware = load_hardware("rtx-pro-6000")
    points = products()
    small, large = points[points.m <= 16], points[points.m >= 1024]
    moved = BYTES * (small.n * small.k + small.m * (small.n + small.k)) / hardware.memory_bytes_per_s
    floor, per_byte = fit_relative(small, np.stack([np.ones(len(small)), moved], axis=1))
    compute_s = 2.0 * large.m * large.n * large.k / hardware.bf16_flops
    prefill, decode = attention("prefill"), attention("decode")
    prefill_fit = fit_relative(prefill, prefill_features(hardware, prefill))
    decode_fit = fit_relative(decode, decode_features(hardware, decode))
    dense = _read("dense")
    small_kernels = dense[dense.layer.isin(["layernorm", "rotary_emb", "act_fn"]) & (dense.tokens <= 16)]
    return {
        "matmul_s": floor,
        "weights_share": 1 / per_byte,
        "matmul_share": float((compute_s / (large.seconds - floor)).median()),
        "prefill_attention_s": prefill_fit[0],
        "attention_share": 1 / prefill_fit[1],
        "prefill_passes": prefill_fit[2],
        "decode_attention_s": decode_fit[0],
        "kv_share": 1 / decode_fit[1],
        "decode_passes": decode_fit[2],
        "kernel_s": float(small_kernels.seconds.median()),
    }


def attention(phase: str) -> Points:
    """Return the points of pure "prefill" (chunks >= 128, as for the other GPUs) or pure "decode" batches."""
    points = _read("attention")
    if phase == "prefill":
        return points[(points.n_decode == 0) & (points.prefill_chunk >= 128)]
    return points[(points.prefill_chunk == 0) & (points.n_decode > 0)]


def _read(name: str) -> Points:
    folder = profiles() / "llmservingsim" / "rtxpro6000_llama-3.1-8b" / "profile"
    points = pd.read_csv(folder / f"{name}.csv").drop_duplicates()
    return points.assign(seconds=points.time_us / 1e6)


if __name__ == "__main__":
    gpu = load_hardware("rtx-pro-6000")
    for key, value in derived().items():
        print(f"  {key}={value:.4g}")
