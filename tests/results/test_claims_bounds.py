"""Claims about what is known from one side, overload and breaking points, and about shapes along a sweep."""

from typing import Any

import pytest

from tests.results.claiming import FAST, runs, said, verdict

# -- overload, and breaking points --------------------------------------------------------------------------


def test_waits_of_an_overloaded_run_are_bounds_that_decide_from_one_side():
    flooded = runs("flooded", "p99_ttft_ms", {8.0: (900, 910, 920)}, overloaded=(8.0,))
    holds = verdict(said("<", "fast", "flooded", at={"rate": 8}), FAST, flooded)
    assert (holds["holds"], holds["ci_low"]) == (True, None)
    assert "flooded is overloaded at rate 8" in holds["why"]
    # Longer, it would wait longer: that it is at most 12 times as slow cannot be said, nor that both are alike.
    assert verdict(said("ratio", "flooded", "fast", at={"rate": 8}, max=12.0), FAST, flooded)["holds"] is None
    drowned = [{**run, "system": "drowned"} for run in flooded]
    for claim in (said("<", "flooded", "drowned"), said("ratio", "flooded", "drowned", min=2.0)):
        both = verdict(claim, flooded, drowned)
        assert both["holds"] is None
        assert "(3 seeds)" in both["why"]
        assert "so nothing is known of how they compare" in both["why"]


def test_waits_of_overloaded_runs_count_as_they_are_where_the_claim_is_about_them():
    flooded = runs("flooded", "p99_ttft_ms", {8.0: (900, 910, 920)}, overloaded=(8.0,))
    claim = said("ratio", "flooded", "fast", at={"rate": 8}, max=12.0, even_overloaded=True)
    assert verdict(claim, FAST, flooded)["holds"] is True


def test_time_per_token_of_an_overloaded_run_counts():
    full = runs("full", "mean_tpot_ms", {8.0: (30, 31, 32)}, overloaded=(8.0,))
    assert verdict(said("value", "full", metric="mean_tpot_ms", max=40.0), full)["holds"] is True


def attained(system: str, at_8: float, at_16: float) -> list[dict[str, Any]]:
    return runs(system, "slo_attainment", {8.0: (at_8,) * 3, 16.0: (at_16, at_16 + 0.01, at_16 - 0.01)})


def test_breaking_points_are_compared_seed_by_seed():
    entry = verdict(
        said("ratio", "late", "early", metric="breaking_point", min=1.1),
        attained("late", 1, 0.8),
        attained("early", 1, 0.5),
    )
    # 1.0 to 0.8 crosses 0.9 halfway, at 12; 1.0 to 0.5 after a fifth, at 9.6.
    assert entry["holds"] is True
    assert entry["here"] == pytest.approx(12 / 9.6, rel=1e-3)


def test_a_system_that_never_breaks_breaks_later_than_one_that_does():
    never, early = attained("never", 1.0, 0.98), attained("early", 1.0, 0.5)
    entry = verdict(said(">", "never", "early", metric="breaking_point"), never, early)
    assert entry["holds"] is True
    assert "never still keeps the SLO at 16 req/s, the highest rate" in entry["why"]
    assert verdict(said("<", "never", "early", metric="breaking_point"), never, early)["holds"] is False
    # How many times later is not known.
    assert verdict(said("ratio", "never", "early", metric="breaking_point", max=2.0), never, early)["holds"] is None


def test_two_systems_that_never_break_are_not_told_apart():
    pair = attained("one", 1.0, 0.98), attained("two", 1.0, 0.95)
    entry = verdict(said(">", "one", "two", metric="breaking_point"), *pair)
    assert entry["holds"] is None
    assert "nothing is known of how they compare" in entry["why"]


# -- trends -------------------------------------------------------------------------------------------------


def curve(system: str, *values: float, spread: float = 1.0) -> list[dict[str, Any]]:
    by_rate = {4.0 * (step + 1): (value - spread, value, value + spread) for step, value in enumerate(values)}
    return runs(system, "p99_ttft_ms", by_rate)


@pytest.mark.parametrize(
    ("relation", "values", "holds"),
    [
        ("grows with workload.rate", (100, 120, 150), True),
        ("grows with rate", (100, 100, 150), True),
        ("grows with rate", (100, 150, 120), False),
        ("grows with rate", (150, 120, 100), False),
        ("falls with rate", (150, 120, 100), True),
        ("falls with rate", (100, 120, 150), False),
        ("peaks over rate", (100, 150, 120), True),
        ("peaks over rate", (100, 120, 150), False),
        ("peaks over rate", (150, 120, 100), False),
    ],
)
def test_a_trend_is_a_shape_along_the_sweep(relation, values, holds):
    assert verdict(said(relation, "fast"), curve("fast", *values))["holds"] is holds


@pytest.mark.parametrize(("values", "holds"), [((100, 102, 99), True), ((100, 102, 130), False)])
def test_flat_means_near_the_first_value(values, holds):
    entry = verdict(said("flat in rate", "fast", within=0.1), curve("fast", *values, spread=0.5))
    assert entry["holds"] is holds


def test_a_trend_drowned_in_noise_stays_open():
    noisy = runs("fast", "p99_ttft_ms", {4.0: (10, 200, 90), 8.0: (200, 20, 100), 16.0: (90, 100, 120)})
    for relation in ("grows with rate", "falls with rate", "peaks over rate"):
        assert verdict(said(relation, "fast"), noisy)["holds"] is None


def test_the_gain_of_one_system_over_another_can_grow():
    gain = said("grows with rate", "slow", "fast")
    entry = verdict(gain, curve("fast", 100, 110, 120), curve("slow", 110, 150, 240))
    assert entry["holds"] is True
    # From 1.1x to 2x.
    assert entry["here"] == pytest.approx(2 / 1.1, rel=1e-2)
    assert "of slow over fast" in entry["why"]
    assert verdict(gain, curve("fast", 100, 110, 120), curve("slow", 300, 310, 240))["holds"] is False
