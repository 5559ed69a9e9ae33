"""Torch engine: the iterations and copies of one instance, computed by a decoder over its own KV blocks."""

import torch

from kernels.ops import Ops
from realbackend.kv import KvBlocks
from realbackend.model.decoder import Decoder
from realbackend.step import step_of
from realbackend.work import Engine, Work


class TorchEngine:
    """`realbackend.work.Engine` of torch tensors. Engines may share a decoder; each has KV blocks of its own."""

    def __init__(self, decoder: Decoder, kv: KvBlocks, ops: Ops) -> None:
        self.decoder = decoder
        self.kv = kv
        self.ops = ops

    def run(self, work: list[Work]) -> list[int]:
        with torch.inference_mode():
            step = step_of(work, self.kv.pool.shape[3], self.decoder.device)
            logits = self.decoder.forward(step, self.kv.pool, self.ops)
            tokens: list[int] = self.ops.sample(logits, None).tolist()
        return tokens

    def copy_out(self, blocks: list[int], host: list[int]) -> None:
        self._copy(self.kv.pool, blocks, self.kv.host, host)

    def copy_in(self, host: list[int], blocks: list[int]) -> None:
        self._copy(self.kv.host, host, self.kv.pool, blocks)

    def fetch(self, source: Engine, theirs: list[int], blocks: list[int]) -> None:
        assert isinstance(source, TorchEngine)
        self._copy(source.kv.pool, theirs, self.kv.pool, blocks)

    def _copy(self, source: torch.Tensor, source_ids: list[int], target: torch.Tensor, target_ids: list[int]) -> None:
        if source_ids:
            self.ops.copy_blocks(source, torch.tensor(source_ids), target, torch.tensor(target_ids))
