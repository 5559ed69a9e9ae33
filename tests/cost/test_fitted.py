"""Fitted: lines of a fitted model are exact, and a profile file says what it holds, or what is wrong with it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.contract import UNBOUNDED, Shape
from simcore.cost import Fitted, read_profile
from simcore.cost.fit_error import FitError
from simcore.cost.fitted import Terms
from simcore.cost.profile import write_profile
from tests.cost.shapes import shapes, tell_the_truth

whole = st.integers(0, 10**10)
curves = st.dictionaries(st.integers(1, 5000), whole, min_size=1, max_size=8).map(lambda d: tuple(sorted(d.items())))
ERROR = FitError(iterations=20, median=0.05, p90=0.2, worst=0.5, bias=-0.01, total=0.02)


@given(curves, whole, whole, whole, whole, shapes())
def test_a_line_is_exact_for_any_curve_and_any_whole_numbers(curve, chunk, pair, decode, context, shape):
    tell_the_truth(Fitted(Terms(curve, chunk, pair, decode, context)), shape)


@given(curves, whole, whole, whole, whole, shapes())
def test_the_terms_add_up_to_the_first_iteration(curve, chunk, pair, decode, context, shape):
    cost = Fitted(Terms(curve, chunk, pair, decode, context))
    assert sum(cost.terms(shape).values()) == pytest.approx(cost.line(shape)[0] / 1e12, abs=1e-12, rel=1e-12)


def test_an_iteration_adds_up_by_hand():
    cost = Fitted(Terms(tokens=((1, 1000), (11, 2000)), chunk=500, prefill_pair=1, decode=10, context=2))
    # 2 decodes and 4 new tokens: 1500 by tokens, 20 and 2 x 30 of the decodes, 500 and 11 + 12 + 13 + 14 of the chunk.
    assert cost.line(Shape(2, 30, chunks=[(4, 10)])) == (1500 + 20 + 60 + 500 + 50, 2 * 2 + 4 * 4, UNBOUNDED)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"chunk": -1}, "chunk must be whole numbers >= 0, of picoseconds, got -1"),
        ({"context": 0.5}, "context must be whole numbers >= 0, of picoseconds, got 0.5"),
        ({"tokens": ()}, "tokens must have at least one point, got none"),
        ({"tokens": ((2, 5), (1, 5))}, "tokens must be points in the order of tokens, each once"),
    ],
)
def test_terms_that_cannot_be_are_refused(wrong, rule):
    with pytest.raises(ValueError, match=rule):
        Terms(**wrong)


def test_a_profile_comes_back_from_its_file_with_where_it_is_from(tmp_path):
    terms = Terms(tokens=((1, 1000), (11, 2000)), chunk=500, prefill_pair=1, decode=10, context=2)
    write_profile(tmp_path / "p.json", terms, ERROR, {"device": "cpu"})
    found = read_profile(tmp_path / "p.json")
    assert found.numbers == terms
    assert found.described == {"held_out_error": ERROR.as_dict(), "provenance": {"device": "cpu"}}
    assert found.describe()["cost"] == "fitted"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"schema": "other/1"}, "schema must be 'simcore.profile/1', got 'other/1'"),
        ({"terms_ps": {"chunk": 1}}, "terms_ps must have tokens, chunk, prefill_pair, decode, context"),
        ({"terms_ps.decode": "fast"}, "terms_ps: decode must be whole numbers >= 0, of picoseconds, got 'fast'"),
        ({"terms_ps.tokens": [[1]]}, r"terms_ps: tokens must be a list of \[tokens, picoseconds\], got \[\[1\]\]"),
    ],
)
def test_a_profile_that_is_none_is_refused_with_its_place(tmp_path, change, rule):
    file: Path = tmp_path / "p.json"
    write_profile(file, Terms(), ERROR, {})
    content = json.loads(file.read_text())
    for key, value in change.items():
        first, _, second = key.partition(".")
        if second:
            content[first][second] = value
        else:
            content[first] = value
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"p.json: {rule}"):
        read_profile(file)


def test_a_file_that_is_not_there_or_not_json_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"p\.json: No such file"):
        read_profile(tmp_path / "p.json")
    (tmp_path / "p.json").write_text("{")
    with pytest.raises(ValueError, match=r"p\.json: not JSON"):
        read_profile(tmp_path / "p.json")
