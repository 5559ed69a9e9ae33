"""Interval frames: means and differences over seeds, checked by hand."""

import math

import pytest

from simcore.results.breaking import breaking_points
from simcore.results.intervals import breaking_frame, claims_frame, difference_frame, mean_frame

# Student's t for three seeds and 95%: 4.302653; the half width of -1, 0, 1 around a mean is t / sqrt(3).
HALF = 4.302653 / math.sqrt(3)


def summary(**values):
    """Return a summary: per system, its goodput by (rate, seed)."""
    runs = [
        {
            "system": system,
            "point": {"workload.rate": rate},
            "seed": seed,
            "state": "STABLE",
            "metrics": {"request_goodput": value, "slo_attainment": value / rate, "p99_ttft_ms": None},
        }
        for system, by_run in values.items()
        for (rate, seed), value in by_run.items()
    ]
    return {"runs": runs, "breaking": breaking_points(runs), "slo": {"ttft_ms": 1}}


THREE = summary(
    first={(10, 0): 9.0, (10, 1): 8.0, (10, 2): 7.0},
    second={(10, 0): 10.0, (10, 1): 9.0, (10, 2): 8.0},
)


def test_a_mean_has_the_interval_of_its_seeds():
    first, second = mean_frame(THREE, ["request_goodput"]).to_dict("records")
    assert list(first) == ["system", "workload.rate", "metric", "n", "mean", "ci_low", "ci_high"]
    assert (first["system"], first["workload.rate"], first["n"], first["mean"]) == ("first", 10, 3, 8.0)
    assert first["ci_low"] == pytest.approx(8 - HALF)
    assert second["ci_high"] == pytest.approx(9 + HALF)


def test_a_difference_is_taken_seed_by_seed():
    (found,) = difference_frame(THREE, ["request_goodput"]).to_dict("records")
    assert (found["system"], found["baseline"], found["verdict"]) == ("second", "first", "better")
    assert (found["difference"], found["ci_low"], found["ci_high"]) == (1.0, 1.0, 1.0)
    assert found["relative"] == 1 / 8


def test_any_system_is_a_baseline():
    (found,) = difference_frame(THREE, ["request_goodput"], "second").to_dict("records")
    assert (found["system"], found["baseline"], found["difference"]) == ("first", "second", -1.0)
    assert found["verdict"] == "worse"


def test_one_seed_has_a_number_and_no_interval():
    one = summary(first={(10, 0): 9.0}, second={(10, 0): 10.0})
    mean = mean_frame(one, ["request_goodput"]).iloc[0]
    assert (mean["mean"], mean["n"]) == (9.0, 1)
    assert math.isnan(mean["ci_low"])
    assert difference_frame(one, ["request_goodput"]).iloc[0]["verdict"] == "undecided"


def test_several_metrics_are_rows_below_one_another():
    frame = mean_frame(THREE, ["slo_attainment", "request_goodput"])
    assert list(frame["metric"]) == ["slo_attainment"] * 2 + ["request_goodput"] * 2


def test_a_metric_without_values_has_no_rows_but_its_columns():
    frame = mean_frame(THREE, ["p99_ttft_ms"])
    assert frame.empty
    assert "ci_low" in frame.columns


def test_breaking_points_are_rows_of_systems():
    broken = summary(
        first={(10, 0): 10.0, (20, 0): 16.0},
        second={(10, 0): 10.0, (20, 0): 20.0},
    )
    first, second = breaking_frame(broken).to_dict("records")
    # From 100% at 10 to 80% at 20: 90% at 15.
    assert (first["where"], first["rate"]) == ("crossed", pytest.approx(15.0))
    assert second["where"] == "above the highest rate"
    assert math.isnan(second["rate"])
    assert breaking_frame(THREE).empty


def test_claims_are_rows_too():
    claim = {
        "claim": "second is faster",
        "holds": True,
        "here": 1.5,
        "paper": [1, 2],
        "source": "us",
        "why": "so",
        "n": 3,
    }
    (row,) = claims_frame({"claims": [claim]}).to_dict("records")
    assert (row["claim"], row["holds"], row["here"], row["paper"]) == ("second is faster", True, 1.5, [1, 2])
    assert claims_frame({"claims": []}).empty


def test_what_no_run_has_is_named_with_what_may_be_meant():
    with pytest.raises(ValueError, match=r"unknown metric 'request_godput'.*did you mean 'request_goodput'"):
        mean_frame(THREE, ["request_godput"])
    with pytest.raises(ValueError, match=r"unknown metric"):
        difference_frame(THREE, ["x"])
    with pytest.raises(ValueError, match=r"unknown system 'secnd'; have first, second \(did you mean 'second'\?\)"):
        difference_frame(THREE, ["request_goodput"], "secnd")
