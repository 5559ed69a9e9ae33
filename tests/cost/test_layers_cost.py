"""Cost from a profile of layers: by hand on a small one, term by term, and refused where it does not belong."""

import pytest

from simcore.contract import PS_PER_S, Shape
from simcore.cost import load_hardware, load_model
from simcore.cost.layers.cost import LayerProfile, Terms, default_graph_sizes
from simcore.cost.layers.folder import import_layers
from simcore.cost.layers.tables import LayerTables
from tests.cost import made_layers
from tests.cost.machines import hardware, model

EVEN = Terms(uneven_decodes=False, longest_alone=False, uneven_mixed=False)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return import_layers(made_layers.write(tmp_path_factory.mktemp("layers") / "profile"))


def us(
    cost: LayerProfile,
    decodes: int = 0,
    context: int = 0,
    longest: int = 0,
    chunks: list[tuple[int, int]] | None = None,
) -> dict[str, float]:
    """Return the microseconds of each term."""
    shape = Shape(decodes, context, longest, chunks)
    return {name: round(value * 1e6, 6) for name, value in cost.terms(shape).items()}


def build(tables: LayerTables, terms: Terms = EVEN, **more: object) -> LayerProfile:
    return LayerProfile(made_layers.tiny(), None, tables, terms=terms, **{"graph_sizes": (), **more})  # type: ignore[arg-type]


def test_a_step_is_the_sum_of_its_layers(tables):
    """Two decodes with 64 tokens of history: 2 layers of four products at 11 us, of two norms, rotary and activation,
    embedding and the last norm once; 20 + 2 and 5 us of head; 2 layers of 1 + 2 * 64 / 100 us of attention."""
    assert us(build(tables), 2, 130, 65) == {
        "matmuls": 2 * 4 * 11.0,
        "elementwise": 2 * 4 + 2,
        "head": 27,
        "attention": 2 * 2.28,
        "prefill_step": 0,
    }


def test_a_chunk_beside_decodes_has_a_joint_time(tables):
    """64 new tokens behind none, and two decodes at 64: 66 tokens are two times 64."""
    found = us(build(tables), 2, 130, 65, chunks=[(64, 0)])
    assert found["attention"] == pytest.approx(2 * made_layers.mixed_us(64, 0, 2, 64))
    assert found["matmuls"] == 2 * 4 * 12
    assert found["head"] == 28


def test_several_chunks_are_one_with_all_their_pairs(tables):
    """32 new behind 192 and 32 behind 288 have as many pairs as 64 behind 224: 32 * 208 + 32 * 304 = 64 * 256."""
    cost = build(tables)
    assert us(cost, chunks=[(32, 192), (32, 288)])["attention"] == us(cost, chunks=[(64, 224)])["attention"]


def test_a_chunk_of_one_token_is_a_decode(tables):
    cost = build(tables)
    assert us(cost, 2, 130, 65, chunks=[(1, 64)])["attention"] == us(cost, 3, 195, 65)["attention"]


def test_between_two_token_counts_a_kernel_takes_what_it_takes_at_the_larger(tables):
    cost = build(tables)
    assert tables.stairs
    assert us(cost, chunks=[(65, 0)])["matmuls"] == us(cost, chunks=[(80, 0)])["matmuls"] == 2 * 4 * 12


def test_steps_are_padded_to_the_sizes_of_cuda_graphs(tables):
    cost = build(tables, graph_sizes=(16, 80))
    assert us(cost, 16, 16 * 65, 65)["matmuls"] == 2 * 4 * 11
    assert us(cost, 17, 17 * 65, 65)["matmuls"] == 2 * 4 * 12
    assert us(cost, 129, 129 * 65, 65)["matmuls"] == 2 * 4 * 13
    assert build(tables, graph_sizes=None).describe()["graph_sizes"] == list(default_graph_sizes())


# -- uneven contexts --------------------------------------------------------------------------------------------------


def test_uneven_decodes_lie_a_quarter_of_the_way_to_the_longest(tables):
    """Two decodes, 256 tokens of history together, the longest 176: the mean's 2 layers of 1 + 2.56 us, the longest's
    1 + 3.52; a share of 128 / 176 is above all buckets, of 128 / 192 in one whose alpha is a quarter."""
    cost = build(tables, Terms(longest_alone=False))
    even = 2 * made_layers.decode_us(2, 128)
    assert us(cost, 2, 258, 129)["attention"] == even
    assert us(cost, 2, 258, 177)["attention"] == even
    longest = 2 * made_layers.decode_us(2, 192)
    assert us(cost, 2, 258, 193)["attention"] == pytest.approx(even + 0.25 * (longest - even))


def test_from_the_batch_on_where_one_long_request_decides_it_is_a_bound(tables):
    """Four decodes never showed it, eight did: 64 tokens at 16 and one at 64 took 1.5 * (1 + 8 * 22 / 100) us, a token
    of the 256 the least: 1.5 * (1 + 8 * 88 / 100) / 256 us."""
    cost = build(tables, Terms(uneven_decodes=False))
    a_token = 1.5 * made_layers.decode_us(8, 88) / 256
    assert us(cost, 4, 4 * 17, 1001)["attention"] == pytest.approx(2 * made_layers.decode_us(4, 16))
    assert us(cost, 5, 5 * 17, 1001)["attention"] == pytest.approx(2 * a_token * 1000, rel=1e-5)


