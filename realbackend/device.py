"""Device: what a GPU has beside memory: streams, events, pinned memory, graphs; and twins of them on a CPU.

What is launched on a CPU's stream has run when the call returns, its events are done, its graph is the function that
was captured. So an engine is written once, and its GPU side is tested where there is none.
"""

import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realbackend.completion import DONE, Completion


class Mark:
    """A place in a stream: done when all before it is."""

    def __init__(self, event: torch.cuda.Event) -> None:
        self.event = event

    def done(self) -> bool:
        return bool(self.event.query())

    def wait(self) -> None:
        self.event.synchronize()


class Stream:
    """An order of work on a device.

    Args:
        cuda: a stream of a GPU; None: the twin of a CPU.
    """

    def __init__(self, cuda: torch.cuda.Stream | None = None) -> None:
        self.cuda = cuda

    def use(self) -> AbstractContextManager[None]:
        """Have what this thread launches within go to this stream."""
        context: AbstractContextManager[None] = torch.cuda.stream(self.cuda)
        return context

    def mark(self) -> Completion:
        """Return what is done when all that was launched here until now is."""
        if self.cuda is None:
            return DONE
        event = torch.cuda.Event()
        event.record(self.cuda)
        return Mark(event)

    def after(self, completions: Sequence[Completion]) -> None:
        """Have what is launched here from now on wait for these: on the device, where they are marks of streams."""
        for completion in completions:
            if self.cuda is not None and isinstance(completion, Mark):
                self.cuda.wait_event(completion.event)
            else:
                completion.wait()


class Graphs:
    """Pieces of work that are launched as one.

    They share memory for what they compute on the way, so they have one stream and never run side by side: each engine
    has graphs of its own.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._pool = None if stream.cuda is None else torch.cuda.graph_pool_handle()

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return what does `work` again, on the same storages, where it is called with the stream in use.

        `work` must not wait for the device. It is called twice: kernels are compiled the first time.
        """
        if self._stream.cuda is None:
            return work
        with self._stream.use():
            work()
        graph = torch.cuda.CUDAGraph()
        # Other engines' threads may allocate meanwhile: their calls are no error of this capture.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream.cuda, capture_error_mode="thread_local"):
            work()
        replay: Callable[[], None] = graph.replay
        return replay


class Device:
    """Where an engine computes. No state that two engines could share: each makes its own streams and graphs.

    Args:
        at: a device of torch.
    """

    def __init__(self, at: torch.device) -> None:
        self.at = at
        self.is_gpu = at.type == "cuda"

    def stream(self) -> Stream:
        return Stream(torch.cuda.Stream(self.at) if self.is_gpu else None)

    def synchronize(self) -> None:
        """Wait for all that was launched on the device."""
        if self.is_gpu:
            torch.cuda.synchronize(self.at)

    def pinned(self, size: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Return host memory of zeros for a large pool, which a GPU copies from and to while others compute.

        Registered where it lies: torch's own pinned memory takes up to the next power of two.
        """
        memory = torch.zeros(tuple(size), dtype=dtype)
        if self.is_gpu and memory.numel():
            runtime, address = torch.cuda.cudart(), memory.data_ptr()
            failure = int(runtime.cudaHostRegister(address, memory.nbytes, 0))
            if failure:
                raise MemoryError(f"{memory.nbytes} bytes of host memory could not be pinned: CUDA error {failure}")
            weakref.finalize(memory, runtime.cudaHostUnregister, address)
        return memory

    def fill(self, target: Tensor, numbers: NDArray[np.int32]) -> None:
        """Copy numbers to the device, on the stream in use; they may change once this has returned."""
        target.copy_(self._staged(numbers), non_blocking=True)

    def upload(self, numbers: NDArray[np.int32]) -> Tensor:
        """Return numbers on the device; as `fill`."""
        return self._staged(numbers).to(self.at, non_blocking=True)

    def download(self, numbers: Tensor) -> Tensor:
        """Return host memory that holds these numbers once what the stream in use has now is done."""
        host = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=self.is_gpu)
        host.copy_(numbers, non_blocking=True)
        return host

    def _staged(self, numbers: NDArray[np.int32]) -> Tensor:
        # Pinned memory from torch is handed out again only when the copies from it have ended.
        host = torch.from_numpy(numbers)
        return host.pin_memory() if self.is_gpu else host.clone()
