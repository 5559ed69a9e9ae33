"""Lines of a profile of layers: exact to the picosecond, so macro-steps are the run of one event an iteration."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.contract import Shape
from simcore.cost.layers.cost import LayerProfile, Terms
from simcore.cost.layers.folder import import_layers
from simcore.simulator import Mechanisms
from tests.cost import made_layers
from tests.cost.shapes import tell_the_truth
from tests.simulator.harness import run


@cache
def cost(terms: Terms | None = None) -> LayerProfile:
    with TemporaryDirectory() as folder:
        tables = import_layers(made_layers.write(Path(folder) / "profile"))
    return LayerProfile(made_layers.tiny(), None, tables, terms=terms)


@st.composite
def batches(draw: st.DrawFn, most_chunks: int = 2) -> Shape:
    """Draw a batch: decodes of uneven contexts up to beyond the profile, and chunks, some of one token."""
    contexts = draw(st.lists(st.integers(1, 1500), max_size=12))
    chunk = st.tuples(st.one_of(st.just(1), st.integers(1, 300)), st.integers(0, 1500))
    chunks = draw(st.lists(chunk, max_size=most_chunks))
    return Shape(len(contexts), sum(contexts), max(contexts, default=0), chunks)


@settings(max_examples=300, deadline=None)
@given(batches())
def test_a_line_is_exact_for_as_long_as_it_promises(shape: Shape):
    tell_the_truth(cost(), shape)


@settings(max_examples=300, deadline=None)
@given(batches(most_chunks=0))
def test_a_line_of_decodes_alone_is_exact_with_any_correction_left_out(shape: Shape):
    for terms in (Terms(uneven_decodes=False), Terms(longest_alone=False)):
        tell_the_truth(cost(terms), shape)


def test_decodes_alone_keep_their_line_until_a_point_of_the_profile():
    """The mean is at 100 tokens of history, the next point at 256; the longest, 200, is at most 1024."""
    first, increment, iterations = cost(Terms(longest_alone=False, uneven_decodes=False)).line(Shape(4, 404, 201))
    assert (increment, iterations) == (2 * 4 * 10_000, 157)
    assert first > 0


def test_a_batch_leaves_its_bucket_when_its_mean_nears_its_longest():
    """Shares of 0.4 and 0.7 bound the buckets: 2 * 30 tokens of 100 are at 0.3, and pass 0.4 after 17."""
    shape = Shape(2, 62, 101)
    _, _, iterations = cost(Terms(longest_alone=False)).line(shape)
    assert (30 + iterations - 1) / (100 + iterations - 1) <= 0.4 < (30 + iterations) / (100 + iterations)


@pytest.mark.parametrize("ahead", [0, 1])
def test_macro_steps_are_the_same_run_as_one_event_an_iteration(ahead):
    arrivals = [(i * 400_000_000, 20 + 37 * i % 300, 5 + 53 * i % 200) for i in range(40)]
    kept = {}
    for per_iteration in (False, True):
        mechanisms = Mechanisms(schedule_ahead=ahead, prefix_cache="cold")
        done = run(arrivals, cost=cost(), kv_blocks=120, per_iteration=per_iteration, mechanisms=mechanisms)
        kept[per_iteration] = done["tokens"], sorted(done["rows"]["requests"]), done["outcome"].iterations
    assert kept[False] == kept[True]
