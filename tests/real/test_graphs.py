"""Graphs: batches filled up, tables kept, tokens that stay on the device: the same tokens as without."""

import random
from itertools import pairwise

import numpy as np
import pytest

from tests.real.torch_here import CPU, sharpen, torch

from kernels import ops_on  # isort: skip
from realbackend.device import Device  # isort: skip
from realbackend.graphs import sizes_up_to  # isort: skip
from realbackend.kv import KvBlocks  # isort: skip
from realbackend.model.weights import load_decoder  # isort: skip
from realbackend.step import numbers_of, step_of  # isort: skip
from realbackend.tables import ROWS, Tables  # isort: skip
from realbackend.torch_engine import TorchEngine  # isort: skip
from realbackend.work import AHEAD, Work  # isort: skip
from tests.real.batches import BLOCK_TOKENS, BLOCKS, OUTPUTS, read_at_once, read_at_the_end  # isort: skip


def test_sizes_are_ascending_and_waste_less_than_eight_rows():
    assert sizes_up_to(1) == (1,)
    assert sizes_up_to(8) == (1, 2, 4, 8)
    assert sizes_up_to(256)[:6] == (1, 2, 4, 8, 16, 24)
    sizes = sizes_up_to(250)
    assert sizes[-1] == 250
    assert all(b - a <= 8 for a, b in pairwise(sizes))


# -- what is sent ----------------------------------------------------------------------------------------------------


