"""Fitting: known gaps and groups give back what they were made of; the fits to public traces are as good as is said."""

import numpy as np
import pytest

from tests.traces.written import SHARED, shared, whole
from traces import open_trace, synthetic
from traces.fit import PROBABILITIES, dispersion, ks
from traces.fitting import gaps
from traces.fitting.groups import spread

ONE = {"kind": "fixed", "tokens": 1}
CODE = "azure/AzureLLMInferenceTrace_code.csv"


def gap_s(arrivals, *, rate=2.0, requests=30_000):
    drawn = synthetic(arrivals=arrivals, prompt_tokens=ONE, output_tokens=ONE, rate=rate, requests=requests)
    return np.diff(whole(drawn).at_ps) / 1e12


def test_gamma_and_weibull_gaps_give_back_their_parameters():
    assert gaps.gamma(gap_s({"kind": "gamma", "cv": 2.0}))["cv"] == pytest.approx(2.0, rel=0.02)
    assert gaps.weibull(gap_s({"kind": "weibull", "shape": 0.6}))["shape"] == pytest.approx(0.6, rel=0.02)


def test_bursts_give_back_how_long_they_last():
    bursts = {"kind": "on_off", "duty": 0.25, "on_s": 2.0, "gaps": {"kind": "gamma", "cv": 0.5}}
    found = gaps.on_off(
        gap_s(bursts, rate=5.0, requests=300_000), 0.25, PROBABILITIES
    )  # 5% of the silences are shorter
    assert found["on_s"] == pytest.approx(2, rel=0.1)
    assert found["duty"] == pytest.approx(0.25, rel=0.1)


def test_states_give_back_their_rates_and_how_long_they_last():
    given = {"kind": "mmpp", "rates": [0, 4, 40], "sojourn_s": [30, 30, 30]}
    found = gaps.states(gap_s(given, rate=10.0), 3.0, 2, PROBABILITIES)
    assert found["rates"][0] == 0
    assert found["rates"][2] / found["rates"][1] == pytest.approx(10, rel=0.25)
    assert all(15 < sojourn_s < 45 for sojourn_s in found["sojourn_s"])


def test_correlated_gaps_give_back_their_correlation_and_run():
    table = {"kind": "quantiles", "probabilities": [0, 0.9, 1], "gaps": [0, 1, 20]}
    found = gaps.correlated(gap_s(table | {"correlation": 0.4, "run": 25}), PROBABILITIES)
    assert found["correlation"] == pytest.approx(0.4, abs=0.04)
    assert found["run"] == pytest.approx(25, rel=0.2)
    assert gaps.correlated(gap_s(table), PROBABILITIES)["correlation"] < 0.02


def test_groups_give_back_their_spread():
    rng = np.random.default_rng(0)
    logs = 7 + 1.2 * rng.standard_normal((4000, 1)) + 0.3 * rng.standard_normal((4000, 5))
    found = spread(np.exp(logs).reshape(-1), np.repeat(np.arange(4000), 5).astype(float))
    assert (found.groups, found.within, found.between) == pytest.approx((4000, 0.3, 1.2), rel=0.03)


def test_correlated_gaps_disperse_as_the_bursty_trace_does_and_independent_ones_do_not():
    measured = whole(open_trace(shared(CODE))).at_ps
    fitted = gaps.correlated(np.diff(measured) / 1e12, PROBABILITIES)
    alone = {key: fitted[key] for key in ("kind", "probabilities", "gaps")}
    together_s, alone_s = (gap_s(each, rate=2.566, requests=300_000) for each in (fitted, alone))
    counts = [dispersion(np.cumsum(each * 1e12).astype(np.int64)) for each in (together_s, alone_s)]
    assert dispersion(measured) == pytest.approx(71, abs=1)
    assert counts[0] == pytest.approx(71, rel=0.1)
    assert counts[1] < 0.8 * 71
    assert ks(together_s, np.diff(measured) / 1e12) < 0.015
    assert (fitted["correlation"], fitted["run"]) == pytest.approx((0.143, 57.1), rel=0.02)  # as in the catalogue


@pytest.mark.long
def test_the_report_lays_every_fit_beside_its_trace():
    if not SHARED.exists():
        pytest.skip("the public traces are not beside the checkout")
    from traces.fitting.report import report

    lines = list(report(SHARED))
    titles = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    assert titles[-3:] == ["Catalogue entries", "Distributions in closed form", "Groups of samples"]
    entry = next(line for line in lines if line.startswith("| `azure_conv_2023` | prompt_tokens |"))
    assert float(entry.split("|")[3]) < 0.02
    tool = next(line for line in lines if line.startswith("| agentcgroup | tool_s |"))
    assert float(tool.split("|")[4]) < 0.05
