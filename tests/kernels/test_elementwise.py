"""Elementwise: norms, activation, rope with its store, and copies of blocks, beside the same in torch."""

import pytest

from tests.kernels.here import DEVICE, DTYPES, OPS, REFERENCE, assert_near, drawn, gpu, ids, on_gpu, torch

from kernels.shapes import LLAMA_3_1_8B, QWEN3_8B  # isort: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [(3, 48), (2, 3, 20), (1, 2048), (0, 48)], ids=str)
def test_rows_are_normed(size, dtype):
    x, weight = drawn(*size, dtype=dtype), drawn(size[-1], dtype=dtype, seed=1)
    assert_near(OPS.rms_norm(x, weight, 1e-5), REFERENCE.rms_norm(x, weight, 1e-5))


def test_heads_of_a_packed_product_are_normed_where_they_lie():
    packed, weight = drawn(5, (4 + 2) * 16), drawn(16, seed=1)
    q, k = (part.unflatten(-1, (-1, 16)) for part in packed.split([4 * 16, 2 * 16], dim=-1))
    for x in (q, k):
        assert_near(OPS.rms_norm(x, weight, 1e-5), REFERENCE.rms_norm(x, weight, 1e-5))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_residual_is_added_and_the_sum_is_kept(dtype):
    x, residual = drawn(4, 48, dtype=dtype), drawn(4, 96, dtype=dtype, seed=1)[:, :48]
    weight = drawn(48, dtype=dtype, seed=2)
    normed, total = OPS.add_rms_norm(x, residual, weight, 1e-6)
    normed_there, total_there = REFERENCE.add_rms_norm(x, residual, weight, 1e-6)
    assert torch.equal(total, total_there)
    assert_near(normed, normed_there)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [(3, 20), (2, 2 * 2050), (0, 20)], ids=str)
def test_gate_and_up_become_an_activation(size, dtype):
    gate_up = drawn(*size, dtype=dtype) * 3
    assert_near(OPS.silu_mul(gate_up), REFERENCE.silu_mul(gate_up))


# -- rope and store ------------------------------------------------------------------------------------------------


def stored(ops, h, g, e, dtype=torch.float32, block_tokens=8, slots=(0, 7, 8, -1, 39)):
    """Return rotated queries and the pool they went to, three layers of which the middle one is written."""
    tokens = len(slots)
    packed = drawn(tokens, (h + 2 * g) * e, dtype=dtype)
    q, k, v = (part.unflatten(-1, (-1, e)) for part in packed.split([h * e, g * e, g * e], dim=-1))
    pool = torch.full((40 // block_tokens, 3, 2, block_tokens, g, e), 7.0, dtype=dtype, device=DEVICE)
    table, positions = drawn(64, e, seed=1), ids(*(11 * i % 64 for i in range(tokens)))
    return ops.rope_and_store(q, k, v, table, positions, ids(*slots), pool[:, 1]), pool


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("h", "g", "e"), [(4, 2, 16), (7, 1, 16), (3, 3, 80)])
def test_queries_are_rotated_and_keys_and_values_stored(h, g, e, dtype):
    q, pool = stored(OPS, h, g, e, dtype)
    q_there, pool_there = stored(REFERENCE, h, g, e, dtype)
    assert_near(q, q_there)
    assert_near(pool, pool_there)
    assert torch.equal(pool[:, ::2], pool_there[:, ::2]), "other layers"


def test_tokens_without_a_slot_are_stored_nowhere():
    q, pool = stored(OPS, 4, 2, 16, slots=(-1, -1))
    assert (pool == 7).all()
    assert_near(q, stored(REFERENCE, 4, 2, 16, slots=(-1, -1))[0])


@pytest.mark.parametrize("block_tokens", [4, 20, 40])
def test_slots_are_places_in_blocks_of_any_size(block_tokens):
    _, pool = stored(OPS, 4, 2, 16, block_tokens=block_tokens)
    assert_near(pool, stored(REFERENCE, 4, 2, 16, block_tokens=block_tokens)[1])


# -- copies of blocks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*DTYPES, torch.uint8], ids=str)
@pytest.mark.parametrize("size", [(2, 2, 4, 2, 6), (9000,)], ids=["small", "larger than a tile"])
def test_blocks_are_copied_and_others_are_left(size, dtype):
    source, target = (torch.arange(n, n + 5, device=DEVICE).to(dtype) for n in (1, 11))
    source, target = (x.view(5, *(1 for _ in size)).repeat(1, *size) for x in (source, target))
    OPS.copy_blocks(source, ids(4, 0, 2), target, ids(1, 2, 4))
    assert target.flatten(1)[:, 0].tolist() == [11, 5, 1, 14, 3]
    assert (target.flatten(1) == target.flatten(1)[:, :1]).all()


def test_blocks_may_be_parts_of_larger_ones():
    source, target = drawn(4, 3, 10), drawn(6, 2, 10, seed=1)
    expected = target.clone()
    expected[5, 1], expected[0, 1] = source[1, 2], source[3, 2]
    OPS.copy_blocks(source[:, 2], ids(1, 3), target[:, 1], ids(5, 0))
    assert torch.equal(target, expected)


def test_no_blocks_are_copied_where_none_are_named():
    target = drawn(2, 8)
    OPS.copy_blocks(drawn(2, 8, seed=1), ids(), target, ids())
    assert torch.equal(target, drawn(2, 8))


@on_gpu
def test_blocks_go_to_pinned_memory_and_back():
    source, host = drawn(6, 3, 1000), torch.zeros((4, 3, 1000), pin_memory=True)
    target = torch.zeros_like(source)
    OPS.copy_blocks(source, torch.tensor([5, 1]), host, torch.tensor([0, 3]))
    OPS.copy_blocks(host, torch.tensor([3, 0]), target, torch.tensor([2, 4]))
    torch.cuda.synchronize()
    assert torch.equal(host[0], source[5].cpu())
    assert torch.equal(target[2], source[1])
    assert torch.equal(target[4], source[5])
    assert not target[[0, 1, 3, 5]].any()


@pytest.mark.parametrize("model", [gpu(LLAMA_3_1_8B), gpu(QWEN3_8B)], ids=lambda model: model.name)
@pytest.mark.parametrize("tokens", [1, 77, 4096])
def test_real_shapes(model, tokens):
    dtype, h, g, e = torch.bfloat16, model.heads, model.kv_heads, model.head_dim
    x, residual = drawn(tokens, model.hidden, dtype=dtype), drawn(tokens, model.hidden, dtype=dtype, seed=1)
    weight = drawn(model.hidden, dtype=dtype, seed=2)
    for ours, theirs in zip(
        OPS.add_rms_norm(x, residual, weight, 1e-6), REFERENCE.add_rms_norm(x, residual, weight, 1e-6), strict=True
    ):
        assert_near(ours, theirs)
    gate_up = drawn(tokens, 2 * model.intermediate, dtype=dtype)
    assert_near(OPS.silu_mul(gate_up), REFERENCE.silu_mul(gate_up))
    q, k, v = (drawn(tokens, n, e, dtype=dtype, seed=n) for n in (h, g, g))
    table, places = drawn(8192, e), torch.randperm(8192, device=DEVICE)[:tokens]
    layer, layer_there = (torch.zeros((512, 2, 16, g, e), dtype=dtype, device=DEVICE) for _ in range(2))
    rotated = OPS.rope_and_store(q, k, v, table, places, places, layer)
    assert_near(rotated, REFERENCE.rope_and_store(q, k, v, table, places, places, layer_there))
    assert_near(layer, layer_there)
