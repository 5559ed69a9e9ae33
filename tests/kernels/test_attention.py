"""Attention: decodes cut in parts and prefills in tiles, over paged KV, beside the same in torch."""

from dataclasses import replace

import pytest

from tests.kernels.here import DEVICE, DTYPES, OPS, REFERENCE, assert_near, drawn, gpu, ids, on_gpu, torch

from kernels.cases import NO_BLOCK, draw  # isort: skip
from kernels.ops import Plan  # isort: skip
from kernels import shapes  # isort: skip
from kernels.shapes import TINY, TINY_BATCHES, TINY_WIDE, Batch, Model  # isort: skip
from kernels.triton.paged_decode import parts_of  # isort: skip
from kernels.triton_ops import TritonOps  # isort: skip


def attended(case, ops=OPS):
    return ops.attention(case.q, case.layer, case.plan, case.scale)


def expected(case):
    """Return what torch says in float32."""
    return REFERENCE.attention(case.q.float(), case.layer.float(), case.plan, case.scale)


def assert_attends(model, batch, dtype=torch.float32, ops=OPS, **how):
    case = draw(model, batch, dtype=dtype, device=DEVICE, **how)
    assert_near(attended(case, ops), expected(case))


def heads(h, g, e):
    return Model("drawn", h, g, e, 0, 0, 0, 1)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("batch", TINY_BATCHES, ids=lambda batch: batch.name)
def test_each_query_sees_its_context_up_to_itself(batch, dtype):
    assert_attends(TINY, batch, dtype, layers=2)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_parts_of_a_context_add_up(dtype):
    batch = Batch("contexts with 1 to 5 tiles, and one with parts left empty", ((1, 70), (1, 3)))
    assert_attends(TINY_WIDE, batch, dtype)


def test_a_context_of_1_leaves_all_parts_but_one_empty():
    assert_attends(TINY_WIDE, Batch("1", ((1, 1),)), ops=TritonOps(batch_invariant=True))


@pytest.mark.parametrize("group", [1, 2, 3, 4, 5, 6, 7, 8])
def test_any_number_of_heads_shares_a_kv_head(group):
    assert_attends(heads(2 * group, 2, 16), Batch("one of each", ((1, 19), (3, 5))))


@pytest.mark.parametrize("head_dim", [32, 80, 96, 256])
def test_heads_of_any_width(head_dim):
    assert_attends(heads(2, 1, head_dim), Batch("one of each", ((1, 19), (2, 5))))


@pytest.mark.parametrize("block_tokens", [4, 8, 64, 256])
def test_blocks_may_be_smaller_and_larger_than_tiles(block_tokens):
    assert_attends(TINY_WIDE, Batch("one of each", ((1, 45), (3, 37))), block_tokens=block_tokens, layers=2)


@pytest.mark.parametrize(
    ("block_tokens", "head_dim", "message"),
    [
        (24, 16, "block_tokens must be a power of two >= 4 for the Triton kernels, got 24"),
        (2, 16, "block_tokens must be a power of two >= 4 for the Triton kernels, got 2"),
        (16, 320, "head_dim must be even and at most 256 for the Triton kernels, got 320"),
    ],
)
def test_sizes_that_kernels_cannot_have_are_refused(block_tokens, head_dim, message):
    case = draw(
        heads(1, 1, head_dim), Batch("1", ((1, 1),)), dtype=torch.float32, device=DEVICE, block_tokens=block_tokens
    )
    with pytest.raises(ValueError, match=message):
        attended(case)


def test_a_prompt_longer_than_a_tile_of_queries():
    # Float32 has tiles of 16 rows, here 4 queries of 4 heads: 3 tiles, the last one with 1 query.
    assert_attends(heads(4, 1, 16), Batch("9 after 8, then 2", ((9, 17), (2, 2))))


def test_queries_may_lie_apart():
    case = draw(TINY, Batch("a decode beside a chunk", ((1, 30), (6, 9))), dtype=torch.float32, device=DEVICE)
    apart = torch.full((case.q.shape[0], 6, 24), torch.nan, device=DEVICE)[:, 1:5, 3:19]
    apart.copy_(case.q)
    assert torch.equal(attended(replace(case, q=apart)), attended(case))


