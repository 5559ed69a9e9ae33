"""Other process: an engine over there, which takes requests in, or dies while it does."""

import os
from datetime import timedelta
from functools import cache

from tests.real.torch_here import CPU, engine_of, sharpen, torch

from realbackend.device import Device  # isort: skip
from realbackend.model.weights import load_decoder  # isort: skip
from realbackend.remote.check import kv_of  # isort: skip
from realbackend.remote.control import Control  # isort: skip
from realbackend.remote.migration import arrive  # isort: skip
from realbackend.remote.wire import Wire  # isort: skip
from realbackend.staged import Refused  # isort: skip

HERE, THERE = 0, 1
TIMEOUT_S = 30.0
BLOCKS = 10
PROMPT = [(37 * i + 11) % 997 for i in range(100)]
"""Seven blocks."""


@cache
def decoder():
    return sharpen(load_decoder("random:nano", device=CPU, dtype=torch.float32))


def engine():
    return engine_of(decoder(), BLOCKS)


def join(folder, rank):
    init = f"file://{folder}/store"
    limit = timedelta(seconds=TIMEOUT_S)
    torch.distributed.init_process_group("gloo", init_method=init, rank=rank, world_size=2, timeout=limit)


def wire(source, timeout_s=TIMEOUT_S):
    return Wire(source, 1 - source, Device(CPU), timeout_s=timeout_s)


def control(connection):
    return Control(connection, TIMEOUT_S)


def takes(folder, connection):
    """Take requests in; say of each what it generated, or why it did not come, and how many blocks are free then."""
    join(folder, THERE)
    incoming, mine, free = wire(HERE), engine(), list(range(BLOCKS))
    for _ in range(3):
        try:
            request = arrive(mine, free, incoming, control(connection))
            while not request.finished:
                request.step()
            kv = kv_of(request)
            request.release()
            connection.send(((request.text, kv), sorted(free)))
        except Refused as refusal:
            connection.send((str(refusal), sorted(free)))
    incoming.close()
    torch.distributed.destroy_process_group()


def dies(folder, connection):
    """Make a wire each way, then die when a request's first blocks come."""
    join(folder, THERE)
    incoming, _outgoing, mine = wire(HERE), wire(THERE), engine()
    mine.receive = lambda *_: os._exit(1)
    arrive(mine, list(range(BLOCKS)), incoming, control(connection))
