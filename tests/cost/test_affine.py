"""Affine: a cost model that can be computed by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.contract import UNBOUNDED, Shape
from simcore.cost import Affine
from tests.cost.shapes import shapes, tell_the_truth

whole = st.integers(0, 10**12)


def test_duration_adds_step_tokens_sequences_and_context():
    cost = Affine(step_ps=1000, token_ps=100, sequence_ps=10, context_ps=1)
    # T = 2 + 5, S = 2 + 1, C = 30 + (5 + 20).
    shape = Shape(decodes=2, context=30, chunks=[(5, 20)])
    assert cost.line(shape) == (1000 + 700 + 30 + 55, 7, UNBOUNDED)
    assert sum(cost.terms(shape).values()) == pytest.approx(1785e-12)


def test_with_a_step_constant_alone_all_iterations_are_alike():
    assert Affine(step_ps=5).line(Shape(decodes=9, context=99)) == (5, 0, UNBOUNDED)


@given(whole, whole, whole, whole, shapes())
def test_a_line_is_exact_for_any_whole_numbers(step: int, token: int, sequence: int, context: int, shape: Shape):
    tell_the_truth(Affine(step, token, sequence, context), shape)


@pytest.mark.parametrize("wrong", [-1, 1.5])
def test_a_coefficient_that_is_no_whole_number_is_refused(wrong: int):
    with pytest.raises(ValueError, match="token_ps must be a whole number of picoseconds >= 0, got"):
        Affine(step_ps=1, token_ps=wrong)
