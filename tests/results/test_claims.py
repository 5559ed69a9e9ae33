"""Claims held against runs made by hand: what holds, what fails, what stays open, and why."""

import numpy as np
import pytest

from simcore.results import read_cell
from simcore.results.claims_metrics import metric_names
from simcore.results.claims_relation import Relation
from simcore.results.claims_wording import claim_lines, tally
from tests.results.claiming import FAST, NOISY, SLOW, runs, said, verdict
from tests.results.test_table import printed, two_systems
from tests.results.toy import toy_cell, toy_run

# -- orders -------------------------------------------------------------------------------------------------


def test_an_order_is_told_from_differences_seed_by_seed():
    entry = verdict(said("<", "fast", "slow"), FAST, SLOW)
    # The seeds spread by 10 ms each way, but the difference is 100 ms in every one.
    assert (entry["holds"], entry["here"], entry["ci_low"], entry["ci_high"]) == (True, -100, -100, -100)
    assert verdict(said("<", "slow", "fast"), FAST, SLOW)["holds"] is False


def test_an_order_that_the_seeds_disagree_about_stays_open():
    entry = verdict(said("<", "noisy", "fast"), FAST, NOISY)
    assert entry["holds"] is None
    assert entry["here"] == 0
    assert entry["ci_low"] < 0 < entry["ci_high"]
    assert "the interval leaves it open" in entry["why"]


def test_equal_systems_are_not_less_but_are_less_or_equal():
    twin = [{**run, "system": "twin"} for run in FAST]
    assert verdict(said("<", "fast", "twin"), FAST, twin)["holds"] is False
    assert verdict(said("<=", "fast", "twin"), FAST, twin)["holds"] is True


def test_three_systems_in_order_are_compared_neighbour_by_neighbour():
    slower = runs("slower", "p99_ttft_ms", {8.0: (300, 310, 320), 16.0: (310, 320, 330)})
    entry = verdict(said("<", "fast", "slow", "slower", paper=(1.0, 2.0, 3.0)), FAST, SLOW, slower)
    assert entry["holds"] is True
    assert len(entry["checks"]) == 2 * 2
    # The closest of the four: 310 against 320 at the higher rate.
    assert (entry["here"], entry["paper"]) == (-10, [1.0, 2.0, 3.0])
    assert verdict(said("<", "fast", "slower", "slow"), FAST, SLOW, slower)["holds"] is False


def test_one_seed_decides_nothing():
    entry = verdict(said("<", "fast", "slow"), FAST[::3], SLOW[::3])
    assert (entry["holds"], entry["n"], entry["ci_low"]) == (None, 1, None)
    assert entry["here"] == -100
    assert "one seed gives no interval" in entry["why"]


def test_chance_alone_seldom_decides_a_claim():
    draws = np.random.default_rng(1)
    verdicts = []
    for _ in range(300):
        pair = [runs(name, "p99_ttft_ms", {rate: draws.normal(100, 5, 5).tolist() for rate in (4.0, 8.0, 12.0)})
                for name in ("one", "two")]  # fmt: skip
        verdicts.append(verdict(said("<", "one", "two"), *pair)["holds"])
    # Equal systems: a failure at one of three points has a chance of 2.5%, that all three hold next to none.
    assert verdicts.count(False) <= 0.05 * 300
    assert verdicts.count(True) <= 0.01 * 300


# -- points -------------------------------------------------------------------------------------------------


def test_a_claim_is_about_every_point_unless_it_names_one():
    crossing = runs("crossing", "p99_ttft_ms", {8.0: (90, 100, 110), 16.0: (400, 410, 420)})
    assert verdict(said("<", "crossing", "slow"), SLOW, crossing)["holds"] is False
    assert verdict(said("<", "crossing", "slow", at={"workload.rate": 8}), SLOW, crossing)["holds"] is True
    assert verdict(said("<", "crossing", "slow", at={"rate": 16}), SLOW, crossing)["holds"] is False


def test_the_best_and_the_worst_point_are_where_the_relation_points():
    # fast over slow: 100/200 = 0.5 and 200/300 = 0.67, so the reduction is 50% and 33%.
    best = verdict(said("reduction", "fast", "slow", at="best", min=0.3), FAST, SLOW)
    worst = verdict(said("reduction", "fast", "slow", at="worst", min=0.3), FAST, SLOW)
    assert best["here"] == pytest.approx((100 / 200 + 100 / 210 + 100 / 220) / 3)
    assert worst["here"] == pytest.approx((100 / 300 + 100 / 310 + 100 / 320) / 3)
    # With an upper end only, less is better.
    assert verdict(said("ratio", "fast", "slow", at="best", max=0.9), FAST, SLOW)["here"] < 0.55


def test_an_interval_at_a_picked_point_is_wider_than_at_a_named_one():
    picked = verdict(said("ratio", "fast", "slow", at="best", max=0.9), FAST, SLOW)
    named = verdict(said("ratio", "fast", "slow", at={"rate": 8}, max=0.9), FAST, SLOW)
    assert picked["here"] == named["here"]
    assert (picked["confidence"], named["confidence"]) == (0.975, 0.95)
    assert picked["ci_high"] > named["ci_high"]


