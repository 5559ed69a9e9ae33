"""Priority trace: levels by epoch, the same whoever asks and in whatever order."""

from itertools import groupby, pairwise

import pytest

from simcore.books.priority_trace import PriorityTrace


def trace(pattern, seed=1, **how):
    return PriorityTrace(seed=seed, pattern=pattern, **({"levels": 2, "stay": 0.8, "every_iterations": 25} | how))


@pytest.mark.parametrize("pattern", ["random", "markov"])
def test_a_level_is_the_same_in_whatever_order_epochs_are_asked(pattern):
    forwards, backwards = trace(pattern), trace(pattern)
    levels = [forwards.level(5, epoch) for epoch in range(40)]
    assert [backwards.level(5, epoch) for epoch in reversed(range(40))] == levels[::-1]
    assert [trace(pattern, seed=2).level(5, epoch) for epoch in range(40)] != levels
    assert [trace(pattern).level(6, epoch) for epoch in range(40)] != levels


def test_a_markov_level_lasts_five_epochs_in_the_mean_and_both_levels_are_as_frequent():
    levels = [trace("markov").level(who, epoch) for who in range(100) for epoch in (0,)]
    assert 0.35 < sum(levels) / 100 < 0.65
    one = trace("markov")
    runs = [len(list(run)) for who in range(40) for _, run in groupby(one.level(who, e) for e in range(500))]
    assert sum(runs) / len(runs) == pytest.approx(5, rel=0.1)


def test_a_random_level_is_drawn_anew_in_each_epoch_from_all_levels():
    one = trace("random", levels=5)
    counts = [sum(one.level(who, epoch) == level for who in range(40) for epoch in range(50)) for level in range(5)]
    assert sum(counts) == 2000
    assert all(330 < count < 470 for count in counts)


def test_a_level_that_moves_is_another():
    one = trace("markov", levels=3, stay=0.0)
    levels = [one.level(2, epoch) for epoch in range(300)]
    assert all(a != b for a, b in pairwise(levels))
    assert set(levels) == {0, 1, 2}


def test_an_epoch_is_so_many_iterations_of_a_lane():
    assert [trace("random").epoch(iterations) for iterations in (0, 24, 25, 74, 75)] == [0, 0, 1, 2, 3]
