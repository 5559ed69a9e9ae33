"""Wire: KV blocks between two processes over torch.distributed: by gloo through host memory, by NCCL between GPUs.

Blocks are gathered into one contiguous piece, which is sent and received as a whole, then scattered.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_until
from datetime import timedelta
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor

from realbackend.completion import Completion
from realbackend.device import Device
from realbackend.transport import copy_runs, runs_of

Backend = Literal["gloo", "nccl"]


class Over:
    """That a copy has ended, well or not: it touches its blocks no more."""

    def __init__(self, future: "Future[None]") -> None:
        self._future = future

    def done(self) -> bool:
        return self._future.done()

    def wait(self) -> None:
        wait_until([self._future])


class Carried:
    """One copy over a wire, this end of it."""

    def __init__(self, future: "Future[None]") -> None:
        self._future = future
        self.over = Over(future)

    def done(self) -> bool:
        return self._future.done() and self._future.result() is None

    def wait(self) -> None:
        self._future.result()


class Wire:
    """One way from a rank to another; both make it, at the same time.

    The n-th copy that one end sends is the n-th that the other receives: by its tag, and, for NCCL, which has no tags,
    because each end has a thread that does one after the other. Both ends must name equally many blocks. Two ways are
    two wires: what NCCL sends waits for who receives it, so two ends that first send, then receive, would wait forever.

    Args:
        source, target: ranks; this process is one of them.
        device: of the pool at this end.
        backend: "nccl" needs a GPU for each rank; "gloo" works between any two, through host memory.
        timeout_s: how long a copy may wait for the other end.

    Copies fail with ConnectionError when the other end is gone, with TimeoutError when it does not answer; the wire is
    broken then, and later copies fail, too. Raises the same when the other end does not come.
    """

    def __init__(
        self, source: int, target: int, device: Device, *, backend: Backend = "gloo", timeout_s: float = 60.0
    ) -> None:
        self._sends = dist.get_rank() == source
        self._peer = target if self._sends else source
        self._timeout_s = timeout_s
        self._device = device
        self._staged_on = device.at if backend == "nccl" else torch.device("cpu")
        self._stream = device.stream()
        self._copies = 0
        self._broken: OSError | None = None
        self._thread = ThreadPoolExecutor(1, f"wire from {source} to {target}")
        ranks = sorted((source, target))
        limit = timedelta(seconds=timeout_s)
        self._group = dist.new_group(ranks, timeout=limit, backend=backend, use_local_synchronization=True)
        # NCCL connects two ranks at their first copy, which takes long; no request is to wait for it.
        first = torch.zeros((1, 1), device=device.at)
        (self.send if self._sends else self.receive)(first, [0], []).wait()

    def send(self, pool: Tensor, blocks: list[int], after: Sequence[Completion]) -> Carried:
        """Start to send blocks of a pool once `after` are done. They must not change until it has ended."""
        assert self._sends, "a wire leads one way"
        return self._start(self._send, pool, blocks, after)

    def receive(self, pool: Tensor, blocks: list[int], after: Sequence[Completion]) -> Carried:
        """Start to receive blocks into a pool once `after` are done."""
        assert not self._sends, "a wire leads one way"
        return self._start(self._receive, pool, blocks, after)

    def close(self) -> None:
        """End the thread, after the copies under way."""
        self._thread.shutdown()

    def _start(self, carry: Callable[..., None], *what: Any) -> Carried:
        self._copies += 1
        return Carried(self._thread.submit(carry, *what, self._copies))

    # -- in the thread -------------------------------------------------------------------------------------------------

    def _send(self, pool: Tensor, blocks: list[int], after: Sequence[Completion], tag: int) -> None:
        self._stream.after(after)
        with self._stream.use():
            staging = self._staging(pool, len(blocks))
            copy_runs(pool, staging, runs_of(blocks, list(range(len(blocks)))))
            if staging.device != pool.device:
                self._stream.mark().wait()
            self._exchange(dist.isend, staging, tag)

    def _receive(self, pool: Tensor, blocks: list[int], after: Sequence[Completion], tag: int) -> None:
        self._stream.after(after)
        with self._stream.use():
            staging = self._staging(pool, len(blocks))
            self._exchange(dist.irecv, staging, tag)
            copy_runs(staging, pool, runs_of(list(range(len(blocks))), blocks))
            self._stream.mark().wait()

    def _staging(self, pool: Tensor, blocks: int) -> Tensor:
        pinned = self._device.is_gpu and self._staged_on.type == "cpu"
        return torch.empty((blocks, *pool.shape[1:]), dtype=pool.dtype, device=self._staged_on, pin_memory=pinned)

    def _exchange(self, start: Callable[..., Any], staging: Tensor, tag: int) -> None:
        """Send or receive, and wait for the end: gloo says it to nobody else, so it cannot be polled."""
        if self._broken is not None:
            raise self._broken
        begin = time.monotonic()
        try:
            start(staging, self._peer, group=self._group, tag=tag).wait(timedelta(seconds=self._timeout_s))
        except RuntimeError as error:
            if time.monotonic() - begin >= self._timeout_s:
                self._broken = TimeoutError(f"rank {self._peer} did not answer within {self._timeout_s:g} s")
            else:
                self._broken = ConnectionError(f"rank {self._peer} is gone: {str(error).splitlines()[0]}")
            raise self._broken from error
