"""Roofline: each term by hand on a machine of round numbers, and the shape of the real ones."""

import json

import pytest

from simcore.contract import Shape
from simcore.cost import Composite, Roofline, load_hardware, load_model
from simcore.cost.roofline import Launch
from tests.cost.machines import hardware, model


def ps(cost: Roofline, term: str, shape: Shape) -> int:
    return round(cost.terms(shape)[term] * 1e12)


def test_few_tokens_cost_the_bytes_of_the_weights():
    # 12,000 + 60,000 weights at two bytes; the products' inputs are 100, 40, 100, 200 wide, outputs 80, 100, 400, 100.
    assert ps(Roofline(model(), hardware()), "matmuls", Shape(1, 1)) == 144_000 + 2 * (440 + 680)


def test_many_tokens_cost_the_operations():
    slow = hardware(bf16_flops=1e12)
    assert ps(Roofline(model(), slow), "matmuls", Shape(chunks=[(1000, 0)])) == 2 * 72_000 * 1000


def test_fp8_halves_bytes_where_they_bind_and_doubles_the_rate_where_compute_does():
    few, many = Shape(1, 1), Shape(chunks=[(1000, 0)])
    cost = Roofline(model(weights_dtype="fp8"), hardware())
    assert ps(cost, "matmuls", few) == 72_000 + 440 + 2 * 680
    slow = hardware(bf16_flops=1e12, fp8_flops=2e12)
    assert ps(Roofline(model(weights_dtype="fp8"), slow), "matmuls", many) == 72_000 * 1000


def test_a_mixture_reads_only_the_experts_its_tokens_meet():
    mixture = model(intermediate=0, moe_layers=1, experts=8, experts_per_token=2, moe_intermediate=100)
    cost = Roofline(mixture, hardware())
    one, two = (ps(cost, "matmuls", Shape(tokens, tokens)) for tokens in (1, 2))
    # One token meets 2 experts of 3 * 100 * 100 weights, two meet 3.5; activations are the second token's.
    activations = 2 * (100 + 80 + 40 + 100) + 2 * (100 + 8) + 2 * 2 * (100 + 200 + 100 + 100)
    assert two - one == 1.5 * 30_000 * 2 + activations


def test_decode_attention_reads_the_kv_of_every_context_token():
    cost = Roofline(model(), hardware())
    assert ps(cost, "decode_attention", Shape(decodes=3, context=1000)) == 80 * 1000
    assert cost.line(Shape(decodes=3, context=1000))[1] == 80 * 3


def test_prefill_attention_is_causal():
    # 100 new after 50: 100 * 50 + 100 * 101 / 2 pairs of 160 operations.
    slow = hardware(bf16_flops=1e12)
    assert ps(Roofline(model(), slow), "prefill_attention", Shape(chunks=[(100, 50)])) == 160 * (5000 + 5050)


def test_a_prompt_costs_more_attention_in_chunks_never_less():
    cost = Roofline(load_model("llama-3.1-8b"), load_hardware("h100"))
    whole = ps(cost, "prefill_attention", Shape(chunks=[(4096, 0)]))
    chunked = sum(ps(cost, "prefill_attention", Shape(chunks=[(512, 512 * i)])) for i in range(8))
    assert chunked > whole


def test_the_lm_head_counts_sequences_not_tokens():
    cost = Roofline(model(), hardware())
    assert ps(cost, "lm_head", Shape(chunks=[(5000, 0)])) == ps(cost, "lm_head", Shape(1, 1))
    # Weights 100 * 10, inputs and logits at two bytes, sampling moves eight per logit.
    assert ps(cost, "lm_head", Shape(2, 2)) == 2000 + 2 * 2 * 110 + 2 * 80


def test_one_gpu_reduces_nothing_and_several_reduce_twice_a_layer():
    assert ps(Roofline(model(), hardware()), "allreduce", Shape(7, 7)) == 0
    # Two calls of 1 us; 2 * (2 - 1) / 2 of 7 * 100 numbers at two bytes, a tenth of a byte a picosecond.
    two = Roofline(model(), hardware(allreduce_s=1e-6), tp=2)
    assert ps(two, "allreduce", Shape(7, 7)) == 2 * (10**6 + 1400 * 10)


