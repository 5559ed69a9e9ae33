"""Costs from tables: each term by hand, where each comes from, and lines exact whatever was measured."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.round_robin import RoundRobin
from policies.vllm_v1 import VllmV1
from simcore.contract import UNBOUNDED, Shape
from simcore.cost import ModelSpec, Roofline
from simcore.cost.matmuls import Product
from simcore.cost.tables import TableCost
from simcore.cost.tables.polyline import Polyline
from simcore.simulator import Settings, simulate
from tests.bench.machines import Traffic
from tests.cost.machines import hardware, model
from tests.cost.shapes import shapes, tell_the_truth
from tests.cost.small_tables import US, cost, decode, gemm, prefill, steps, table, tables

WHOLE = cost(gemm(), decode(), prefill())


def us(of: TableCost, term: str, shape: Shape) -> float:
    return of.terms(shape)[term] * 1e6


def test_the_four_products_of_a_layer_are_looked_up_and_added():
    # 2 us and 1 us a row each.
    assert us(WHOLE, "matmuls", Shape(decodes=5, context=50)) == pytest.approx(4 * (2 + 5))
    assert us(WHOLE, "matmuls", Shape(decodes=5, context=50, chunks=[(50, 0)])) == pytest.approx(4 * (2 + 55))


def test_products_beyond_the_largest_batch_are_scaled():
    assert us(WHOLE, "matmuls", Shape(chunks=[(300, 0)])) == pytest.approx(4 * 102 * 3)


def test_the_head_is_a_product_of_the_sequences():
    # The tiny model's sampling is free: ten kernels of no time, ten words of no bytes to speak of.
    assert us(WHOLE, "lm_head", Shape(decodes=8, context=80)) == pytest.approx(2 + 8, abs=0.01)


def test_decode_attention_follows_batch_and_mean_context():
    assert us(WHOLE, "decode_attention", Shape(decodes=5, context=5 * 100)) == pytest.approx(10 + 500)


def test_decode_attention_bends_where_its_table_does():
    bent = cost(decode(lambda h, b, c: b * np.where(c <= 10, c, 4 * c - 30) * US))
    # Two requests at 8 each: two iterations to the bend at 10, and the one that starts there.
    assert bent._decode is not None
    assert bent._decode.line(Shape(2, 16)) == (16 * 10**6, 2 * 10**6, 3)
    assert bent._decode.line(Shape(2, 20)) == (20 * 10**6, 8 * 10**6, UNBOUNDED)


def test_whole_prompts_alone_cost_what_was_measured():
    assert us(WHOLE, "prefill_attention", Shape(chunks=[(10, 0)])) == pytest.approx(4 * 55)
    assert us(WHOLE, "prefill_attention", Shape(chunks=[(10, 0), (10, 0)])) == pytest.approx(2 * 4 * 55)


def test_a_prefill_between_two_points_grows_with_its_square():
    assert us(WHOLE, "prefill_attention", Shape(chunks=[(50, 0)])) == pytest.approx(4 * 50 * 51 / 2)


def test_tokens_before_a_chunk_add_their_pairs():
    assert us(WHOLE, "prefill_attention", Shape(chunks=[(10, 30)])) == pytest.approx(4 * (55 + 10 * 30))


def test_a_few_tokens_after_many_read_at_least_their_kv():
    cheap = cost(prefill(lambda h, b, t: US + 1e-15 * b * h * t * (t + 1) / 2))
    # 80 bytes of KV a token at a byte a picosecond, over 4 fs a pair.
    free, far = (us(cheap, "prefill_attention", Shape(chunks=[(1, before)])) for before in (0, 1000))
    assert far - free == pytest.approx(80 * 1000e-6, rel=1e-6)


def test_what_no_table_has_is_the_rooflines_and_said_to_be():
    shape = Shape(decodes=4, context=400, chunks=[(20, 0)])
    bare = Roofline(model(), hardware())
    partly = cost(decode())
    for term, seconds in bare.terms(shape).items():
        if term != "decode_attention":
            assert partly.terms(shape)[term] == seconds
    said = partly.describe()["terms"]
    assert isinstance(said, dict)
    assert [term for term, source in said.items() if not source.startswith("roofline: ")] == ["decode_attention"]
    assert said["prefill_attention"] == "roofline: no table of 2 KV heads of 10, bf16"


def test_products_with_one_scale_a_block_do_not_stand_for_those_with_one_a_tensor():
    blocks = table("gemm", {"dtype": "fp8_block"}, gemm().axes, gemm().seconds)
    said = cost(blocks, of=model(weights_dtype="fp8")).describe()["terms"]
    assert isinstance(said, dict)
    assert said["matmuls"] == "roofline: no table of fp8 products"


def test_reductions_over_gpus_are_looked_up_by_bytes():
    reduce = table(
        "allreduce", {"gpus": 2, "backend": "graph"}, {"bytes": (100, 1000, 10**6)}, lambda b: 5 * US + b * 1e-9
    )
    # Two a layer, of 200 bytes a token.
    assert us(cost(reduce, tp=2), "allreduce", Shape(decodes=4, context=40)) == pytest.approx(2 * (5 + 0.8))
    assert us(cost(reduce), "allreduce", Shape(decodes=4, context=40)) == 0


def test_measured_layers_stand_for_their_products_and_element_wise_kernels():
    parts = [
        table("layer_matmuls", {"tp": 1}, {"tokens": (1, 100)}, lambda t: (9 + t) * US),
        table("layer_elementwise", {"tp": 1}, {"tokens": (1, 100)}, lambda t: (1 + t) * US),
        table("embedding", {"tp": 1}, {"tokens": (1, 100)}, lambda t: 3 * US + 0 * t),
    ]
    two = cost(*parts, of=model(layers=2))
    assert us(two, "matmuls", Shape(decodes=5, context=50)) == pytest.approx(2 * 14)
    assert us(two, "elementwise", Shape(decodes=5, context=50)) == pytest.approx(2 * 6 + 3)


def test_experts_stay_the_rooflines_beside_measured_attention_products():
    moe = model(moe_layers=1, experts=4, experts_per_token=2, moe_intermediate=50)
    flat = gemm(lambda m, n, k: US + 0 * m * n * k)
    measured, bare = (c.terms(Shape(decodes=1, context=9))["matmuls"] for c in (cost(flat, of=moe), _bare(moe)))
    replaced = sum(Product(k, n, "bf16").seconds(hardware(), 1, 100) for k, n in ((100, 80), (40, 100)))
    assert measured - bare == pytest.approx(2 * US - replaced, abs=2e-12)


def _bare(of: ModelSpec) -> Roofline:
    return Roofline(of, hardware())


def test_cuda_graphs_pad_the_tokens_to_the_sizes_that_were_captured():
    padded, plain = cost(gemm(), graph_sizes=(8, 64)), cost(gemm())
    assert us(padded, "matmuls", Shape(decodes=5, context=50)) == us(plain, "matmuls", Shape(decodes=8, context=80))
    assert us(padded, "matmuls", Shape(decodes=65, context=650)) == us(plain, "matmuls", Shape(decodes=65, context=650))


def test_a_share_of_the_sms_slows_a_term_as_it_slows_the_rooflines():
    # Bound by compute at this size; at half of the SMs twice as long.
    shape, half = (Shape(chunks=[(2000, 0)], sm_pct=share) for share in (100, 50))
    bare = _bare(model())
    slower = bare.terms(half)["matmuls"] / bare.terms(shape)["matmuls"]
    assert WHOLE.terms(half)["matmuls"] == pytest.approx(slower * WHOLE.terms(shape)["matmuls"])


def test_whole_steps_are_a_prefill_of_all_tokens_or_a_decode():
    step = cost(*steps())
    assert step.line(Shape(decodes=10, context=500))[:2] == (30 * 10**6, 10 * 10**4)
    assert step.line(Shape(decodes=10, context=600))[0] == 31 * 10**6
    assert step.line(Shape(chunks=[(30, 0), (20, 0)]))[0] == 150 * 10**6
    assert step.line(Shape(decodes=10, context=500, chunks=[(40, 0)]))[0] == (150 + 5) * 10**6


def test_whole_steps_know_only_the_splits_that_were_measured():
    with pytest.raises(ValueError, match="tp must be one of 1, which the tables have steps for, got 2"):
        cost(*steps(), tp=2)


def test_tables_of_another_gpu_or_model_are_refused_with_both_names():
    with pytest.raises(ValueError, match=r"measured on round, the study's hardware is square"):
        TableCost(model(), replace(hardware(), name="square"), tables(gemm()))
    other = tables(gemm(), sizes={"hidden": 4096}, provenance={"model": "llama"})
    with pytest.raises(ValueError, match="measured for llama: hidden must be 4096, tiny has 100"):
        TableCost(model(), hardware(), other)


def test_iterations_outside_the_tables_are_counted_for_one_warning():
    reach = cost(gemm(), decode(), prefill())
    reach.line(Shape(decodes=5, context=5 * 900))
    assert reach.warning() is None
    for context in (1001, 1002):
        reach.line(Shape(decodes=5, context=5 * context))
    assert reach.outside() == {"decode_attention": 2}
    reach.line(Shape(chunks=[(200, 0)]))
    assert reach.warning() == (
        "the cost tables were asked 4 times outside what was measured "
        "(matmuls 1, decode_attention 2, prefill_attention 1)"
    )


def test_times_that_fall_as_context_grows_are_levelled():
    line = Polyline(1, [1, 2, 3, 4], [10e-12, 30e-12, 20e-12, 40e-12])
    assert [line.at(context)[0] for context in (1, 2, 3, 4)] == [10, 25, 25, 40]


@st.composite
def random_costs(draw: st.DrawFn) -> TableCost:
    """Draw the cost of tables in which anything from 0.1 us to 10 ms was measured, and some points were not."""
    draws = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parts = []
    for part in (gemm(), decode(), prefill()):
        values = 10 ** draws.uniform(-7, -2, part.seconds.shape)
        # The last crossing is the one that did not fit; the first cell stays whole.
        if draws.random() < 0.5 and part.term != "gemm":
            values[..., -1, -1] = np.nan
        parts.append(table(part.term, part.labels, part.axes, values))
    return cost(*parts, graph_sizes=((), (1, 4, 16, 64))[draws.integers(2)])


@settings(max_examples=200, deadline=None)
@given(random_costs(), shapes(most_new=256))
def test_a_line_is_exact_whatever_was_measured(of: TableCost, shape: Shape):
    tell_the_truth(of, shape)
    first, increment, _ = of.line(shape)
    assert first >= 0
    assert increment >= 0
    assert sum(of.terms(shape).values()) == pytest.approx(first / 1e12, rel=1e-9)


class Rows:
    """A sink that keeps every row but those of steps, which are what the two ways of stepping differ in."""

    def __init__(self) -> None:
        self.kept: dict[str, list[str]] = {}

    def __getattr__(self, name: str):
        return lambda rows: self.kept.setdefault(name, []).extend(map(repr, rows if name != "steps" else ()))


@settings(max_examples=40, deadline=None)
@given(random_costs(), st.integers(0, 2**32 - 1), st.integers(40, 400))
def test_macro_steps_equal_single_iterations_bit_for_bit(of: TableCost, seed: int, blocks: int):
    draws = np.random.default_rng(seed)
    columns = np.stack(
        [np.sort(draws.integers(0, 10**11, 30)), draws.integers(1, 400, 30), draws.integers(1, 200, 30)], axis=1
    )
    kept = []
    for single in (False, True):
        rows = Rows()
        run = Settings(1, blocks, of, RoundRobin, VllmV1, per_iteration=single)
        simulate(run, Traffic(columns), rows)
        kept.append(rows.kept)
    assert kept[0]["requests"]
    assert kept[0] == kept[1]
