"""Memory: how many KV blocks fit a GPU beside the weights and what a step needs.

As vLLM V1 counts: a share of the memory CUDA reports, less the weights, less the peak of a profiling step, less what
lies outside the tensor allocator, and from 0.21 on less what it expects CUDA graphs to take. A server's own log is
better than any formula: give `num_gpu_blocks` where it is known.
"""

from simcore.cost.hardware import Hardware
from simcore.cost.matmuls import ACTIVATION_BYTES
from simcore.cost.model_spec import ModelSpec

CONTEXT_BYTES = 268_435_456
"""CUDA context and libraries: vLLM reports 0.20 to 0.25 GiB of non-torch memory (vllm#13061, vllm#14447)."""
COLLECTIVE_BYTES = 411_041_792
"""Buffers of NCCL with several GPUs: aiconfigurator@095f58a5 system.yaml, nccl_mem (342 to 392 MiB)."""
SAMPLER_BYTES = 26
"""Per logit while sampling with top-p: logits at 2 and 4 bytes, sorted 4, their index 8, probabilities and sums 8."""


def kv_blocks(
    model: ModelSpec,
    hardware: Hardware,
    tp: int = 1,
    block_tokens: int = 16,
    memory_utilization: float = 0.9,
    reserve_bytes: int | None = None,
    *,
    max_num_batched_tokens: int = 2048,
    max_num_seqs: int = 256,
    graph_bytes: int = 0,
) -> int:
    """Return the whole KV blocks of `block_tokens` tokens that fit one instance of `tp` GPUs; always >= 1.

    memory_utilization: share of `hardware.memory_bytes` in use, vLLM's `gpu_memory_utilization`, in (0, 1].
    reserve_bytes: kept free of weights and KV on each GPU; None takes `step_reserve_bytes`.
    graph_bytes: kept free for CUDA graphs beside that. vLLM takes nothing off for them up to 0.20, and from 0.21 on
        what it logs as "Estimated CUDA graph memory" (gpustack/runner#251 has such a log).
    Raises ValueError when not one block fits, with what is missing and the smallest tp that would do.
    """
    model.require_tp(tp)
    if block_tokens < 1:
        raise ValueError(f"block_tokens must be >= 1, got {block_tokens}")
    if not 0 < memory_utilization <= 1:
        raise ValueError(f"memory_utilization must be in (0, 1], got {memory_utilization}")
    for name, kept in (("reserve_bytes", reserve_bytes or 0), ("graph_bytes", graph_bytes)):
        if kept < 0:
            raise ValueError(f"{name} must be >= 0, got {kept}")

    def free_bytes(gpus: int) -> int:
        reserve = reserve_bytes
        if reserve is None:
            reserve = step_reserve_bytes(model, gpus, max_num_batched_tokens, max_num_seqs)
        return int(hardware.memory_bytes * memory_utilization) - model.weight_bytes(gpus) - reserve - graph_bytes

    def blocks(gpus: int) -> int:
        return free_bytes(gpus) // (block_tokens * model.kv_bytes_per_token(gpus))

    if blocks(tp) >= 1:
        return blocks(tp)
    missing_gb = (block_tokens * model.kv_bytes_per_token(tp) - free_bytes(tp)) / 1e9
    fits = next((f"tp {gpus} would fit" for gpus in _splits(model) if blocks(gpus) >= 1), "no tp would fit")
    usable_gb = hardware.memory_bytes * memory_utilization / 1e9
    raise ValueError(
        f"{model.name} ({model.weights_dtype}) must fit {hardware.name} with tp {tp}: its weights take "
        f"{model.weight_bytes(tp) / 1e9:.1f} GB of {usable_gb:.1f} GB usable, {missing_gb:.1f} GB too much for one "
        f"KV block; {fits}"
    )


def step_reserve_bytes(
    model: ModelSpec, tp: int = 1, max_num_batched_tokens: int = 2048, max_num_seqs: int = 256
) -> int:
    """Return what a GPU needs beside weights and KV: the larger of a full step and of sampling, and fixed buffers.

    The forward pass is widest in the MLP: gate, up and their product, beside hidden states and residual.
    """
    width = max(model.intermediate, model.experts_per_token * model.moe_intermediate + model.shared_intermediate)
    forward = max_num_batched_tokens * (3 * width // tp + 2 * model.hidden) * ACTIVATION_BYTES
    sampler = max_num_seqs * model.vocab * SAMPLER_BYTES
    return max(forward, sampler) + CONTEXT_BYTES + (COLLECTIVE_BYTES if tp > 1 else 0)


def _splits(model: ModelSpec) -> list[int]:
    """Return the tensor-parallel degrees the model allows, ascending."""

    def allowed(tp: int) -> bool:
        try:
            model.require_tp(tp)
        except ValueError:
            return False
        return True

    return [tp for tp in range(1, model.heads + 1) if allowed(tp)]
