"""Torch here: one thread, and a small model whose answers are varied; whoever imports this skips without torch."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'simcore[real]'")
torch.set_num_threads(1)

from kernels import ops_on  # noqa: E402
from realbackend.kv import KvBlocks  # noqa: E402
from realbackend.model.decoder import Decoder  # noqa: E402
from realbackend.torch_engine import TorchEngine  # noqa: E402
from realbackend.work import Work  # noqa: E402

CPU = torch.device("cpu")


def sharpen(decoder: Decoder) -> Decoder:
    """Make its weights larger: drawn as they are, a small model says the same token again and again."""
    with torch.inference_mode():
        for layer in decoder.layers:
            for matrix in (layer.qkv, layer.output, layer.gate_up, layer.down):
                matrix.mul_(4)
    return decoder


def engine_of(decoder: Decoder, blocks: int, block_tokens: int = 16, host_blocks: int = 0) -> TorchEngine:
    kv = KvBlocks(decoder.shape, blocks, block_tokens, host_blocks, device=decoder.device, dtype=decoder.dtype)
    return TorchEngine(decoder, kv, ops_on(decoder.device))


def alone(decoder: Decoder, prompt: list[int], output: int) -> list[int]:
    """Return what a prompt generates on an engine of its own, prefilled at once."""
    blocks = -(-(len(prompt) + output) // 16)
    engine, ids = engine_of(decoder, blocks), list(range(blocks))
    tokens = engine.run([Work(0, 0, prompt, ids, True)])
    while len(tokens) < output:
        tokens += engine.run([Work(0, len(prompt) + len(tokens) - 1, tokens[-1:], ids, True)])
    return tokens
