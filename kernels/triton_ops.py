"""Triton ops: every operation as Triton kernels, for a GPU; tested against `kernels.reference`."""

try:
    import torch
    from torch import Tensor

    from kernels.ops import Plan, Sampling
    from kernels.triton import choose, copy_blocks, paged_decode, paged_prefill, rms_norm, rope_store, silu_mul, top_p
except ModuleNotFoundError as error:
    if error.name not in ("torch", "triton"):
        raise
    raise ImportError(f"the Triton kernels need {error.name}: pip install 'simcore[real]'") from None

_INTERPRETED_PROCESSORS = 132


class TritonOps:
    """`kernels.ops.Ops` on GPUs, in float32, float16 and bfloat16.

    Nothing here waits for the GPU or keeps tensors: intermediate ones come from torch, in the capture of a CUDA graph
    from the pool of the graph. So one object serves any number of captures, streams and threads. The current device
    must be that of the tensors. Tensors may lie apart in all dimensions but the last.

    Args:
        batch_invariant: launch attention in the same way whatever else is in the batch, so that a sequence's result
            depends on that sequence alone; slower where there are few sequences, or very many.
    """

    def __init__(self, *, batch_invariant: bool = False) -> None:
        self.batch_invariant = batch_invariant
        self._processors: dict[torch.device, int] = {}

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        return rms_norm.norm(x, weight, eps)

    def add_rms_norm(self, x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        return rms_norm.add_norm(x, residual, weight, eps)

    def rope_and_store(
        self, q: Tensor, k: Tensor, v: Tensor, table: Tensor, positions: Tensor, slots: Tensor, layer: Tensor
    ) -> Tensor:
        return rope_store.rotate_and_store(q, k, v, table, positions, slots, layer)

    def attention(self, q: Tensor, layer: Tensor, plan: Plan, scale: float) -> Tensor:
        """Raises ValueError for block_tokens or head_dim that the kernels cannot have."""
        _check(layer.shape[2], q.shape[2])
        out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
        invariant = self.batch_invariant
        if plan.decodes:
            processors = self._processors_of(q.device)
            paged_decode.attend_decodes(out, q, layer, plan, scale, processors=processors, batch_invariant=invariant)
        if plan.decodes < plan.contexts.shape[0]:
            paged_prefill.attend_prefills(out, q, layer, plan, scale, batch_invariant=invariant)
        return out

    def silu_mul(self, gate_up: Tensor) -> Tensor:
        return silu_mul.activate(gate_up)

    def copy_blocks(self, source: Tensor, source_ids: Tensor, target: Tensor, target_ids: Tensor) -> None:
        copy = copy_blocks.copy if source.device == target.device else copy_blocks.copy_across
        copy(source, source_ids, target, target_ids)

    def sample(self, logits: Tensor, how: Sampling | None) -> Tensor:
        return choose.choose(logits, how, None if how is None else top_p.cuts_of(logits, how))

    def _processors_of(self, device: torch.device) -> int:
        """Return how many multiprocessors a device has; where kernels are interpreted, as many as an H200."""
        if device not in self._processors:
            cuda = device.type == "cuda"
            properties = torch.cuda.get_device_properties(device) if cuda else None
            self._processors[device] = properties.multi_processor_count if properties else _INTERPRETED_PROCESSORS
        return self._processors[device]


def _check(block_tokens: int, head_dim: int) -> None:
    if block_tokens < 4 or block_tokens & (block_tokens - 1):
        raise ValueError(f"block_tokens must be a power of two >= 4 for the Triton kernels, got {block_tokens}")
    if head_dim > 256 or head_dim % 2:
        raise ValueError(f"head_dim must be even and at most 256 for the Triton kernels, got {head_dim}")
