"""Published: small files in the formats others publish, with times a little off the roofline of a real GPU."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pandas as pd

from simcore.contract import Shape
from simcore.cost import Roofline, load_hardware, load_model
from simcore.cost.matmuls import LayerMatmuls, Product
from simcore.cost.roofline import Elementwise

GPU = load_hardware("h200")
MODEL = load_model("llama-2-7b")
STEPPED = load_model("llama-2-70b")
SAID = {"framework": "VLLM", "version": "0.22.0", "device": "NVIDIA H200"}
Change = Callable[[pd.DataFrame], pd.DataFrame]


def gemm(folder: Path, change: Change = lambda rows: rows) -> Path:
    """Write products of a few sizes, each 1.1 times the roofline, as aiconfigurator does."""
    rows = [
        {"m": m, "n": n, "k": k, "latency": 1.1e3 * Product(k, n, "bf16").seconds(GPU, m, 100)}
        for m, n, k in product((1, 2, 4, 8, 16, 32, 64), (1024, 4096, 16384), (1024, 4096, 16384))
    ]
    return _parquet(folder / "gemm_vllm_0.22.0.parquet", pd.DataFrame(rows).assign(gemm_dtype="bfloat16"), change)


def generation(folder: Path, change: Change = lambda rows: rows) -> Path:
    """Write decode attention of one pair of heads: 10 us and 0.8 ns a token of context."""
    rows = [
        {"batch_size": b, "step": step, "latency": 10e-3 + 0.8e-6 * b * (step + 1)}
        for b, step in product((1, 2, 4, 8, 16), (1, 3, 7, 15, 1023, 2047))
    ]
    heads = {"isl": 1, "num_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "window_size": 0}
    points = pd.DataFrame(rows).assign(**heads, kv_cache_dtype="bfloat16")
    return _parquet(folder / "generation_attention_vllm_0.22.0.parquet", points, change)


def vidur(folder: Path, change: Change = lambda rows: rows) -> Path:
    """Write the layers of Llama-2-7B on one GPU, 1.2 times the roofline, and 5 us of embedding, as Vidur does."""
    layers, elementwise = (term(MODEL, GPU, 1) for term in (LayerMatmuls, Elementwise))
    products = ("attn_pre_proj", "attn_post_proj", "mlp_up_proj", "mlp_down_proj")
    others = ("input_layernorm", "post_attention_layernorm", "attn_rope", "mlp_act", "add")
    rows = []
    for tokens in (0, 1, 8, 16, 64, 128, 256, 512):
        row: dict[str, float] = {"num_tokens": tokens, "time_stats.emb.median": 5e-3}
        for names, term in ((products, layers), (others, elementwise)):
            ms = 1.2 * term.ps(max(1, tokens), 100) / 1e9 / MODEL.layers / len(names)
            row |= {f"time_stats.{name}.median": ms for name in names}
        rows.append(row)
    sizes = {"n_embd": 4096, "n_head": 32, "n_kv_head": 32, "n_expanded_embd": 11008}
    points = change(pd.DataFrame(rows).assign(**sizes, num_tensor_parallel_workers=1))
    path = folder / "llama_mlp.csv.gz"
    points.to_csv(path, index=False)
    return path


def allreduce(folder: Path) -> Path:
    """Write reductions over two GPUs: 10 us, and 1 us for every 100 kB."""
    sizes = (2048, 100_000, 10**6, 10**7)
    rows = [{"size": size, "time_stats.all_reduce.median": 10e-3 + size / 1e8} for size in sizes]
    path = folder / "h200_all_reduce.csv"
    pd.DataFrame(rows).assign(num_workers=2, devices_per_node=2, collective="all_reduce").to_csv(path, index=False)
    return path


def splitwise(folder: Path, change: Change = lambda rows: rows) -> Path:
    """Write phases of Llama-2-70B on eight GPUs, 1.5 times the roofline, as splitwise-sim does."""
    cost = Roofline(STEPPED, GPU, 8)
    sizes = [*product((128, 512, 1024, 2048), (1,)), *product((512,), (2, 4, 8, 16))]
    rows = [
        {
            "prompt_size": prompt,
            "batch_size": batch,
            "prompt_time": 1.5 * cost.line(Shape(chunks=[(prompt, 0)] * batch))[0] / 1e9,
            "token_time": 1.5 * cost.line(Shape(batch, batch * (prompt + 64)))[0] / 1e9,
        }
        for prompt, batch in sizes
    ]
    path = folder / "perf_model.csv"
    named = pd.DataFrame(rows).assign(model="llama2-70b", hardware="h200-80gb", token_size=128, tensor_parallel=8)
    change(named).to_csv(path, index=False)
    return path


def _parquet(path: Path, rows: pd.DataFrame, change: Change) -> Path:
    change(rows.assign(**SAID)).to_parquet(path)
    return path