def test_a_row_that_fills_a_batch_up_gets_0_and_reads_nothing():
    case = draw(TINY_WIDE, Batch("three", ((1, 40), (1, 7), (1, 20))), dtype=torch.float32, device=DEVICE)
    case.plan.contexts[1] = 0
    case.plan.tables[1] = NO_BLOCK
    for ops in (OPS, TritonOps(batch_invariant=True), REFERENCE):
        result = attended(case, ops)
        assert not result[1].any()
        assert_near(result, expected(case))


def test_blocks_beyond_the_reach_of_32_bits():
    """Two blocks at the two ends of a pool of 2^31 numbers, of which only they are ever touched."""
    count = 2**31 // (2 * 16 * 8 * 64) + 8
    layer = torch.empty((count, 2, 16, 8, 64), dtype=torch.float16, device=DEVICE)
    layer[0] = drawn(2, 16, 8, 64, dtype=torch.float16)
    layer[count - 1] = drawn(2, 16, 8, 64, dtype=torch.float16, seed=1)
    near = torch.stack((layer[0], layer[count - 1]))
    q = drawn(3, 8, 64, dtype=torch.float16, seed=2)

    def plan(*blocks):
        tables = torch.tensor([blocks, blocks], dtype=torch.int32, device=DEVICE)
        contexts, starts = ids(20, 20, dtype=torch.int32), ids(0, 1, 3, dtype=torch.int32)
        return Plan(starts, contexts, tables, 1, 2, 20)

    far = OPS.attention(q, layer, plan(count - 1, 0), 0.125)
    assert torch.equal(far, OPS.attention(q, near, plan(1, 0), 0.125))


@pytest.mark.parametrize("ops", [TritonOps(batch_invariant=True), REFERENCE], ids=["triton", "torch"])
def test_batch_invariant_results_do_not_depend_on_the_batch(ops):
    batch = Batch("two decodes and a chunk", ((1, 45), (1, 20), (3, 18)))
    case = draw(TINY_WIDE, batch, dtype=torch.float16, device=DEVICE)
    together, row = attended(case, ops), 0
    for i, (new, context) in enumerate(batch.sequences):
        alone = Plan(
            starts=ids(0, new, dtype=torch.int32),
            contexts=case.plan.contexts[i : i + 1],
            tables=case.plan.tables[i : i + 1],
            decodes=int(new == 1),
            longest_query=new if new > 1 else 0,
            longest_context=context,
        )
        rows = slice(row, row + new)
        assert torch.equal(attended(replace(case, q=case.q[rows], plan=alone), ops), together[rows])
        row += new


def test_parts_fill_a_gpu_and_are_not_too_small():
    assert parts_of(8, 131072, 64, 132) == 128, "one sequence: a part is 1024 tokens"
    assert parts_of(8, 64, 64, 132) == 1, "one tile"
    assert parts_of(2048, 131072, 64, 132) == 1, "256 sequences fill a GPU by themselves"
    assert parts_of(128, 4096, 64, 132) == 8, "parts of 512 tokens"


@pytest.mark.parametrize(
    "batch", [gpu(each) for each in (*shapes.REAL_DECODES, *shapes.REAL_PREFILLS)], ids=lambda batch: batch.name
)
@pytest.mark.parametrize("model", [shapes.LLAMA_3_1_8B, shapes.QWEN2_5_7B], ids=lambda model: model.name)
def test_real_shapes(model, batch):
    for ops in (OPS, TritonOps(batch_invariant=True)):
        assert_attends(model, batch, torch.bfloat16, ops)


@on_gpu
def test_a_captured_decode_follows_its_plan():
    """Replayed after contexts, blocks and queries changed in place, a CUDA graph gives what they now say."""
    batch = Batch("8 of up to 4096", ((1, 4096),) * 8)
    case = draw(shapes.LLAMA_3_1_8B, batch, dtype=torch.bfloat16, device=DEVICE)
    attended(case)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = attended(case)
    for seed in (1, 2):
        generator = torch.Generator(DEVICE).manual_seed(seed)
        case.plan.contexts.random_(1, 4097, generator=generator)
        case.plan.contexts[3] = 0
        case.plan.tables.copy_(case.plan.tables.roll(seed, 1))
        case.q.normal_(generator=generator)
        graph.replay()
        assert_near(result, expected(case))
