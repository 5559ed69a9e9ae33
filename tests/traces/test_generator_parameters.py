"""Parameters of generators: every mistake is named with its rule and value, all at once."""

import pickle
from typing import Any

import pytest

from traces import ParameterError, synthetic

FIXED = {"kind": "fixed", "tokens": 100}
TABLE = {"kind": "quantiles", "probabilities": [0, 1], "gaps": [0, 1]}
BURSTS = {"kind": "on_off", "duty": 0.5, "on_s": 1}
STATES = {"kind": "mmpp", "rates": [1, 2], "sojourn_s": [1, 1]}
APART = {"kind": "mmpp", "rates": [1] * 4, "sojourn_s": [1] * 4}
APART |= {"transitions": [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]}
DAY = {"kind": "diurnal", "amplitude": 0.5, "peak_hour": 15}


def problems(**changes):
    given: dict[str, Any] = {
        "arrivals": {"kind": "poisson"},
        "prompt_tokens": FIXED,
        "output_tokens": FIXED,
        "rate": 1,
        "requests": 1,
    }
    with pytest.raises(ParameterError) as error:
        synthetic(**(given | changes))
    return error.value.problems


@pytest.mark.parametrize(
    ("arrivals", "problem"),
    [
        ("poisson", "arrivals: must be a mapping with a kind, got 'poisson'"),
        ({}, "arrivals.kind: must be one of poisson, gamma, weibull, constant, quantiles, all_at_once, on_off, mmpp, "),
        ({"kind": "poison"}, "got 'poison' (did you mean 'poisson'?)"),
        ({"kind": "poisson", "cv": 2}, "arrivals.cv: unknown key; have kind"),
        ({"kind": "gamma"}, "arrivals.cv: must be a number between 0.01 and 100, got nothing"),
        ({"kind": "gamma", "cv": 0}, "arrivals.cv: must be a number between 0.01 and 100, got 0"),
        ({"kind": "gamma", "cv": True}, "arrivals.cv: must be a number between 0.01 and 100, got True"),
        ({"kind": "gamma", "cvs": 2}, "arrivals.cvs: unknown key (did you mean 'cv'?)"),
        ({"kind": "quantiles", "gaps": [0, 1]}, "arrivals.probabilities: must be a list of numbers >= 0, got nothing"),
        ({"kind": "quantiles", "probabilities": [0, 1], "gaps": [0, 0]}, "arrivals.gaps: must not all be 0"),
        (TABLE | {"correlation": 1.5}, "arrivals.correlation: must be a number between 0 and 1, got 1.5"),
        (TABLE | {"correlation": 0.5}, "arrivals.run: must be above 1 where gaps are correlated, got 1"),
        ({"kind": "weibull", "shape": 0}, "arrivals.shape: must be a number between 0.1 and 100, got 0"),
        ({"kind": "on_off", "on_s": 1}, "arrivals.duty: must be a number between 0.0001 and 0.9999, got nothing"),
        (BURSTS | {"on_s": 0}, "arrivals.on_s: must be a number between 0.001 and 4e+06, got 0"),
        (BURSTS | {"quiet": 2}, "arrivals.quiet: must be a number between 0 and 1, got 2"),
        (BURSTS | {"sojourns": "fix"}, "arrivals.sojourns: must be one of exponential, fixed, got 'fix' (did you mean"),
        (BURSTS | {"gaps": {"kind": "on_off"}}, "arrivals.gaps.kind: must be one of poisson, gamma, weibull, constant"),
        (BURSTS | {"gaps": {"kind": "gamma"}}, "arrivals.gaps.cv: must be a number between 0.01 and 100, got nothing"),
        (STATES | {"rates": [0, 0]}, "arrivals.rates: must not all be 0"),
        (STATES | {"rates": [1]}, "arrivals.rates: must be of two states at least, got 1"),
        (STATES | {"sojourn_s": [1]}, "arrivals.sojourn_s: must be as many as rates (2), got 1"),
        (STATES | {"sojourn_s": [1, 0]}, "arrivals.sojourn_s: must be a list of numbers >= 0.001, got 0 in it"),
        (STATES | {"transitions": [[0, 1]]}, "arrivals.transitions: must be 2 rows of 2 probabilities"),
        (
            STATES | {"transitions": [[0.5, 0.5], [1, 0]]},
            "must sum to 1 in each row, with 0 for staying, got [0.5, 0.5]",
        ),
        (APART, "arrivals.transitions: must lead from every state to every other, got [[0, 1, 0, 0], [1, 0, 0, 0],"),
        ({"kind": "diurnal"}, "arrivals.hourly: give either hourly or amplitude and peak_hour, got neither"),
        (DAY | {"hourly": [1] * 24}, "arrivals.hourly: give either hourly or amplitude and peak_hour, got both"),
        (DAY | {"amplitude": 1.1}, "arrivals.amplitude: must be a number between 0 and 1, got 1.1"),
        (DAY | {"start_hour": 25}, "arrivals.start_hour: must be a number between 0 and 24, got 25"),
        ({"kind": "diurnal", "hourly": [1, 2]}, "arrivals.hourly: must be 24 relative rates, got 2"),
        ({"kind": "diurnal", "hourly": [0] * 24}, "arrivals.hourly: must not all be 0"),
        (
            {"kind": "spike", "at_s": 1, "for_s": 0, "factor": 2},
            "arrivals.for_s: must be a number > 0 and at most 4e+06",
        ),
        ({"kind": "ramp", "start": -1, "for_s": 9}, "arrivals.start: must be a number between 0 and 1e+06, got -1"),
    ],
)
def test_a_mistake_in_the_arrivals_is_named(arrivals, problem):
    assert any(problem in found for found in problems(arrivals=arrivals))


