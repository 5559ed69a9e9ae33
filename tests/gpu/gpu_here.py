"""GPU here: a small model on the GPU, and engines of it; whoever imports this skips without torch."""

from tests.real.batches import BLOCK_TOKENS, BLOCKS
from tests.real.torch_here import sharpen, torch

import pytest  # isort: skip
from kernels import ops_on  # isort: skip
from realbackend.kv import KvBlocks  # isort: skip
from realbackend.model.decoder import Decoder  # isort: skip
from realbackend.model.weights import load_decoder  # isort: skip
from realbackend.torch_engine import TorchEngine  # isort: skip

HERE = torch.cuda.is_available()
NEEDS_GPU = [pytest.mark.gpu, pytest.mark.skipif(not HERE, reason="needs a GPU")]


def decoder_on(device: str = "cuda") -> Decoder:
    return sharpen(load_decoder("random:nano", device=torch.device(device), dtype=torch.float32))


def engine_of(decoder: Decoder, graphs=(), *, blocks=BLOCKS, block_tokens=BLOCK_TOKENS, host_blocks=0) -> TorchEngine:
    kv = KvBlocks(decoder.shape, blocks, block_tokens, host_blocks, device=decoder.device, dtype=decoder.dtype)
    return TorchEngine(decoder, kv, ops_on(decoder.device), graphs)
