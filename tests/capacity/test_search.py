"""A search closes in on a sign change: in few questions, to its tolerance, and the same ones whenever it is resumed."""

from dataclasses import replace
from math import log

import numpy as np
import pytest

from simcore.capacity.search import MOST_RUNS, Edge, Field, edge, next_value, root

FIELD = Field(low=0.01, high=10_000, start=8, stride=2, tolerance=0.01)


def searched(margin, field: Field) -> dict[float, float]:
    """Return all that a search asks of `margin`, in its order."""
    known: dict[float, float] = {}
    while (value := next_value(known, field)) is not None:
        assert value not in known, "nothing is asked twice"
        known[value] = margin(value)
    return known


SHAPES = {
    "a line": lambda x, at: log(at) - log(x),
    "a step": lambda x, at: 5.0 if x <= at else -5.0,
    "flat, then steep": lambda x, at: 0.1 if x <= at else -5 * (x / at),
    "steep, then flat": lambda x, at: 5 * (at / x) ** 8 if x <= at else -0.001,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("at", [3.98765, 7.98765, 8.01234, 15.98765])
def test_a_search_ends_within_the_tolerance_and_the_runs_it_may_take(shape, at):
    known = searched(lambda x: min(max(SHAPES[shape](x, at), -5), 5), FIELD)
    found = edge(known, FIELD)
    assert found.met is not None
    assert found.missed is not None
    assert found.met <= at <= found.missed <= found.met * (1 + FIELD.tolerance + 0.001)
    assert found.met <= root(known, found, FIELD) <= found.missed
    assert len(known) <= MOST_RUNS


def test_a_smooth_curve_takes_fewer_questions_than_bisection():
    known = searched(lambda x: 5 * np.tanh(log(11 / x)), replace(FIELD, stride=1.5))
    # Bisection would halve the first bracket, a factor of 1.5 wide, to 1%: six more questions after its two ends.
    assert len(known) <= 6


def test_what_is_asked_next_depends_on_what_is_known_alone():
    def margin(value):
        return log(11.3 / value)

    whole = searched(margin, FIELD)
    for count in range(len(whole)):
        known = dict(list(whole.items())[:count])
        assert next_value(known, FIELD) == list(whole)[count]
        assert next_value(dict(reversed(known.items())), FIELD) == list(whole)[count]


def test_values_have_four_digits():
    assert all(value == float(f"{value:.4g}") for value in searched(lambda x: log(11.34567 / x), FIELD))


@pytest.mark.parametrize("at", range(1, 40))
def test_whole_numbers_are_found_exactly(at):
    more_is_harder = replace(FIELD, low=1, high=1000, whole=True)
    assert edge(searched(lambda x: 1 if x <= at else -1, more_is_harder), more_is_harder) == Edge(at, at + 1)
    less_is_harder = replace(more_is_harder, harder=-1)
    expected = Edge(at, at - 1 if at > 1 else None)
    assert edge(searched(lambda x: 1 if x >= at else -1, less_is_harder), less_is_harder) == expected


def test_many_whole_numbers_are_closed_in_on_to_the_tolerance():
    field = replace(FIELD, low=1, high=10**9, whole=True)
    known = searched(lambda x: 1 if x <= 123_456 else -1, replace(field, start=100_000))
    found = edge(known, field)
    assert found.met is not None
    assert found.missed is not None
    assert found.met <= 123_456 < found.missed <= found.met * 1.01


def test_a_search_stops_at_its_limits():
    field = replace(FIELD, low=2, high=50)
    assert edge(searched(lambda x: 1, field), field) == Edge(50, None)
    assert edge(searched(lambda x: -1, field), field) == Edge(None, 2)
    assert edge(searched(lambda x: 1, replace(field, harder=-1)), replace(field, harder=-1)) == Edge(2, None)


def test_a_noisy_margin_still_gives_a_bracket_of_neighbours():
    rng = np.random.default_rng(0)
    for _ in range(50):
        known = searched(lambda x: log(20 / x) + rng.normal(0, 0.05) or 1e-9, FIELD)
        found = edge(known, FIELD)
        assert found.met is not None
        assert found.missed is not None
        assert 15 < found.met < found.missed < 26


def test_a_search_that_would_take_too_long_keeps_its_bracket():
    field = Field(low=1e-6, high=1e6, start=1.0, stride=1.05, tolerance=0.001)
    known = searched(lambda x: 5.0 if x <= 4321 else -5.0, field)
    assert len(known) <= MOST_RUNS
    found = edge(known, field)
    assert found.met is not None
    assert found.missed is not None
    assert found.met <= 4321 <= found.missed
