"""KV: the blocks of one instance, on its device and in host memory, block-major: one block is one contiguous piece."""

import torch

from realbackend.device import Device
from realbackend.in_flight import InFlight
from realbackend.model.shape import ModelShape


class KvBlocks:
    """Storages of KV, made once: graphs and copies under way know them by their addresses.

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
        self.blocks = blocks
        self.block_tokens = block_tokens
        self.pool = torch.zeros((blocks, *each), dtype=dtype, device=device)
        self.host = Device(device).pinned((host_blocks, *each), dtype)
        self.moving, self.host_moving = InFlight(), InFlight()
        """Blocks of each that copies read or write."""
