"""Probe: a small fixed step of a model, done again and again to see how fast the machine is just now."""

import time
from collections.abc import Callable

import torch

from kernels.ops import Ops
from realbackend.kv import KvBlocks
from realbackend.model.decoder import Decoder
from realbackend.torch_engine import TorchEngine
from realbackend.work import Work

_SEQUENCES, _CONTEXT, _BLOCK_TOKENS = 3, 90, 16


def probe_of(decoder: Decoder, ops: Ops) -> Callable[[], None]:
    """Return three decodes at a context of 90 tokens, on KV blocks of their own."""
    each = -(-(_CONTEXT + 1) // _BLOCK_TOKENS)
    blocks = _SEQUENCES * each
    kv = KvBlocks(decoder.shape, blocks, _BLOCK_TOKENS, 0, device=decoder.device, dtype=decoder.dtype)
    engine = TorchEngine(decoder, kv, ops)
    work = [Work(i, _CONTEXT, [5], list(range(i * each, (i + 1) * each)), True) for i in range(_SEQUENCES)]

    def step() -> None:
        engine.run(work)

    return step


def clock_of(device: torch.device) -> Callable[[], float]:
    """Return the seconds a device has worked: CPU time of this thread, or wall time of a GPU that is done."""
    if device.type == "cpu":
        return time.thread_time

    def gpu() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return gpu