def drawn_work(rng, decodes, prompts):
    """Return work with blocks of 4 tokens: decodes, then chunks of prompts."""
    work = []
    for request in range(decodes + prompts):
        start = rng.randrange(30)
        new = 1 if request < decodes else rng.randrange(2, 12)
        blocks = rng.sample(range(1000), -(-(start + new) // 4))
        tokens = [rng.randrange(500) for _ in range(new)]
        work.append(Work(request, start, tokens, blocks, request < decodes or rng.random() < 0.5))
    return work


@pytest.mark.parametrize(("decodes", "prompts"), [(1, 0), (9, 0), (0, 1), (0, 3), (5, 2)])
def test_an_iteration_is_counted_together_as_token_by_token(decodes, prompts):
    work = drawn_work(random.Random(decodes * 10 + prompts), decodes, prompts)
    places = [(each, position) for each in work for position in range(each.start, each.start + len(each.tokens))]
    ends = np.cumsum([len(each.tokens) for each in work]).tolist()
    step = step_of(work, 4, CPU)
    assert step.tokens.tolist() == [token for each in work for token in each.tokens]
    assert step.positions.tolist() == [position for _, position in places]
    assert step.slots.tolist() == [each.blocks[p // 4] * 4 + p % 4 for each, p in places]
    assert step.rows.tolist() == [end - 1 for each, end in zip(work, ends, strict=True) if each.gives]
    assert step.plan.starts.tolist() == [0, *ends]
    assert step.plan.contexts.tolist() == [each.start + len(each.tokens) for each in work]
    assert step.plan.decodes == decodes
    assert step.plan.longest_query == max([len(each.tokens) for each in work[decodes:]], default=0)
    assert step.plan.longest_context == max(step.plan.contexts.tolist())
    for row, each in zip(step.plan.tables.tolist(), work, strict=True):
        assert row[: len(each.blocks)] == each.blocks


def test_iterations_with_a_prompt_or_without_a_token_are_not_decodes_alone():
    decode, chunk = Work(0, 5, [1], [0, 1], True), Work(1, 0, [1, 2], [2], True)
    assert numbers_of([decode, decode], 4).all_decode
    assert not numbers_of([decode, chunk], 4).all_decode
    assert not numbers_of([decode, decode._replace(gives=False)], 4).all_decode


# -- tables ----------------------------------------------------------------------------------------------------------


def entries(tables, work):
    """Send what changed; return the tables of the requests, and how many entries were sent."""
    rows, changes = tables.rows_of(work)
    tables.write(changes)
    read = tables.entries[torch.from_numpy(rows).long()].tolist()
    return [row[: len(each.blocks)] for row, each in zip(read, work, strict=True)], len(changes.places)


def requests(**blocks):
    return [Work(int(name[1:]), 0, [1], ids, True) for name, ids in blocks.items()]


def test_only_what_changed_in_a_table_is_sent():
    tables = Tables(8, Device(CPU))
    sent = [
        (requests(r0=[4, 5], r1=[7]), 3),
        (requests(r0=[4, 5], r1=[7]), 0),
        (requests(r0=[4, 5, 6], r1=[7]), 1),
        (requests(r1=[7, 8], r2=[9]), 2),
        (requests(r0=[4, 5, 6]), 0),  # it was away, and has kept its blocks
        (requests(r0=[1, 5, 6], r1=[3]), 4),  # a block found in the cache; and other blocks after a preemption
    ]
    for work, changed in sent:
        assert entries(tables, work) == ([each.blocks for each in work], changed)


def test_requests_that_are_gone_leave_their_rows_to_others():
    tables = Tables(2, Device(CPU))
    for first in range(0, 3 * ROWS, ROWS // 2):
        work = [Work(request, 0, [1], [request], True) for request in range(first, first + ROWS)]
        assert entries(tables, work)[0] == [each.blocks for each in work]
    with pytest.raises(ValueError, match=f"at most {ROWS} requests, got {ROWS + 1}"):
        tables.rows_of([Work(request, 0, [1], [0], True) for request in range(10**6, 10**6 + ROWS + 1)])


# -- the same tokens -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def decoder():
    return sharpen(load_decoder("random:nano", device=CPU, dtype=torch.float32))


def engine(decoder, graphs=()):
    kv = KvBlocks(decoder.shape, BLOCKS, BLOCK_TOKENS, 0, device=CPU, dtype=torch.float32)
    return TorchEngine(decoder, kv, ops_on(CPU), graphs)


def test_decodes_that_are_filled_up_and_replayed_give_the_tokens_of_eager_ones(decoder):
    eager = read_at_once(engine(decoder))
    assert [len(tokens) for tokens in eager.values()] == list(OUTPUTS)
    assert len({token for tokens in eager.values() for token in tokens}) > 10, "a model that repeats itself hides much"
    made = engine(decoder, graphs=(1, 2, 4, 8))
    replayed = []
    for size, replay in made._graphs._replay.items():
        made._graphs._replay[size] = lambda size=size, replay=replay: (replayed.append(size), replay())
    assert read_at_once(made) == eager
    assert set(replayed) == {1, 2, 4}, "five at once are a prompt and four decodes"


@pytest.mark.parametrize("graphs", [(), (1, 2, 4, 8)], ids=["eager", "graphs"])
def test_tokens_that_are_read_late_have_fed_the_next_iterations(decoder, graphs):
    assert read_at_the_end(engine(decoder, graphs)) == read_at_once(engine(decoder))


def test_rows_that_fill_a_batch_up_write_no_kv(decoder):
    made = engine(decoder, graphs=(8,))
    made.kv.pool.fill_(3.0)
    made.run([Work(r, 0, [5], [r], True) for r in range(3)])
    changed = (made.kv.pool != 3.0).flatten(1).any(1)
    assert changed.nonzero().flatten().tolist() == [0, 1, 2]


def test_batches_above_the_largest_size_run_eagerly(decoder):
    work = [Work(r, 0, [r + 5], [r], True) for r in range(6)]
    assert engine(decoder, graphs=(1, 2, 4)).run(work) == engine(decoder).run(work)


def test_engines_side_by_side_share_nothing_but_the_decoder(decoder):
    first, second = engine(decoder, graphs=(1, 2)), engine(decoder, graphs=(1, 2))
    alone = engine(decoder, graphs=(1, 2))
    script = [[Work(0, 0, [1, 2, 3], [0], True)], [Work(0, 3, [AHEAD], [0], True)], [Work(0, 4, [AHEAD], [0, 1], True)]]
    other = [[Work(0, 0, [900], [5], True)], [Work(0, 1, [AHEAD], [5], True)], [Work(0, 2, [AHEAD], [5], True)]]
    expected = [alone.launch(work).tokens() for work in script]
    pending = [(first.launch(mine), second.launch(theirs)) for mine, theirs in zip(script, other, strict=True)]
    assert [mine.tokens() for mine, _ in pending] == expected