def test_a_best_point_that_may_lie_elsewhere_is_not_denied():
    flooded = runs("flooded", "p99_ttft_ms", {8.0: (300, 310, 320), 16.0: (250, 260, 270)}, overloaded=(16.0,))
    # 3 times at rate 8, for certain; at rate 16 some 1.2 times or any more, since the waits of an overload grow.
    much = verdict(said("ratio", "flooded", "fast", at="best", min=9.0), FAST, flooded)
    assert (much["holds"], much["ci_high"]) == (None, None)
    # The point shown is that of rate 8; why its ratio has no upper end is said all the same.
    assert "at least 2.29x at 97.5%" in much["why"]
    assert "flooded is overloaded at rate 16" in much["why"]
    assert verdict(said("ratio", "flooded", "fast", at="best", min=2.0), FAST, flooded)["holds"] is True


def test_a_point_that_was_not_run_leaves_a_claim_open():
    entry = verdict(said("<", "fast", "slow", at={"workload.rate": 99}), FAST, SLOW)
    assert (entry["holds"], entry["here"]) == (None, None)
    assert "there is no run of fast at rate 99" in entry["why"]


# -- amounts ------------------------------------------------------------------------------------------------


def test_a_ratio_is_the_geometric_mean_over_the_seeds():
    doubled = runs("doubled", "p99_ttft_ms", {8.0: (200, 220, 240), 16.0: (400, 420, 440)})
    entry = verdict(said("ratio", "doubled", "fast", min=1.9, max=2.1, paper=2.0), FAST, doubled)
    assert entry["holds"] is True
    assert entry["here"] == pytest.approx(2.0)
    assert (entry["paper"], entry["quantity"]) == (2.0, "ratio")


def test_within_is_a_share_of_the_papers_number():
    half = runs("half", "p99_ttft_ms", {8.0: (50, 55, 60), 16.0: (100, 105, 110)})
    for paper, holds in ((0.5, True), (0.46, True), (0.4, False), ((0.3, 0.46), True)):
        entry = verdict(said("ratio", "half", "fast", within=0.1, paper=paper), FAST, half)
        assert entry["holds"] is holds, paper


def test_how_much_is_claimed_stands_beside_what_was_found():
    entry = verdict(said("ratio", "slow", "fast", min=1.5, max=3.0, at={"rate": 8}), FAST, SLOW)
    assert "; must be 1.50x to 3.00x" in entry["why"]
    entry = verdict(said("value", "fast", within=0.1, paper=100.0, at={"rate": 8}), FAST)
    assert "; must be 90.0 to 110 ms; " in entry["why"]
    assert "must be" not in verdict(said("<", "fast", "slow"), FAST, SLOW)["why"]


def test_a_reduction_to_nothing_is_whole_and_a_ratio_needs_values_above_0():
    none = runs("none", "preemptions", {8.0: (0, 0, 0)})
    many = runs("many", "preemptions", {8.0: (4, 5, 6)})
    assert verdict(said("reduction", "none", "many", metric="preemptions", min=0.9), none, many)["here"] == 1.0
    entry = verdict(said("ratio", "none", "many", metric="preemptions", max=0.1), none, many)
    assert entry["holds"] is None
    assert "a ratio needs values above 0" in entry["why"]


def test_a_value_per_another_metric_is_a_share():
    many = runs("many", "preemptions", {8.0: (8, 8, 8)})
    entry = verdict(said("value", "many", metric="preemptions", per="arrived", within=0.1, paper=0.08), many)
    assert (entry["holds"], entry["here"]) == (True, 0.08)


def test_a_metric_of_a_class_is_that_of_the_class():
    entry = verdict(said("value", "fast", request_class="urgent", max=70.0, at={"rate": 8}), FAST)
    assert entry["here"] == 55
    assert "of urgent" in entry["why"]


# -- what people read ---------------------------------------------------------------------------------------


def test_a_metric_nobody_has_leaves_a_claim_open_and_says_so():
    entry = verdict(said("value", "fast", metric="prefix_hit_rate", min=0.3), FAST)
    assert entry["holds"] is None
    assert "no run of fast has prefix_hit_rate at rate 8" in entry["why"]


def test_the_terminal_shows_claims_with_the_papers_number_beside_ours():
    twice = said("ratio", "slow", "fast", at={"rate": 8}, min=1.5, paper=2.0, source="arXiv:2406.03243, figure 11")
    entries = [verdict(claim, FAST, SLOW) for claim in (twice, said("<", "slow", "fast"))]
    assert tally(entries) == "1 holds, 1 fails"
    lines = [line for _, *both in claim_lines(entries) for line in both]
    assert lines[0] == "holds  ratio is claimed (arXiv:2406.03243, figure 11)"
    assert lines[1].startswith(
        "paper 2.00x, here 1.91x: p99_ttft_ms at rate 8: slow 210, fast 110; ratio 1.91x (95% CI 1."
    )
    text = printed({**two_systems(), "claims": entries})
    assert "claims: 1 holds, 1 fails\nholds  ratio is claimed" in text


def test_every_metric_of_a_run_may_be_claimed(tmp_path):
    cell = toy_cell(tmp_path, toy_run(rate=20.0, requests=50))
    assert set(read_cell(cell.directory)["metrics"]) <= set(metric_names())


@pytest.mark.parametrize(
    ("text", "hint"),
    [("grows wiht rate", " (did you mean 'grows with rate'?)"), ("ration", " (did you mean 'ratio'?)")],
)
def test_a_misspelt_relation_names_the_nearest(text, hint):
    with pytest.raises(ValueError, match="must be one of >, >=") as raised:
        Relation.parse(text)
    assert str(raised.value).endswith(f"got '{text}'{hint}")
