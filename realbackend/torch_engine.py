"""Torch engine: the iterations and copies of one instance, computed by a decoder over its own KV blocks.

On a GPU it has streams of its own: one to compute, one for copies in each direction, one for what other engines hand
over. Iterations are launched and read apart, so that the next can be launched before the last is read.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kernels.ops import Ops
from realbackend.completion import Completion
from realbackend.device import Device, Stream
from realbackend.graphs import DecodeGraphs, sizes_up_to
from realbackend.in_flight import InFlight
from realbackend.kv import KvBlocks
from realbackend.model.decoder import Decoder
from realbackend.parts import Parts
from realbackend.sampler import Sampler
from realbackend.step import NOTHING, numbers_of, step_on
from realbackend.tables import ROWS, Tables
from realbackend.transport import HostCopy, KvTransport, LocalCopy, PeerCopy
from realbackend.work import AHEAD, Engine, Work

if TYPE_CHECKING:
    from realbackend.remote.wire import Carried, Wire

_MOST_CAPTURED = 256


class Pending:
    """The tokens of an iteration that was launched."""

    def __init__(self, tokens: Tensor, end: Completion) -> None:
        self._tokens = tokens
        self._end = end

    def done(self) -> bool:
        """Return whether they are there."""
        return self._end.done()

    def tokens(self) -> list[int]:
        """Return a token for each request that gave one, once the iteration has ended."""
        self._end.wait()
        tokens: list[int] = self._tokens.tolist()
        return tokens


class TorchEngine:
    """`realbackend.work.Engine` of torch tensors. Engines may share a decoder; each has KV blocks of its own.

    Args:
        graphs: batch sizes, ascending, for which iterations of decodes alone are captured. None: up to 256 on a GPU,
            where that takes some seconds; none on a CPU, which has nothing to gain.
        parts: shares of a GPU it can keep to, each with graphs of its own where they are made beforehand; None: it has
            all of it.
        sampler: draws the tokens, without graphs, which choose the most likely ones as an engine without it does.

    Two engines over the same KV blocks are the two lanes of an instance.
    """

    def __init__(
        self,
        decoder: Decoder,
        kv: KvBlocks,
        ops: Ops,
        graphs: Sequence[int] | None = None,
        parts: Parts | None = None,
        sampler: Sampler | None = None,
    ) -> None:
        assert not (graphs and sampler), "what is drawn is not captured"
        self.decoder = decoder
        self.kv = kv
        self.ops = ops
        self.device = device = Device(decoder.device)
        self.compute = device.stream()
        self._to_host, self._from_host = HostCopy(device.stream()), HostCopy(device.stream())
        arriving = device.stream()
        self._nearby, self._from_peer = LocalCopy(arriving, ops), PeerCopy(arriving)
        self._tables = Tables(min(kv.blocks, -(-decoder.shape.positions // kv.block_tokens)), device)
        self._latest = torch.zeros(ROWS, dtype=torch.int64, device=device.at)
        self._gave: list[int] = []
        """Whose tokens the last iteration chose, in the order of `_latest`."""
        device.synchronize()  # what made the weights and blocks ran on another stream
        self._sampler = sampler
        if graphs is None and device.is_gpu and sampler is None:
            graphs = sizes_up_to(min(_MOST_CAPTURED, kv.blocks))
        self._parts, self._share_pct = parts, 100
        self._captured: dict[int, DecodeGraphs] = {}
        """By share; the stream at capture is where a graph runs."""
        if graphs:
            self._captured[100] = self._capture(graphs, self.compute)
            if parts is not None:
                self._captured |= {share: self._capture(graphs, parts.stream(share)) for share in parts.shares}
        self._graphs = self._captured.get(100)

    def _capture(self, sizes: Sequence[int], stream: Stream) -> DecodeGraphs:
        with torch.inference_mode():
            return DecodeGraphs(
                self.decoder,
                self.kv,
                self.ops,
                sizes=sizes,
                tables=self._tables,
                latest=self._latest,
                device=self.device,
                stream=stream,
            )

    def keep_to(self, share_pct: int) -> None:
        """Run iterations on a share of the multiprocessors from the next one on; without parts, nothing changes.

        A share that was not made beforehand is made now, and runs without graphs.
        """
        if self._parts is None or share_pct == self._share_pct:
            return
        before, self.compute = self.compute, self._parts.stream(share_pct)
        self.compute.after([before.mark()])
        self._graphs = self._captured.get(share_pct)
        self._share_pct = share_pct

    # -- iterations ------------------------------------------------------------------------------------------------

    def run(self, work: list[Work]) -> list[int]:
        return self.launch(work).tokens()

    def launch(self, work: list[Work]) -> Pending:
        """Start an iteration. A decode whose token is `AHEAD` takes it from the iteration launched before this one."""
        ahead = any(each.tokens[0] == AHEAD for each in work)
        came = {request: place for place, request in enumerate(self._gave)} if ahead else NOTHING
        numbers = numbers_of(work, self.kv.block_tokens, came)
        rows, changes = self._tables.rows_of(work)
        with torch.inference_mode(), self.compute.use():
            if self.kv.moving:
                self.compute.after(self.kv.moving.touching({block for each in work for block in each.blocks}))
            if self._graphs is not None and self._graphs.take(numbers):
                self._graphs.run(numbers, rows, changes)
            else:
                self._tables.write(changes)
                width = max(len(each.blocks) for each in work)
                tables = self._tables.entries[:, :width].index_select(0, self.device.upload(rows))
                step = step_on(self.device, numbers, tables, self._latest)
                logits = self.decoder.forward(step, self.kv.pool, self.ops)
                self._latest[: len(numbers.rows)].copy_(self._chosen(work, logits))
            self._gave = [each.request for each in work if each.gives]
            return Pending(self.device.download(self._latest[: len(self._gave)]), self.compute.mark())

    def _chosen(self, work: list[Work], logits: Tensor) -> Tensor:
        if self._sampler is None:
            return self.ops.sample(logits, None)
        return self._sampler.sample(work, logits, self.ops)

    # -- copies ----------------------------------------------------------------------------------------------------

    def copy_out(self, blocks: list[int], host: list[int]) -> Completion | None:
        kv = self.kv
        return self._copy(self._to_host, kv.pool, blocks, kv.host, host, {kv.moving: blocks, kv.host_moving: host})

    def copy_in(self, host: list[int], blocks: list[int]) -> Completion | None:
        kv = self.kv
        return self._copy(self._from_host, kv.host, host, kv.pool, blocks, {kv.moving: blocks, kv.host_moving: host})

    def fetch(self, source: Engine, theirs: list[int], blocks: list[int]) -> Completion | None:
        assert isinstance(source, TorchEngine)
        nearby = source.device.at == self.device.at
        transport = self._nearby if nearby else self._from_peer
        return self._copy(transport, source.kv.pool, theirs, self.kv.pool, blocks, {self.kv.moving: blocks})

    def send(self, wire: "Wire", blocks: list[int]) -> "Carried":
        """Start to send KV blocks to an engine in another process, once the iterations launched here are done.

        Iterations may read them meanwhile; whoever called must not let them be written, or freed, before the end.
        """
        return wire.send(self.kv.pool, blocks, [self.compute.mark()])

    def receive(self, wire: "Wire", blocks: list[int]) -> "Carried":
        """Start to receive KV blocks from an engine in another process."""
        moving = self.kv.moving
        copy = wire.receive(self.kv.pool, blocks, [self.compute.mark(), *moving.touching(blocks)])
        moving.add(blocks, copy.over)
        return copy

    def _copy(
        self,
        transport: KvTransport,
        source: Tensor,
        theirs: list[int],
        target: Tensor,
        ours: list[int],
        touched: dict[InFlight, list[int]],
    ) -> Completion | None:
        """Start a copy after the iterations launched here, which may use its blocks, and after earlier copies that do.

        At its source a fetch waits for nothing: the books hand on what they know to be computed.
        """
        if not theirs:
            return None
        after = [self.compute.mark()]
        for moving, blocks in touched.items():
            after += moving.touching(blocks)
        with torch.inference_mode():
            copy = transport.copy(source, theirs, target, ours, after)
        for moving, blocks in touched.items():
            moving.add(blocks, copy)
        return copy
