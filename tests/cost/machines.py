"""Machines of round numbers, for costs that can be checked by hand."""

from simcore.cost import Hardware, ModelSpec


def hardware(**changes: float) -> Hardware:
    """One byte a picosecond, a thousand operations a picosecond, every peak reached, nothing fixed."""
    numbers: dict[str, float] = {
        "memory_bytes": 10**9,
        "memory_bytes_per_s": 1e12,
        "bf16_flops": 1e15,
        "fp8_flops": 2e15,
        "link_bytes_per_s": 1e11,
        "pcie_bytes_per_s": 1e10,
        "sms": 100,
        "prefill_passes": 0,
        "decode_passes": 0,
    }
    shares = ("matmul", "fp8_matmul", "weights", "attention", "kv", "link")
    numbers |= {f"{share}_share": 1 for share in shares}
    fixed = ("matmul", "prefill_attention", "decode_attention", "kernel", "allreduce", "step")
    numbers |= {f"{kernel}_s": 0 for kernel in fixed}
    return Hardware(name="round", **(numbers | changes))  # type: ignore[arg-type]


def model(**changes: object) -> ModelSpec:
    """One layer, width 100, four heads of 10 over two KV heads, MLP of 200, ten words."""
    sizes: dict[str, object] = {
        "name": "tiny",
        "source": "a test",
        "layers": 1,
        "hidden": 100,
        "heads": 4,
        "kv_heads": 2,
        "head_dim": 10,
        "intermediate": 200,
        "vocab": 10,
        "tied_embeddings": False,
    }
    return ModelSpec(**(sizes | changes))  # type: ignore[arg-type]
