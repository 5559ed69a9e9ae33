"""Generated arrivals: mean rate, variation and shape of each kind, against closed forms."""

import math

import numpy as np
import pytest
from scipy.special import gammaincc

from tests.traces.written import whole
from traces import synthetic
from traces.fit import relative_gaps

N = 200_000


def arrivals(kind, *, rate=5.0, requests=N):
    one = {"kind": "fixed", "tokens": 1}
    workload = synthetic(arrivals=kind, prompt_tokens=one, output_tokens=one, rate=rate, requests=requests)
    return whole(workload).at_ps


def test_poisson_gaps_are_exponential():
    gaps = relative_gaps(arrivals({"kind": "poisson"}), 5.0)
    assert gaps.std() == pytest.approx(1, rel=0.02)
    assert (gaps > 1).mean() == pytest.approx(math.exp(-1), rel=0.02)
    assert np.corrcoef(gaps[:-1], gaps[1:])[0, 1] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("cv", [0.5, 1.0, 3.0])
def test_gamma_gaps_have_the_asked_variation(cv):
    gaps = relative_gaps(arrivals({"kind": "gamma", "cv": cv}), 5.0)
    assert gaps.std() == pytest.approx(cv, rel=0.03)
    assert ((gaps - 1) ** 3).mean() / gaps.std() ** 3 == pytest.approx(2 * cv, rel=0.15)  # skewness of a gamma


@pytest.mark.parametrize(("cv", "shape", "scale_s"), [(2, 0.25, 0.15385), (8, 0.015625, 2.46154)])
def test_gamma_gaps_are_those_of_llumnix(cv, shape, scale_s):
    # At 26 requests per second the artifact draws gaps with shape 1 / cv^2 and scale cv^2 / 26.
    gaps_s = np.diff(arrivals({"kind": "gamma", "cv": cv}, rate=26)) / 1e12
    assert gaps_s.mean() == pytest.approx(shape * scale_s, rel=0.05)
    assert gaps_s.std() == pytest.approx(math.sqrt(shape) * scale_s, rel=0.05)
    assert (gaps_s > scale_s).mean() == pytest.approx(gammaincc(shape, 1), rel=0.05)


@pytest.mark.parametrize(
    "kind",
    [
        {"kind": "poisson"},
        {"kind": "gamma", "cv": 3},
        {"kind": "quantiles", "probabilities": [0, 0.5, 1], "gaps": [0, 1, 10]},
    ],
)
def test_the_mean_rate_is_the_asked_one(kind):
    at_ps = arrivals(kind, rate=20)
    assert (N - 1) / (at_ps[-1] / 1e12) == pytest.approx(20, rel=0.03)


def test_constant_arrivals_are_evenly_spaced_from_zero():
    assert arrivals({"kind": "constant"}, rate=4, requests=4).tolist() == [0, 25 * 10**10, 50 * 10**10, 75 * 10**10]


def test_constant_arrivals_do_not_drift_across_blocks():
    assert arrivals({"kind": "constant"}, rate=4, requests=20_001)[-1] == 5000 * 10**12


def test_all_at_once_is_time_zero_and_has_no_rate():
    assert arrivals({"kind": "all_at_once"}, rate=None, requests=10_000).tolist() == [0] * 10_000
    with pytest.raises(ValueError, match=r"rate: must be left out when all requests arrive at once, got 5\.0"):
        arrivals({"kind": "all_at_once"})


def test_quantile_gaps_follow_their_table_whatever_its_unit():
    table = {"kind": "quantiles", "probabilities": [0, 0.5, 1], "gaps": [0, 1, 3]}  # mean 0.25 + 1 = 1.25
    gaps = relative_gaps(arrivals(table), 5.0)
    assert np.quantile(gaps, [0.25, 0.5, 0.75, 1]) == pytest.approx([0.4, 0.8, 1.6, 2.4], rel=0.02)
    scaled = table | {"gaps": [0, 10, 30]}
    assert np.abs(arrivals(scaled) - arrivals(table)).max() <= 10


def test_traffic_too_slow_for_the_clock_is_refused():
    with pytest.raises(ValueError, match=r"rate: 200,000 requests must arrive within 46 days, got 0\.001 req/s"):
        arrivals({"kind": "poisson"}, rate=0.001)
