"""Check: one migration between two processes of this machine, beside the same request undisturbed."""

import hashlib
import multiprocessing
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import torch
import torch.distributed as dist

from kernels import ops_on
from realbackend.decoding import Decoding
from realbackend.device import Device
from realbackend.kv import KvBlocks
from realbackend.model.weights import load_decoder
from realbackend.remote.control import Control
from realbackend.remote.migration import arrive, leave
from realbackend.remote.wire import Backend, Wire
from realbackend.torch_engine import TorchEngine

BLOCK_TOKENS = 16
SOURCE, TARGET = 0, 1


@dataclass(frozen=True, slots=True)
class Check:
    """What both processes know.

    prompt, output: tokens. after: tokens that it has generated when it leaves. gpus: that may be used.
    """

    weights: str
    prompt: int
    output: int
    after: int
    gpus: int
    timeout_s: float
    folder: str

    @property
    def blocks(self) -> int:
        return -(-(self.prompt + self.output) // BLOCK_TOKENS) + 1

    @property
    def backend(self) -> Backend:
        return "nccl" if self.gpus > 1 else "gloo"

    def device(self, rank: int) -> torch.device:
        return torch.device("cuda", rank % self.gpus) if self.gpus else torch.device("cpu")


def migrate(check: Check) -> dict[str, Any]:
    """Move a request to a process that is started for it; return how that went.

    Raises ConnectionError or TimeoutError if that process comes to nothing.
    """
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe()
    other = spawning.Process(target=_target, args=(check, there), daemon=True)
    other.start()
    there.close()  # so that its end is seen here
    try:
        return _source(check, here)
    finally:
        here.close()
        other.join(check.timeout_s)


def _source(check: Check, connection: "Connection[Any, Any]") -> dict[str, Any]:
    """Decode, hand over, and compare what the other process says with the same request undisturbed."""
    engine, wire = _set_up(check, SOURCE)
    free, prompt = list(range(check.blocks)), [(37 * i + 11) % 997 for i in range(check.prompt)]
    request = Decoding(engine, free, prompt, check.prompt + check.output)
    while len(request.text) < check.prompt + check.after:
        request.step()
    moved = leave(request, wire, Control(connection, check.timeout_s))
    text, kv = connection.recv()
    alone = Decoding(engine, free, prompt, request.until)
    while not alone.finished:
        alone.step()
    wire.close()
    dist.destroy_process_group()
    return {
        "backend": check.backend,
        "device": str(check.device(SOURCE)),
        "tokens": "equal" if text == alone.text else "different",
        "kv": "equal" if kv == kv_of(alone) else "different",
        "stages": moved.stages,
        "blocks": moved.blocks,
        "decoded meanwhile": moved.decoded,
        "downtime_ms": round(moved.downtime_s * 1e3, 2),
    }


def _target(check: Check, connection: "Connection[Any, Any]") -> None:
    """Take the request in, decode it to its end, and say what came out."""
    engine, wire = _set_up(check, TARGET)
    request = arrive(engine, list(range(check.blocks)), wire, Control(connection, check.timeout_s))
    while not request.finished:
        request.step()
    connection.send((request.text, kv_of(request)))
    wire.close()
    dist.destroy_process_group()


def _set_up(check: Check, rank: int) -> tuple[TorchEngine, Wire]:
    device = check.device(rank)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    else:
        torch.set_num_threads(1)
    limit = timedelta(seconds=check.timeout_s)
    dist.init_process_group("gloo", init_method=f"file://{check.folder}/store", rank=rank, world_size=2, timeout=limit)
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    decoder = load_decoder(check.weights, device=device, dtype=dtype)
    kv = KvBlocks(decoder.shape, check.blocks, BLOCK_TOKENS, 0, device=device, dtype=dtype)
    engine = TorchEngine(decoder, kv, ops_on(device), (1,))
    _warm_up(engine, check.prompt)
    return engine, Wire(SOURCE, TARGET, Device(device), backend=check.backend, timeout_s=check.timeout_s)


def _warm_up(engine: TorchEngine, prompt: int) -> None:
    """Have kernels compiled: no token is to wait for that."""
    request = Decoding(engine, list(range(engine.kv.blocks)), [1] * prompt, prompt + 2)
    while not request.finished:
        request.step()


def kv_of(request: Decoding) -> str:
    """Return a hash of the KV of all its tokens but the last, whichever blocks it is in."""
    pool = request.engine.kv.pool[request.blocks].movedim(3, 1).flatten(0, 1)[: request.computed]
    return hashlib.blake2b(pool.contiguous().view(torch.uint8).cpu().numpy().tobytes()).hexdigest()
