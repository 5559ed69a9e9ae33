"""Intervals, paired differences and breaking points, checked by hand and against scipy."""

from typing import Any

import pytest
from scipy import stats as reference

from simcore.results.breaking import Break, break_of, breaking_points
from simcore.results.stats import comparisons, direction, interval, paired


def run(system: str, seed: int, metrics: dict[str, float | None], **point: float) -> dict[str, Any]:
    sweep = {f"workload.{key}": value for key, value in point.items()}
    return {"system": system, "point": sweep, "seed": seed, "state": "STABLE", "metrics": metrics}


def of(system: str, metric: str, values: list[float | None]) -> list[dict[str, Any]]:
    return [run(system, seed, {metric: value}) for seed, value in enumerate(values)]


def test_an_interval_is_students_t() -> None:
    values = [1.0, 2.0, 4.0, 8.0]
    low, high = reference.t.interval(0.95, 3, loc=3.75, scale=reference.sem(values))
    found = interval(values)
    assert (found.mean, found.low, found.high) == pytest.approx((3.75, low, high))


def test_one_seed_gives_no_interval_and_no_verdict() -> None:
    found = paired(of("b", "mean_ttft_ms", [1.0]), of("a", "mean_ttft_ms", [2.0]), "mean_ttft_ms")
    assert found is not None
    assert (found["n"], found["difference"], found["ci_low"], found["verdict"]) == (1, -1.0, None, "undecided")


def test_paired_differences_equal_the_paired_t_test_of_scipy() -> None:
    ours, theirs = [1.0, 2.1, 3.3, 3.9], [1.5, 2.4, 4.0, 4.6]
    found = paired(of("b", "mean_ttft_ms", [*ours]), of("a", "mean_ttft_ms", [*theirs]), "mean_ttft_ms")
    expected = reference.ttest_rel(ours, theirs).confidence_interval()
    assert found is not None
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((expected.low, expected.high))
    assert found["verdict"] == "better"
    assert found["relative"] == pytest.approx(-0.55 / 3.125)


def test_identical_runs_differ_by_exactly_zero() -> None:
    values: list[float | None] = [0.1, 0.2, 0.7]
    found = paired(of("b", "slo_attainment", values), of("a", "slo_attainment", values), "slo_attainment")
    assert found is not None
    assert (found["difference"], found["ci_low"], found["ci_high"], found["relative"]) == (0.0, 0.0, 0.0, 0.0)
    assert found["verdict"] == "undecided"


def test_seeds_are_matched_by_number_and_gaps_left_out() -> None:
    ours = of("b", "mean_ttft_ms", [10.0, None, 30.0])[::-1]
    found = paired(ours, of("a", "mean_ttft_ms", [9.0, 1.0, 28.0]), "mean_ttft_ms")
    assert found is not None
    assert (found["n"], found["difference"]) == (2, 1.5)


def test_more_attainment_is_better_and_more_latency_worse() -> None:
    assert direction("slo_attainment") == 1
    assert direction("p99.9_itl_ms") == direction("preemptions") == -1
    assert direction("duration") == direction("arrived") == 0


def test_comparisons_take_the_first_system_as_baseline_at_each_point() -> None:
    runs = [run(system, 0, {"mean_ttft_ms": rate}, rate=rate) for rate in (1, 2) for system in ("a", "b", "c")]
    found = [(entry["system"], entry["baseline"], entry["point"]["workload.rate"]) for entry in comparisons(runs)]
    assert found == [("b", "a", 1), ("c", "a", 1), ("b", "a", 2), ("c", "a", 2)]


def test_a_break_lies_on_the_line_between_two_rates() -> None:
    assert break_of([(10, 1.0), (20, 0.5)], 0.75) == Break(15.0, "crossed")


def test_a_target_met_exactly_breaks_there() -> None:
    assert break_of([(10, 0.9), (20, 0.5)], 0.9) == Break(10.0, "crossed")


def test_a_dip_before_the_last_rate_that_keeps_the_target_does_not_break() -> None:
    assert break_of([(10, 1.0), (20, 0.5), (30, 1.0), (40, 0.5)], 0.75) == Break(35.0, "crossed")


def test_outside_the_sweep_only_a_bound_is_known() -> None:
    assert break_of([(10, 0.5), (20, 0.2)], 0.9) == Break(10, "below the lowest rate")
    assert break_of([(10, 1.0), (20, 0.95)], 0.9) == Break(20, "above the highest rate")


def sweep(system: str, falls: list[float]) -> list[dict[str, Any]]:
    """Per seed 100% at rate 10 and 100% - fall at rate 20."""
    return [
        run(system, seed, {"slo_attainment": attained}, rate=rate)
        for seed, fall in enumerate(falls)
        for rate, attained in ((20.0, 1.0 - fall), (10.0, 1.0))
    ]


def test_breaking_points_are_compared_seed_by_seed() -> None:
    first, second = breaking_points(sweep("a", [0.5, 0.5]) + sweep("b", [0.2, 0.25]))
    assert first["rate"] == pytest.approx(12.0)
    assert first["against"] is None
    assert second["rate"] == pytest.approx((15.0 + 14.0) / 2)
    assert second["against"]["difference"] == pytest.approx(2.5)
    assert second["against"]["ratio"] == pytest.approx((15 * 14) ** 0.5 / 12)
    assert second["against"]["ratio_ci_low"] < second["against"]["ratio"] < second["against"]["ratio_ci_high"]


def test_a_system_that_never_breaks_has_no_rate_and_no_comparison() -> None:
    _, second = breaking_points(sweep("a", [0.5, 0.5]) + sweep("b", [0.0, 0.0]))
    assert (second["where"], second["rate"], second["against"]) == ("above the highest rate", None, None)
    _, mixed = breaking_points(sweep("a", [0.5, 0.5]) + sweep("b", [0.5, 0.0]))
    assert (mixed["where"], mixed["rate"]) == ("differs by seed", None)


def test_a_seed_with_a_failed_run_is_left_out() -> None:
    runs = sweep("a", [0.5, 0.5])[:-1]
    (found,) = breaking_points(runs)
    assert [seed["seed"] for seed in found["seeds"]] == [0]


def test_without_a_sweep_of_the_rate_there_is_no_breaking_point() -> None:
    assert breaking_points(of("a", "slo_attainment", [0.5])) == []
    assert breaking_points([]) == []
