"""Generated lengths: moments and quantiles of each kind, against closed forms; whole tokens within bounds."""

import math

import numpy as np
import pytest

import traces
from tests.traces.written import whole
from traces import synthetic

N = 200_000


def lengths(kind):
    workload = synthetic(
        arrivals={"kind": "constant"},
        prompt_tokens=kind,
        output_tokens={"kind": "fixed", "tokens": 3},
        rate=1,
        requests=N,
    )
    trace = whole(workload)
    assert (trace.output_tokens == 3).all()
    assert trace.prompt_tokens.dtype == np.int64
    return trace.prompt_tokens


def test_uniform_lengths_take_every_value_equally_often_ends_included():
    values, counts = np.unique(lengths({"kind": "uniform", "min": 5, "max": 8}), return_counts=True)
    assert values.tolist() == [5, 6, 7, 8]
    assert counts / N == pytest.approx([0.25] * 4, rel=0.03)


@pytest.mark.parametrize("where", [{"mean": 1000}, {"mu": math.log(1000) - 0.32}])
def test_lognormal_lengths_have_the_asked_mean_and_median(where):
    tokens = lengths({"kind": "lognormal", "sigma": 0.8, **where})
    assert tokens.mean() == pytest.approx(1000, rel=0.02)
    assert np.median(tokens) == pytest.approx(1000 * math.exp(-0.32), rel=0.02)


def test_bounds_hold_what_is_drawn_outside():
    tokens = lengths({"kind": "lognormal", "mean": 1000, "sigma": 2, "min": 10, "max": 500})
    assert (tokens.min(), tokens.max()) == (10, 500)


def test_no_length_is_below_one_token():
    assert lengths({"kind": "lognormal", "mu": 0, "sigma": 3}).min() == 1


def test_absurd_lengths_stop_at_the_most_tokens_a_trace_may_have():
    assert lengths({"kind": "lognormal", "mu": 1000, "sigma": 1}).max() == 10**9


def test_a_mixture_draws_its_parts_by_weight():
    tokens = lengths({"kind": "mixture", "weights": [0.3, 0.7], "mu": [2, 8], "sigma": [0.1, 0.1]})
    assert (tokens < 100).mean() == pytest.approx(0.3, rel=0.03)
    assert np.median(tokens[tokens > 100]) == pytest.approx(math.exp(8), rel=0.02)


def test_quantile_lengths_are_linear_between_their_points():
    tokens = lengths({"kind": "quantiles", "probabilities": [0, 0.5, 1], "tokens": [1, 101, 501]})
    assert np.quantile(tokens, [0, 0.25, 0.5, 0.75, 1]) == pytest.approx([1, 51, 101, 301, 501], rel=0.02, abs=1)


@pytest.mark.parametrize(
    ("mean", "alpha", "first", "quantiles", "capped_mean"),
    [
        (128, 2.0, 0.6094, (35, 103, 412, 1682), 127.4),
        (256, 1.5, 0.3962, (30, 163, 1285, 4576), 253.9),
        (512, 1.15, 0.2042, (54, 596, 3127, 5262), 512.4),
        (1024, 1.0005, 0.1221, (140, 1628, 5581, 6144), 983.4),
    ],
)
def test_power_law_lengths_are_those_of_llumnix(mean, alpha, first, quantiles, capped_mean):
    tokens = lengths({"kind": "zipf", "mean": mean, "alpha": alpha, "max": 6144})
    assert (tokens == tokens.min()).mean() == pytest.approx(first, abs=0.004)
    assert np.quantile(tokens, [0.5, 0.8, 0.95, 0.99]) == pytest.approx(quantiles, rel=0.06, abs=1)
    assert tokens.mean() == pytest.approx(capped_mean, rel=0.02)


def test_power_law_lengths_agree_with_the_table_of_the_llumnix_paper():
    # Mean, P50, P80, P95, P99 of 10,000 requests each: Sun et al., OSDI 2024, table 1.
    published = {
        (128, 2.0): (38, 113, 413, 1464),
        (256, 1.5): (32, 173, 1288, 4208),
        (512, 1.15): (55, 582, 3113, 5166),
    }
    for (mean, alpha), quantiles in published.items():
        tokens = lengths({"kind": "zipf", "mean": mean, "alpha": alpha, "max": 6144})
        assert np.quantile(tokens, [0.5, 0.8, 0.95, 0.99]) == pytest.approx(quantiles, rel=0.2)


def test_power_law_lengths_can_be_scaled_sample_by_sample_to_one_load():
    law = {"kind": "zipf", "mean": 128, "alpha": 2.0}
    by_law, by_sample = (lengths({**law, "scaled": scaled})[: 8192 * 24] for scaled in ("law", "sample"))
    assert by_law.reshape(24, 8192).mean(axis=1).std() > 2, "a heavy tail"
    # Rounding up adds 0 to 1 token to each.
    assert all(128 <= mean < 129 for mean in by_sample.reshape(24, 8192).mean(axis=1))
    with pytest.raises(traces.ParameterError, match="scaled: must be one of law, sample, got 'mean'"):
        lengths({**law, "scaled": "mean"})


@pytest.mark.parametrize(
    ("mean", "alpha", "unit", "capped"), [(128, 2.0, 34.320, 0.0010), (256, 1.5, 14.761, 0.0038), (512, 1.15, 5.899, 0)]
)
def test_the_shortest_and_the_longest_power_law_lengths_are_those_of_the_law(mean, alpha, unit, capped):
    tokens = lengths({"kind": "zipf", "mean": mean, "alpha": alpha, "max": 6144})
    assert tokens.min() == math.ceil(unit)
    assert (tokens == 6144).mean() == pytest.approx(capped, abs=0.0004)


def test_power_law_ranks_can_be_chosen():
    # Ranks 1, 2, 3 with weights 1, 1/2, 1/3: the mean rank is 18/11, so a rank is 11 tokens.
    values, counts = np.unique(lengths({"kind": "zipf", "mean": 18, "alpha": 1, "ranks": 3}), return_counts=True)
    assert values.tolist() == [11, 22, 33]
    assert counts / N == pytest.approx([6 / 11, 3 / 11, 2 / 11], rel=0.03)


def test_equal_quantiles_are_a_spike():
    tokens = lengths({"kind": "quantiles", "probabilities": [0, 0.2, 0.6, 1], "tokens": [1, 100, 100, 200]})
    assert (tokens == 100).mean() == pytest.approx(0.4, abs=0.01)
