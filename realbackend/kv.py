"""KV: the blocks of one instance, on its device and in host memory, block-major: one block is one contiguous piece."""

import torch

from realbackend.model.shape import ModelShape


class KvBlocks:
    """Storages of KV.

    Args:
        blocks, host_blocks: how many, on the device and in host memory, which is pinned where there is a GPU.

    `pool` and `host` are [blocks, layers, 2, block_tokens, kv_heads, head_dim].
    """

    def __init__(
        self,
        shape: ModelShape,
        blocks: int,
        block_tokens: int,
        host_blocks: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        each = (shape.layers, 2, block_tokens, shape.kv_heads, shape.head_dim)
        self.pool = torch.zeros((blocks, *each), dtype=dtype, device=device)
        self.host = torch.zeros((host_blocks, *each), dtype=dtype, pin_memory=device.type == "cuda" and host_blocks > 0)
