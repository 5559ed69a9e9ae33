"""KV capacity: by hand on a small machine, and beside what real servers logged."""

from dataclasses import replace

import pytest

from simcore.cost import kv_blocks, load_hardware, load_model, step_reserve_bytes
from tests.cost.machines import hardware, model


def test_what_weights_and_reserve_leave_is_cut_into_whole_blocks():
    # 10^9 bytes * 0.5 - 148,600 of weights - a reserve; a block is 16 tokens of 80 bytes.
    assert model().weight_bytes() == 148_600
    blocks = kv_blocks(model(), hardware(), memory_utilization=0.5, reserve_bytes=499_851_400 - 1280 * 7 - 1279)
    assert blocks == 7
    assert kv_blocks(model(), hardware(), block_tokens=1, memory_utilization=0.5, reserve_bytes=499_851_400 - 80) == 1


def test_the_reserve_is_the_larger_of_a_full_step_and_of_sampling():
    context = 268_435_456
    # A step: 3 * 200 + 2 * 100 numbers a token. Sampling: 10 logits of 26 bytes a sequence.
    assert step_reserve_bytes(model(), 1, max_num_batched_tokens=1000, max_num_seqs=1) == 1_600_000 + context
    assert step_reserve_bytes(model(), 1, max_num_batched_tokens=1, max_num_seqs=100) == 26_000 + context
    assert step_reserve_bytes(model(), 2, 1000, 1) == 1000 * (300 + 200) * 2 + context + 411_041_792


def test_fp8_kv_fits_twice_the_blocks():
    sizes = {"reserve_bytes": 0, "memory_utilization": 0.9}
    bf16 = kv_blocks(load_model("llama-3.1-8b"), load_hardware("h100"), **sizes)  # type: ignore[arg-type]
    fp8 = kv_blocks(load_model("llama-3.1-8b", kv_dtype="fp8"), load_hardware("h100"), **sizes)  # type: ignore[arg-type]
    assert fp8 // 2 == bf16


@pytest.mark.parametrize(
    ("name", "dtype", "gpu", "batched_tokens", "logged", "within"),
    [
        # Llumnix's own table: LLaMA-7B on an A10.
        ("llama-2-7b", "fp16", "a10", 4400, 862, 0.01),
        ("llama-2-7b", "fp16", "a10", 12_000, 792, 0.015),
        # vllm#2031: Llama-2-7B on an A100-80GB.
        ("llama-2-7b", "fp16", "a100-80gb", 4096, 7351, 0.02),
        # vllm#10511: 53.29 GiB of KV in blocks of 2 MiB, with 1.79 GiB outside the allocator on that machine.
        ("llama-3.1-8b", "bf16", "h100", 8192, 27_284, 0.04),
    ],
)
def test_blocks_are_near_what_servers_logged(name, dtype, gpu, batched_tokens, logged, within):
    spec = load_model(name, weights_dtype=dtype)
    blocks = kv_blocks(spec, load_hardware(gpu), max_num_batched_tokens=batched_tokens)
    assert blocks == pytest.approx(logged, rel=within)


def test_blocks_are_near_what_a_server_on_a_small_gpu_logged():
    """vLLM 0.19 on an RTX 4090: 2,588 blocks of 25,250,627,584 bytes (LLMServingSim@da26736b, meta.json)."""
    gpu = replace(load_hardware("l40s"), memory_bytes=25_250_627_584)
    assert kv_blocks(load_model("llama-3.1-8b"), gpu) == pytest.approx(2588, rel=0.025)


def test_what_cuda_graphs_take_is_kept_free_beside_the_reserve():
    sizes = {"memory_utilization": 0.5, "reserve_bytes": 499_851_400 - 1280 * 7}
    assert kv_blocks(model(), hardware(), **sizes) == 7  # type: ignore[arg-type]
    assert kv_blocks(model(), hardware(), **sizes, graph_bytes=1280 * 3) == 4  # type: ignore[arg-type]


def test_weights_that_do_not_fit_say_by_how_much_and_what_would():
    with pytest.raises(ValueError, match=r"take 141\.1 GB of 76\.5 GB usable, .* GB too much.*; tp 2 would fit"):
        kv_blocks(load_model("llama-3.1-70b"), load_hardware("h100"))
    with pytest.raises(ValueError, match="no tp would fit"):
        kv_blocks(model(), hardware(), reserve_bytes=10**9)


def test_the_tp_that_is_said_to_fit_does():
    with pytest.raises(ValueError, match="tp 4 would fit"):
        kv_blocks(load_model("llama-30b"), load_hardware("a10"))
    assert kv_blocks(load_model("llama-30b"), load_hardware("a10"), tp=4) >= 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"block_tokens": 0}, "block_tokens must be >= 1, got 0"),
        ({"memory_utilization": 1.1}, r"memory_utilization must be in \(0, 1\], got 1.1"),
        ({"memory_utilization": 0.0}, r"memory_utilization must be in \(0, 1\], got 0.0"),
        ({"reserve_bytes": -1}, "reserve_bytes must be >= 0, got -1"),
        ({"graph_bytes": -1}, "graph_bytes must be >= 0, got -1"),
        ({"tp": 3}, "tp must divide the 4 attention heads of tiny, got 3"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, float], said: str):
    with pytest.raises(ValueError, match=said):
        kv_blocks(model(), hardware(), **wrong)  # type: ignore[arg-type]
