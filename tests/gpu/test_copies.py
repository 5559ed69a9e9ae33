"""Copies on a GPU: what moves beside the computation arrives whole, and is waited for where it is needed."""

import pytest

from tests.gpu.gpu_here import HERE, NEEDS_GPU, decoder_on, engine_of
from tests.real.torch_here import torch

from realbackend.completion import wait_for  # isort: skip
from realbackend.device import Device  # isort: skip
from realbackend.work import Work  # isort: skip

pytestmark = NEEDS_GPU

BLOCKS, BLOCK_TOKENS = 2048, 64


@pytest.fixture(scope="module")
def decoder():
    return decoder_on()


@pytest.fixture
def engine(decoder):
    """An engine whose block i is full of i, and whose blocks are large: copying all takes milliseconds."""
    made = engine_of(decoder, blocks=BLOCKS, block_tokens=BLOCK_TOKENS, host_blocks=BLOCKS)
    numbers = torch.arange(BLOCKS, device="cuda", dtype=made.kv.pool.dtype)
    made.kv.pool.copy_(numbers.view(-1, *[1] * (made.kv.pool.dim() - 1)).expand_as(made.kv.pool))
    torch.cuda.synchronize()
    return made


def numbers_in(pool, blocks):
    """Return the number each block is full of; -1 for one that holds different ones."""
    flat = pool[torch.tensor(blocks, device=pool.device)].flatten(1)
    same = (flat == flat[:, :1]).all(1)
    return torch.where(same, flat[:, 0], -1.0).tolist()


def test_host_memory_is_pinned(engine):
    assert engine.kv.host.is_pinned()
    assert Device(torch.device("cuda")).pinned((3, 1000), torch.float32).is_pinned()


def test_blocks_come_back_from_the_host_as_they_went(engine):
    blocks = list(range(0, BLOCKS, 2))
    host = list(range(BLOCKS - 1, BLOCKS - 1 - len(blocks), -1))
    out = engine.copy_out(blocks, host)
    engine.copy_in(host, [block + 1 for block in blocks]).wait()
    assert out.done()
    assert numbers_in(engine.kv.pool, [block + 1 for block in blocks]) == blocks


def test_an_iteration_does_not_write_blocks_that_are_still_being_read(engine):
    """A synchronous swap frees blocks at once: who gets them must wait for the copy."""
    all_blocks = list(range(BLOCKS))
    out = engine.copy_out(all_blocks, all_blocks)
    engine.run([Work(0, 0, [5] * 1000, all_blocks[-16:], True)])
    out.wait()
    assert numbers_in(engine.kv.host, all_blocks) == all_blocks


def test_an_iteration_reads_blocks_only_once_they_have_come(decoder, engine):
    prompt = [(7 * i) % 1000 for i in range(1000)]
    blocks = list(range(16))
    alone = engine_of(decoder, blocks=16, block_tokens=BLOCK_TOKENS)
    expected = alone.run([Work(0, 0, prompt, blocks, True)])
    expected += alone.run([Work(0, 1000, expected, blocks, True)])
    tokens = engine.run([Work(0, 0, prompt, blocks, True)])
    host = list(range(BLOCKS))
    away = engine.copy_out(blocks, host[-16:])
    away.wait()
    engine.kv.pool[:16] = 0
    torch.cuda.synchronize()
    engine.copy_in(host, [16 + i if i < BLOCKS - 16 else i - BLOCKS + 16 for i in range(BLOCKS)])
    tokens += engine.run([Work(0, 1000, tokens, blocks, True)])
    assert tokens == expected


def test_iterations_go_on_beside_a_copy_that_does_not_concern_them(engine):
    engine.run([Work(0, 0, [5], [0], True)])
    out = engine.copy_out(list(range(1, BLOCKS)), list(range(1, BLOCKS)))
    beside = 0
    while not out.done():
        engine.run([Work(0, 1 + beside % 60, [5], [0], True)])
        beside += 1
    assert beside > 0


@pytest.mark.parametrize("scattered", [False, True], ids=["neighbours", "scattered"])
def test_blocks_are_fetched_from_another_engine_on_the_device(decoder, engine, scattered):
    target = engine_of(decoder, blocks=BLOCKS, block_tokens=BLOCK_TOKENS)
    theirs = list(range(100)) if not scattered else [(37 * i) % BLOCKS for i in range(100)]
    wait_for(target.fetch(engine, theirs, list(range(100, 200))))
    assert numbers_in(target.kv.pool, list(range(100, 200))) == theirs


@pytest.mark.skipif(HERE and torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_blocks_are_fetched_from_an_engine_on_another_device(engine):
    target = engine_of(decoder_on("cuda:1"), blocks=200, block_tokens=BLOCK_TOKENS)
    theirs = list(range(100))
    wait_for(target.fetch(engine, theirs, list(range(100, 200))))
    assert numbers_in(target.kv.pool, list(range(100, 200))) == theirs
