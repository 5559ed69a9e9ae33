"""Modulated arrivals: bursts, states and days, against closed forms; they last in seconds, whatever the rate."""

import math

import numpy as np
import pytest

from tests.traces.written import whole
from traces import synthetic
from traces.fit import dispersion, relative_gaps

N = 200_000
ONE = {"kind": "fixed", "tokens": 1}
BURSTS = {"kind": "on_off", "duty": 0.25, "on_s": 5.0}
SHORT_BURSTS = BURSTS | {"on_s": 0.5}


def seconds(kind, *, rate=5.0, requests=N, seed=0):
    workload = synthetic(arrivals=kind, prompt_tokens=ONE, output_tokens=ONE, rate=rate, requests=requests, seed=seed)
    return whole(workload).at_ps / 1e12


def per_window(at_s, window_s):
    """Return the arrivals in each whole window."""
    return np.bincount((at_s // window_s).astype(int))[:-1]


@pytest.mark.parametrize("shape", [0.5, 0.8, 2.0])
def test_weibull_gaps_have_the_variation_of_their_shape(shape):
    gaps = np.diff(seconds({"kind": "weibull", "shape": shape})) * 5.0
    first, second = math.gamma(1 + 1 / shape), math.gamma(1 + 2 / shape)
    assert gaps.mean() == pytest.approx(1, rel=0.02)
    assert gaps.std() == pytest.approx(math.sqrt(second / first**2 - 1), rel=0.03)
    assert (gaps > 1 / first).mean() == pytest.approx(math.exp(-1), rel=0.02)  # beyond the scale


@pytest.mark.parametrize(
    "kind",
    [
        {"kind": "weibull", "shape": 0.5},
        SHORT_BURSTS,
        SHORT_BURSTS | {"quiet": 0.1, "sojourns": "fixed"},
        SHORT_BURSTS | {"gaps": {"kind": "gamma", "cv": 2}},
        {"kind": "mmpp", "rates": [0, 1, 5], "sojourn_s": [4, 2, 1]},
        {"kind": "diurnal", "amplitude": 0.9, "peak_hour": 15, "day_s": 100},
        {"kind": "diurnal", "hourly": [1] * 16 + [0] * 8, "day_s": 240},
        {"kind": "spike", "at_s": 10, "for_s": 20, "factor": 8},
        {"kind": "ramp", "start": 0.1, "for_s": 100},
    ],
    ids=lambda kind: "-".join(map(str, kind.values()))[:30],
)
def test_the_mean_rate_is_the_asked_one_in_the_long_run(kind):
    at_s = seconds(kind, rate=20)
    assert at_s[0] == 0
    assert (np.diff(at_s) >= 0).all()
    assert (N - 1) / at_s[-1] == pytest.approx(20, rel=0.05)


def test_the_first_gaps_of_bursts_have_the_mean_too():
    last = [seconds(BURSTS, rate=1.0, requests=11, seed=seed)[-1] for seed in range(225)]
    assert np.mean(last) == pytest.approx(10, abs=4 * np.std(last) / 15)


def test_bursts_of_poisson_arrivals_are_dispersed_as_the_closed_form_says():
    # Rates r and 0 with probabilities p and 1 - p, back to the mean at kappa = 1 / on + 1 / off: variance of the rate
    # relative to its mean 1 is (1 - p) / p, and the index of dispersion over T is
    # 1 + 2 * rate * variance / kappa * (1 - (1 - exp(-kappa T)) / (kappa T)).
    rate, window_s, duty = 5.0, 10.0, 0.25
    kappa = 1 / 5 + 1 / 15
    spread = 1 - (1 - math.exp(-kappa * window_s)) / (kappa * window_s)
    expected = 1 + 2 * rate * (1 - duty) / duty / kappa * spread
    at_s = seconds(BURSTS, rate=rate, requests=800_000)
    assert dispersion((at_s * 1e12).astype(np.int64)) == pytest.approx(expected, rel=0.05)
    assert expected == pytest.approx(74.24, abs=0.01)


def test_two_states_are_bursts_with_another_name():
    same = {"kind": "mmpp", "rates": [2, 0], "sojourn_s": [5, 15], "transitions": [[0, 1], [1, 0]]}
    assert np.array_equal(seconds(BURSTS, requests=100), seconds(same, requests=100))


def test_fixed_bursts_come_and_go_like_clockwork():
    regular = {"kind": "on_off", "duty": 0.5, "on_s": 10, "sojourns": "fixed", "gaps": {"kind": "constant"}}
    gaps = np.diff(seconds(regular, rate=10.0, requests=2001))  # 20 per second while on
    assert np.isclose(gaps, 0.05).sum() == 1990
    assert gaps[gaps > 1] == pytest.approx([10.05] * 10)
    assert np.diff(np.flatnonzero(gaps > 1)).tolist() == [200] * 9


def test_states_follow_each_other_as_their_probabilities_say():
    # 0 -> 1 -> 2 -> 0, each for 10 s, at 1, 3 and 8 requests per second on average.
    ring: dict[str, object] = {"kind": "mmpp", "rates": [1, 3, 8], "sojourn_s": [10] * 3, "sojourns": "fixed"}
    onward = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    at_s = seconds(ring | {"transitions": onward, "gaps": {"kind": "constant"}}, rate=4.0, requests=12_000)
    density = per_window(at_s, 1.0)[60:2960]
    assert np.abs(density[30:] - density[:-30]).max() <= 2
    assert set(np.quantile(density, [0.1, 0.5, 0.9]).round().tolist()) == {1, 3, 8}


def test_bursts_last_in_seconds_whatever_the_rate():
    evenly = BURSTS | {"gaps": {"kind": "constant"}}
    slow, fast = seconds(evenly, rate=2.0, requests=1000), seconds(evenly, rate=8.0, requests=4000)
    assert slow == pytest.approx(fast[::4])  # the same bursts, with four times the requests in each


def test_the_hours_of_a_day_get_their_shares_of_the_requests():
    hourly = [1] * 12 + [3] * 12
    at_s = seconds({"kind": "diurnal", "hourly": hourly, "day_s": 240}, rate=50)
    days = int(at_s[-1] // 240)
    counts = np.bincount((at_s[at_s < days * 240] % 240 // 10).astype(int), minlength=24) / days
    assert counts == pytest.approx([250] * 12 + [750] * 12, rel=0.05)


def test_a_sinusoid_peaks_at_its_hour():
    at_s = seconds({"kind": "diurnal", "amplitude": 0.8, "peak_hour": 15, "day_s": 240}, rate=50)
    days = int(at_s[-1] // 240)
    counts = np.bincount((at_s[at_s < days * 240] % 240 // 10).astype(int), minlength=24) / days
    edges = 2 * np.pi * (np.arange(25) - 15) / 24
    assert counts == pytest.approx(500 * (1 + 0.8 * np.diff(np.sin(edges)) * 24 / (2 * np.pi)), rel=0.06)
    assert counts.argmax() in (14, 15)


def test_a_day_can_begin_at_any_hour():
    day = {"kind": "diurnal", "hourly": list(range(1, 25)), "day_s": 240, "gaps": {"kind": "constant"}}
    noon = np.bincount((seconds(day | {"start_hour": 12.5}, rate=10.0, requests=1000)[1:] // 5).astype(int))
    assert noon[0] == pytest.approx(13 / 12.5 * 50, abs=1)  # the other half of hour 12, whose rate is 13
    assert noon[1] == pytest.approx(14 / 12.5 * 50, abs=1)


def test_nobody_comes_in_an_hour_without_requests():
    day = {"kind": "diurnal", "hourly": [0] * 8 + [1] * 16, "day_s": 240, "gaps": {"kind": "constant"}}
    at_s = seconds(day, rate=1.0, requests=500)
    assert at_s[0] == 80  # request 0 waits for the first hour that has any
    assert (at_s % 240).min() >= 80


def test_a_spike_multiplies_the_rate_for_its_time():
    spike = {"kind": "spike", "at_s": 100, "for_s": 20, "factor": 5, "gaps": {"kind": "constant"}}
    at_s = seconds(spike, rate=10.0, requests=5000)
    assert np.histogram(at_s, [0, 100, 120, 220])[0] == pytest.approx([1000, 1000, 1000], abs=1)


def test_a_ramp_reaches_the_rate_and_stays():
    ramp = {"kind": "ramp", "start": 0.0, "for_s": 100, "gaps": {"kind": "constant"}}
    at_s = seconds(ramp, rate=10.0, requests=5000)
    assert np.histogram(at_s, [0, 50, 100, 200])[0] == pytest.approx([125, 375, 1000], abs=5)


def test_correlated_gaps_keep_their_table_and_come_in_runs():
    table = {"kind": "quantiles", "probabilities": [0, 0.9, 1], "gaps": [0, 1, 20]}
    runs = table | {"correlation": 0.5, "run": 20}
    alone, together = (relative_gaps((seconds(kind) * 1e12).astype(np.int64), 5.0) for kind in (table, runs))
    assert np.quantile(together, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(alone, [0.1, 0.5, 0.9]), rel=0.05)
    ranks = together.argsort().argsort() / len(together)
    # Spearman's rank correlation of normal scores with correlation c is 6 / pi * asin(c / 2).
    for apart in (1, 20):
        expected = 6 / math.pi * math.asin(0.5 * 0.95**apart / 2)
        assert np.corrcoef(ranks[apart:], ranks[:-apart])[0, 1] == pytest.approx(expected, abs=0.02)
    assert dispersion((seconds(runs) * 1e12).astype(np.int64)) > 2 * dispersion(
        (seconds(table) * 1e12).astype(np.int64)
    )
