"""The time to live of Continuum: its check values, its cold start, its estimates (spec of arXiv:2511.02230)."""

from math import e, log

import pytest

from policies.ttl import COLD_START, Durations, TurnsLeft, Waits, best_ttl, code_ttl, prior_ttl

TWO_MODES, SPREAD = [1, 1, 30], [0.5, 1, 2, 4, 8]


@pytest.mark.parametrize(("benefit_s", "ttl_s"), [(e, 1.0), (10, 2.302585), (1, 0), (0.5, 0), (-2, 0)])
def test_the_prior_is_the_logarithm_of_the_benefit(benefit_s, ttl_s):
    assert prior_ttl(benefit_s) == pytest.approx(ttl_s, abs=1e-6)


def test_the_prior_gains_what_the_exponential_promises():
    """At B = 10 the gain is (1 - 1/B) B - ln B, and no other time to live has more."""

    def gain(ttl_s):
        return (1 - e**-ttl_s) * 10 - ttl_s

    assert gain(prior_ttl(10)) == pytest.approx(6.697, abs=1e-3)
    assert all(gain(prior_ttl(10)) >= gain(ttl_s / 100) for ttl_s in range(1000))


@pytest.mark.parametrize(
    ("durations_s", "benefit_s", "ttl_s"),
    [
        (TWO_MODES, 6, 1),
        (TWO_MODES, 1, 0),
        (SPREAD, 3, 1),
        (SPREAD, 10, 2),  # 2 and 4 gain the same: the shorter
        (SPREAD, 40, 8),
        (SPREAD, -1, 0),
        ([0, 0], 5, 0),
        ([], 5, 0),
    ],
)
def test_the_best_of_past_durations_wins_and_ties_go_to_the_shorter(durations_s, benefit_s, ttl_s):
    assert best_ttl(durations_s, benefit_s) == ttl_s


@pytest.mark.parametrize(("mean_s", "ttl_s"), [(1.9, 2), (2.0, 2), (2.1, 0)])
def test_the_public_code_waits_two_seconds_for_tools_that_take_no_longer(mean_s, ttl_s):
    assert code_ttl([mean_s]) == ttl_s
    assert code_ttl([]) == 2, "an unknown tool"


def test_up_to_a_hundred_samples_the_prior_decides_then_all_tools_then_the_tool_itself():
    durations = Durations()
    for _ in range(COLD_START):
        durations.add("slow", 50.0)
    assert durations.cold
    assert durations.best_ttl("slow", 80) == pytest.approx(log(80))
    durations.add("quick", 0.25)
    assert not durations.cold
    assert durations.best_ttl("quick", 80) == 50, "one of 101 calls was quick"
    for _ in range(COLD_START - 1):
        durations.add("quick", 0.25)
    assert durations.best_ttl("quick", 80) == 0.25, "half of the calls are quick: 40 - 0.25 > 80 - 50"
    assert durations.best_ttl("slow", 80) == 0.25, "of its own it has no more than a hundred"
    durations.add("slow", 50.0)
    assert durations.best_ttl("slow", 80) == 50
    durations.add("quick", 0.25)
    assert durations.best_ttl("quick", 80) == 0.25


def test_only_the_newest_calls_count_and_none_is_shorter_than_zero():
    durations = Durations(window=3)
    for took_s in (9.0, -1.0, 2.0, 4.0):
        durations.add("bash", took_s)
    assert durations.everything == durations.of_tool["bash"] == [0.0, 2.0, 4.0]


@pytest.mark.parametrize(("turns", "eta"), [([3], 1.0), ([3, 3], 1.0), ([2, 4], 0.6098), ([], 1.0), ([1], 1.0)])
def test_eta_is_one_where_programs_are_equally_long(turns, eta):
    left = TurnsLeft()
    for each in turns:
        left.add(each)
    assert left.value == pytest.approx(eta, abs=1e-4)


def test_eta_falls_below_zero_where_long_programs_go_on():
    left = TurnsLeft()
    for turns in [1] * 60 + [2] * 10 + [60]:
        left.add(turns)
    assert left.value < 0


def test_eta_looks_back_on_the_last_programs_only():
    mixed = TurnsLeft(window=2)
    for turns in (9, 9, 9, 2, 4):
        mixed.add(turns)
    assert mixed.value == pytest.approx(0.6098, abs=1e-4)


def test_the_wait_is_the_mean_of_the_last_ones():
    waits = Waits(window=2)
    assert waits.mean_s == 0
    for wait_s in (100.0, 1.0, -3.0):
        waits.add(wait_s)
    assert waits.mean_s == 0.5
