"""Criteria: what counts as met, and how far from the bound a run is."""

import pytest

from simcore.capacity.criteria import Criterion, margin_of, read_criteria
from simcore.study.errors import StudyError


def run(state="STABLE", **metrics):
    return {"state": state, "metrics": metrics}


def test_without_a_word_the_attainment_of_the_study_is_asked_for():
    assert read_criteria((), None, None, 0.95) == (Criterion("slo_attainment", ">=", 0.95),)
    assert read_criteria((), None, 0.99, 0.95) == (Criterion("slo_attainment", ">=", 0.99),)


def test_a_target_is_on_the_better_side_of_its_metric():
    assert read_criteria((), "p99_ttft_ms", 500, 0.9) == (Criterion("p99_ttft_ms", "<=", 500),)
    assert read_criteria((), "request_goodput", 20, 0.9) == (Criterion("request_goodput", ">=", 20),)


def test_limits_take_the_place_of_the_attainment_and_add_up():
    two = read_criteria(["p99_ttft_ms<=500", " mean_tpot_ms <= 2e1 "], None, None, 0.9)
    assert list(map(str, two)) == ["p99_ttft_ms <= 500", "mean_tpot_ms <= 20"]
    assert len(read_criteria(["p99_ttft_ms<=500"], None, 0.9, 0.9)) == 2


@pytest.mark.parametrize(
    ("limits", "metric", "target", "said"),
    [
        (["p99_tft_ms<=500"], None, None, "did you mean 'p99_ttft_ms'?"),
        (["p99_ttft_ms<500"], None, None, "must be METRIC<=NUMBER or METRIC>=NUMBER, got 'p99_ttft_ms<500'"),
        (["p99_ttft_ms<=e"], None, None, "the bound must be a number, got 'e'"),
        ([], "slo_atainment", None, "did you mean 'slo_attainment'?"),
        ([], "p99_ttft_ms", None, "p99_ttft_ms needs a bound: --target"),
        ([], "duration", 5, "neither more nor less duration is better"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_rule(limits, metric, target, said):
    with pytest.raises(StudyError, match=r"^--(slo|metric)") as error:
        read_criteria(limits, metric, target, 0.9)
    assert said in str(error.value)


def test_the_bound_itself_is_met():
    (criterion,) = read_criteria(["p99_ttft_ms<=500"], None, None, 0.9)
    assert margin_of(run(p99_ttft_ms=500.0), [criterion]) > 0
    assert margin_of(run(p99_ttft_ms=500.1), [criterion]) < 0
    assert margin_of(run(failed=0), read_criteria(["failed<=0"], None, None, 0.9)) > 0
    assert margin_of(run(failed=1), read_criteria(["failed<=0"], None, None, 0.9)) < 0


def test_the_worst_criterion_decides():
    both = read_criteria(["p99_ttft_ms<=500", "mean_tpot_ms<=20"], None, None, 0.9)
    assert margin_of(run(p99_ttft_ms=250.0, mean_tpot_ms=21.0), both) == both[1].margin(21.0) < 0


def test_a_run_without_the_metric_or_overloaded_is_not_met():
    attained = read_criteria((), None, None, 0.9)
    assert margin_of(run(slo_attainment=None), attained) < 0
    assert margin_of(run("OVERLOADED", slo_attainment=1.0), attained) < 0
    assert margin_of(run("BACKLOGGED", slo_attainment=1.0), attained) > 0