def test_two_gpus_share_the_weights_and_the_kv():
    one, two = Roofline(model(), hardware()), Roofline(model(), hardware(), tp=2)
    shape = Shape(decodes=4, context=4000)
    assert ps(two, "decode_attention", shape) == ps(one, "decode_attention", shape) // 2
    assert ps(two, "matmuls", shape) < 0.6 * ps(one, "matmuls", shape)


def test_fixed_times_are_paid_once_a_kernel_and_once_a_step():
    fixed = hardware(matmul_s=1e-9, kernel_s=1e-10, decode_attention_s=1e-8, prefill_attention_s=1e-7, step_s=1e-6)
    free = Roofline(model(layers=3), hardware())
    paid = Roofline(model(layers=3), fixed)
    decode, mixed = Shape(1, 1), Shape(1, 1, chunks=[(1, 0)])
    # Four products a layer and the LM head; four small kernels a layer and ten to sample; attention once a layer.
    once = 13 * 1000 + 22 * 100 + 3 * 10_000 + 10**6
    assert paid.line(decode)[0] - free.line(decode)[0] == once
    assert paid.line(mixed)[0] - free.line(mixed)[0] == once + 3 * 100_000


def test_half_the_sms_double_compute_and_leave_bytes_alone():
    cost = Roofline(model(), hardware(bf16_flops=1e12))
    prefill, halved = Shape(chunks=[(1000, 0)]), Shape(chunks=[(1000, 0)], sm_pct=50)
    assert ps(cost, "prefill_attention", halved) == 2 * ps(cost, "prefill_attention", prefill)
    assert ps(cost, "matmuls", halved) == 2 * ps(cost, "matmuls", prefill)
    real = Roofline(load_model("llama-3.1-8b"), load_hardware("h200"))
    assert real.line(Shape(8, 8000, sm_pct=50)) == real.line(Shape(8, 8000))


def test_a_line_neither_keeps_nor_changes_its_shape():
    cost, shape = Roofline(model(), hardware()), Shape(2, 20, chunks=[(4, 8)])
    before = repr(shape)
    assert cost.line(shape) == cost.line(shape)
    assert repr(shape) == before
    shape.decodes = 3
    assert cost.line(shape) != cost.line(Shape(2, 20, chunks=[(4, 8)]))


def test_a_real_decode_step_is_near_the_measured_operators():
    # H200, Llama-3.1-8B, 64 x 1000: the measured tables sum to 4.01 ms of products and 2.48 ms of attention.
    terms = Roofline(load_model("llama-3.1-8b"), load_hardware("h200")).terms(Shape(64, 64_000))
    assert terms["matmuls"] == pytest.approx(4.01e-3, rel=0.05)
    assert terms["decode_attention"] == pytest.approx(2.48e-3, rel=0.05)


def test_a_real_servers_decode_step_is_within_five_percent():
    # A vllm 0.19 server on an RTX PRO 6000, one request in flight: 11.42 ms a step.
    cost = Roofline(load_model("llama-3.1-8b"), load_hardware("rtx-pro-6000"))
    assert cost.line(Shape(1, 500))[0] == pytest.approx(11.42e9, rel=0.05)


def test_the_description_holds_every_constant_and_its_source():
    described = Roofline(load_model("qwen3-8b"), load_hardware("l40s"), tp=2).describe()
    constants = json.loads(json.dumps(described))["constants"]
    assert constants["matmul_share"] == {"value": 0.742, "source": "carried over from rtx-pro-6000"}
    assert described["error"] == "not measured on this GPU"
    assert (described["cost"], described["tp"]) == ("roofline", 2)


def test_a_split_the_model_does_not_allow_is_refused():
    with pytest.raises(ValueError, match="tp must divide the 52 attention heads of llama-30b, got 3"):
        Roofline(load_model("llama-30b"), load_hardware("a10"), tp=3)


def test_terms_of_ones_own_make_a_cost_model():
    launch = Launch(hardware(step_s=1e-6))
    cost = Composite(by_tokens=[launch], by_sequences=[], lines=[], described={"cost": "mine"})
    assert cost.line(Shape(3, 30))[:2] == (10**6, 0)
    assert cost.describe() == {"cost": "mine"}