def test_a_mistake_is_told_once_and_not_for_all_that_follows_from_it():
    wrong_rates = STATES | {"rates": [1, -1], "transitions": [[0, 1], [1, 0]]}
    assert problems(arrivals=wrong_rates) == ["arrivals.rates: must be a list of numbers >= 0, got -1 in it"]


@pytest.mark.parametrize(
    ("lengths", "problem"),
    [
        ({"kind": "fixed", "tokens": 0}, "tokens: must be a whole number between 1 and 1e+09, got 0"),
        ({"kind": "fixed", "tokens": 1.5}, "tokens: must be a whole number between 1 and 1e+09, got 1.5"),
        ({"kind": "uniform", "min": 5}, "max: must be a whole number between 1 and 1e+09, got nothing"),
        ({"kind": "uniform", "min": 5, "max": 4}, "max: must be >= min (5), got 4"),
        ({"kind": "lognormal", "sigma": 1}, "mean: give either mean or mu, got neither"),
        ({"kind": "lognormal", "sigma": 1, "mean": 1, "mu": 1}, "mean: give either mean or mu, got both"),
        ({"kind": "lognormal", "sigma": -1, "mu": 1}, "sigma: must be a number between 0 and 100, got -1"),
        ({"kind": "lognormal", "sigma": 1, "mean": float("inf")}, "mean: must be a number > 0, got inf"),
        ({"kind": "mixture", "weights": [0.5, 0.4], "mu": [1, 1], "sigma": [1, 1]}, "weights: must sum to 1, got 0.9"),
        ({"kind": "mixture", "weights": [1], "mu": [1, 2], "sigma": [1]}, "mu: must be as many as weights (1), got 2"),
        (
            {"kind": "mixture", "weights": [1], "mu": ["x"], "sigma": [1]},
            "mu: must be a list of numbers, got 'x' in it",
        ),
        (
            {"kind": "quantiles", "probabilities": [0, 0.9], "tokens": [1, 2]},
            "probabilities: must rise from 0 to 1, got 0, 0.9",
        ),
        ({"kind": "quantiles", "probabilities": [0, 1], "tokens": [2, 1]}, "tokens: must never fall, got 2, 1"),
        (
            {"kind": "quantiles", "probabilities": [0, 1], "tokens": [0, 1]},
            "tokens: must be a list of numbers >= 1, got 0",
        ),
        (
            {"kind": "quantiles", "probabilities": [0, 1], "tokens": [1]},
            "tokens: must be as many as probabilities (2), got 1",
        ),
    ],
)
def test_a_mistake_in_the_lengths_is_named(lengths, problem):
    assert any(found.startswith(f"output_tokens.{problem}") for found in problems(output_tokens=lengths))


def test_all_mistakes_are_said_at_once():
    found = problems(arrivals={"kind": "gamma", "cv": -1}, prompt_tokens={"kind": "x"}, rate=0, requests=0, seed=-1)
    assert [problem.split(":")[0] for problem in found] == [
        "arrivals.cv",
        "requests",
        "rate",
        "seed",
        "prompt_tokens.kind",
    ]


def test_the_error_survives_being_sent_between_processes():
    error = pickle.loads(pickle.dumps(ParameterError(["rate: must be a number > 0, got 0"])))
    assert str(error) == "rate: must be a number > 0, got 0"


def test_the_source_says_what_was_drawn():
    workload = synthetic(
        arrivals={"kind": "gamma", "cv": 2}, prompt_tokens=FIXED, output_tokens=FIXED, rate=1, requests=1
    )
    assert (
        workload.source
        == "generated: arrivals gamma cv=2; prompt_tokens fixed tokens=100; output_tokens fixed tokens=100"
    )
