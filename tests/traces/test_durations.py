"""Durations: moments of each kind of wait against closed forms, in picoseconds."""

import math

import numpy as np
import pytest

from traces.draws import BLOCK, blocks
from traces.durations import KINDS, MAX_S
from traces.kinds import read_kind


def seconds(kind: str, **parameters: object) -> np.ndarray:
    problems: list[str] = []
    found = read_kind("think_s", {"kind": kind, **parameters}, KINDS, problems)
    assert not problems
    assert found is not None
    generators = blocks(0, 0, "wait")
    drawn = np.concatenate([found.draw(next(generators)) for _ in range(10)])
    assert (len(drawn), drawn.dtype.name) == (10 * BLOCK, "int64")
    assert drawn.min() >= 0
    return drawn / 1e12


def test_a_fixed_duration_is_exact():
    assert set(seconds("fixed", seconds=0.25).tolist()) == {0.25}
    assert set(seconds("fixed", seconds=0).tolist()) == {0.0}


@pytest.mark.parametrize(
    ("kind", "parameters", "mean", "deviation"),
    [
        ("exponential", {"mean": 30}, 30, 30),
        ("gamma", {"mean": 10, "cv": 0.5}, 10, 5),
        ("gamma", {"mean": 10, "cv": 2}, 10, 20),
        ("lognormal", {"mean": 20, "sigma": 0.5}, 20, 20 * math.sqrt(math.exp(0.25) - 1)),
    ],
)
def test_mean_and_deviation_are_the_asked_ones(kind, parameters, mean, deviation):
    drawn = seconds(kind, **parameters)
    assert drawn.mean() == pytest.approx(mean, rel=0.02)
    assert drawn.std() == pytest.approx(deviation, rel=0.04)


def test_a_mixture_has_its_quick_and_its_slow_calls():
    drawn = seconds("mixture", weights=[0.75, 0.25], mu=[-4, 2], sigma=[0.1, 0.1])
    assert (drawn > 1).mean() == pytest.approx(0.25, abs=0.01)
    assert np.median(drawn[drawn < 1]) == pytest.approx(math.exp(-4), rel=0.01)
    assert np.median(drawn[drawn > 1]) == pytest.approx(math.exp(2), rel=0.01)


def test_bounds_hold_what_is_drawn_outside():
    drawn = seconds("lognormal", mu=0, sigma=2, min=0.5, max=3)
    assert (drawn.min(), drawn.max()) == (0.5, 3)
    assert seconds("lognormal", mu=1000, sigma=1).max() == MAX_S


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (None, "think_s: must be a mapping with a kind, got nothing"),
        ({"kind": "weibull"}, "think_s.kind: must be one of fixed, exponential, lognormal, mixture, gamma"),
        ({"kind": "fixed", "seconds": -1}, "think_s.seconds: must be a number between 0 and 4e+06, got -1"),
        ({"kind": "exponential", "mean": 0}, "think_s.mean: must be a number > 0 and at most 4e+06, got 0"),
        ({"kind": "gamma", "mean": 1}, "think_s.cv: must be a number between 0.01 and 100, got nothing"),
        ({"kind": "lognormal", "sigma": 1}, "think_s.mean: give either mean or mu, got neither"),
        ({"kind": "lognormal", "sigma": 1, "mu": 0, "min": 2, "max": 1}, "think_s.max: must be >= min (2), got 1"),
    ],
)
def test_a_mistake_is_named(given, problem):
    problems: list[str] = []
    read_kind("think_s", given, KINDS, problems)
    assert len(problems) == 1
    assert problems[0].startswith(problem)
