"""Lines of roofline and tables: exact to the picosecond over random batches, and bent exactly where bounds cross."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.contract import UNBOUNDED, CostModel, Shape
from simcore.cost import Roofline, load_hardware, load_model
from tests.cost.machines import hardware, model
from tests.cost.shapes import shapes, tell_the_truth
from tests.cost.small_tables import COSTS as FROM_TABLES

ROOFLINES = [
    Roofline(load_model("llama-3.1-8b"), load_hardware("h200")),
    Roofline(load_model("llama-3.1-70b", weights_dtype="fp8", kv_dtype="fp8"), load_hardware("h100"), 4),
    Roofline(load_model("qwen3-30b-a3b"), load_hardware("b200")),
    Roofline(load_model("qwen2.5-7b", weights_dtype="fp8"), load_hardware("a10"), 4),
    # Compute and KV reading cost the same here when a chunk has 100 tokens: bounds cross within reach.
    Roofline(model(), hardware(prefill_passes=3, attention_share=0.05)),
    Roofline(model(), hardware(bf16_flops=1e12, kv_share=0.01)),
]
COSTS = [*ROOFLINES, *FROM_TABLES]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(COSTS), shapes())
def test_a_line_is_exact_for_as_long_as_it_promises(cost: CostModel, shape: Shape):
    tell_the_truth(cost, shape)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(COSTS), shapes(most_new=64))
def test_a_line_of_short_chunks_is_exact_too(cost: CostModel, shape: Shape):
    tell_the_truth(cost, shape)


@given(st.sampled_from(ROOFLINES), shapes())
def test_the_terms_add_up_to_the_first_iteration(cost: Roofline, shape: Shape):
    assert sum(cost.terms(shape).values()) == pytest.approx(cost.line(shape)[0] / 1e12, abs=1e-12)


def test_decodes_alone_never_bend():
    cost = ROOFLINES[0]
    assert cost.line(Shape(decodes=64, context=64_000))[2] == UNBOUNDED


# One pair of tokens is 4 * 4 heads * 10 = 160 operations, one token's KV 2 * 2 heads * 10 * 2 = 80 bytes, so 80 ps.
PAIR_7_9_PS = Roofline(model(), hardware(attention_share=1.6 / 79))


def test_a_run_of_long_chunks_is_bound_by_compute_all_the_way():
    # Per token before: 100 * 7.9 = 790 ps against 80; with none before 100 * 101 / 2 * 7.9 against 100 * 80.
    assert PAIR_7_9_PS.line(Shape(chunks=[(100, 0)]))[1:] == (790 * 100, UNBOUNDED)


def test_a_run_of_short_chunks_is_bound_by_kv_all_the_way():
    # Per token before: 10 * 7.9 = 79 ps against 80; with none before 55 * 7.9 against 10 * 80.
    assert PAIR_7_9_PS.line(Shape(chunks=[(10, 0)]))[1:] == (80 * 10, UNBOUNDED)


def test_a_run_in_between_bends_where_compute_overtakes_kv():
    # With none before 66 * 7.9 = 521 ps against 11 * 80 = 880; each iteration compute gains (87 - 80) * 11 ps on that.
    lead_ps, gain_ps = 880 - 521, 77
    assert PAIR_7_9_PS.line(Shape(chunks=[(11, 0)]))[1:] == (80 * 11, lead_ps // gain_ps + 1)
    assert PAIR_7_9_PS.line(Shape(chunks=[(11, 11 * 5)]))[1:] == (87 * 11, UNBOUNDED)


def test_a_tie_made_by_rounding_bends_at_once():
    # One new token: 79.4 ps of compute, 79.6 of KV and 0.3 of either's inputs are 80 and 80 with none before, but
    # each token before adds 79 or 80.
    cost = Roofline(model(), hardware(attention_share=0.16 / 79.4, kv_share=80 / 79.6, prefill_passes=0.3 / 240))
    tied = Shape(chunks=[(1, 0)])
    assert cost.terms(tied)["prefill_attention"] == 80e-12
    assert cost.line(tied)[2] == 1
    tell_the_truth(cost, tied)