def test_uneven_decodes_beside_a_chunk_take_a_tenth_longer(tables):
    cost = build(tables, Terms())
    even, uneven = (us(cost, 2, 130, longest, chunks=[(64, 0)])["attention"] for longest in (65, 101))
    assert uneven == pytest.approx(1.1 * even)


def test_without_skew_files_uneven_batches_are_even_ones(tmp_path):
    files = {name: table for name, table in made_layers.tables().items() if not name.startswith("skew")}
    cost = build(import_layers(made_layers.write(tmp_path, files)), Terms())
    assert not cost.uses_longest
    assert us(cost, 2, 130, 101) == us(cost, 2, 130, 65)


# -- switches and what is declared ------------------------------------------------------------------------------------


def test_what_is_declared_is_a_term_of_its_own_in_steps_with_prompts(tables):
    cost = build(tables, Terms(prefill_step_overhead_s=0.005))
    assert us(cost, 2, 130, 65)["prefill_step"] == 0
    assert us(cost, 2, 130, 65, chunks=[(16, 0), (16, 0)])["prefill_step"] == 5000
    assert build(tables).describe()["terms"] == {**_all(False), "prefill_step_overhead_s": 0.0}


def test_parts_can_be_left_out(tables):
    few = Terms(small_kernels=False, sampler=False)
    found = us(build(tables, few), 2, 130, 65)
    assert "elementwise" not in found
    assert found["head"] == 22


@pytest.mark.parametrize("seconds", [-0.001, 1.5])
def test_an_impossible_constant_is_refused(seconds):
    with pytest.raises(ValueError, match=r"prefill_step_overhead_s must be in \[0, 1\] seconds"):
        Terms(prefill_step_overhead_s=seconds)


# -- outside, and elsewhere -------------------------------------------------------------------------------------------


def test_what_lies_outside_the_profile_is_extrapolated_and_counted(tables):
    cost = build(tables)
    found = us(cost, 2, 2 * 2049, 2049)
    assert found["attention"] == pytest.approx(2 * made_layers.decode_us(2, 2048))
    assert us(cost, chunks=[(512, 0)])["matmuls"] == 2 * 4 * 14 * 2
    assert cost.outside() == {"matmuls": 1, "elementwise": 1, "attention": 2}
    assert build(tables).outside() == {}


def test_a_share_of_the_sms_is_not_in_the_profile(tables):
    with pytest.raises(ValueError, match="sm_pct must be 100, got 50"):
        build(tables).line(Shape(1, 10, 10, sm_pct=50))


def test_the_profile_of_another_model_gpu_degree_or_type_is_refused_with_both_names(tables):
    with pytest.raises(ValueError, match=r"measured for someone/tiny, the study's model is llama-3\.1-8b"):
        LayerProfile(load_model("llama-3.1-8b"), None, tables)
    with pytest.raises(ValueError, match="measured with tp 1, the study has tp 2"):
        LayerProfile(made_layers.tiny(), None, tables, 2)
    with pytest.raises(ValueError, match=r"measured in bf16, the study's weights are fp8"):
        LayerProfile(model(layers=2, weights_dtype="fp8"), None, tables)


def test_another_gpu_is_refused(tmp_path):
    meta = f"gpu: NVIDIA H100 80GB HBM3\nmodel: {made_layers.MODEL}\n"
    tables = import_layers(made_layers.write(tmp_path, meta=meta))
    LayerProfile(made_layers.tiny(), load_hardware("h100"), tables)
    with pytest.raises(ValueError, match="measured on 'NVIDIA H100 80GB HBM3', not on NVIDIA H200"):
        LayerProfile(made_layers.tiny(), load_hardware("h200"), tables)


def test_several_gpus_take_their_all_reduces_from_the_hardware(tmp_path):
    tables = import_layers(made_layers.write(tmp_path / "tp2"))
    assert tables.tp == 2
    with pytest.raises(ValueError, match="tp 2 needs hardware: the profile has no all-reduces"):
        LayerProfile(made_layers.tiny(), None, tables, 2)
    cost = LayerProfile(made_layers.tiny(), hardware(allreduce_s=1e-6), tables, 2, graph_sizes=())
    # Two layers, twice each: 1 us, and 16 tokens of 100 numbers of 2 bytes at 0.1 bytes a picosecond.
    assert cost.terms(Shape(chunks=[(16, 0)]))["allreduce"] == pytest.approx(4 * (1e-6 + 3200 / 1e11))


def test_the_terms_add_up_to_the_first_iteration(tables):
    cost = build(tables, Terms(prefill_step_overhead_s=0.001))
    for shape in (Shape(8, 800, 300), Shape(3, 300, 200, [(40, 10)]), Shape(0, 0, 0, [(100, 0)])):
        assert sum(cost.terms(shape).values()) == pytest.approx(cost.line(shape)[0] / PS_PER_S, abs=1e-12)


def _all(uneven: bool) -> dict[str, bool]:
    switches = dict.fromkeys(("uneven_decodes", "longest_alone", "uneven_mixed"), uneven)
    return switches | {"small_kernels": True, "sampler": True}
