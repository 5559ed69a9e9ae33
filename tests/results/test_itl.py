"""ITL without expanding a token equals numpy on expanded tokens."""

from collections.abc import Callable, Iterator
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.results.combs import Combs
from simcore.results.itl import pooled
from simcore.results.ranks import select

Rows = list[tuple[int, int, int, int]]
PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)

# Durations and slopes of real size (picoseconds), ties, constants and falling lines included.
row = st.tuples(
    st.integers(10**9, 10**11) | st.sampled_from([10**10, 10**10 + 1]),
    st.integers(-(10**6), 10**7) | st.just(0),
    st.integers(0, 50),
    st.integers(0, 9),
)


def combs(rows: Rows) -> Combs:
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return Combs.of(*columns)


def expanded(rows: Rows) -> list[int]:
    return [
        first + j * increment for first, increment, length, weight in rows for j in range(length) for _ in range(weight)
    ]


def in_pieces(rows: Rows, size: int) -> Callable[[], Iterator[Combs]]:
    return lambda: (combs(rows[begin : begin + size]) for begin in range(0, len(rows), size))


@given(st.lists(row, max_size=30), st.integers(1, 7))
def test_pooled_statistics_equal_numpy_on_expanded_gaps(rows: Rows, size: int) -> None:
    values = expanded(rows)
    found = pooled(in_pieces(rows, size), PERCENTILES)
    assert found.count == len(values)
    if not values:
        assert found.mean_ms is found.std_ms is found.percentiles_ms[50.0] is None
        return
    ms = np.array(values) / 1e9
    assert found.mean_ms == pytest.approx(ms.mean(), rel=1e-12)
    assert found.std_ms == pytest.approx(ms.std(), rel=1e-9, abs=1e-12 * float(ms.mean()))
    assert list(found.percentiles_ms.values()) == pytest.approx(np.percentile(ms, PERCENTILES).tolist(), rel=1e-12)


@given(st.lists(row, min_size=1, max_size=60), st.integers(1, 7), st.integers(1, 8), st.data())
def test_ranks_are_exact_however_little_is_kept(rows: Rows, size: int, keep_rows: int, data: st.DataObject) -> None:
    values = sorted(expanded(rows))
    if not values:
        return
    ranks = data.draw(st.lists(st.integers(0, len(values) - 1), min_size=1, max_size=6))
    found = select(in_pieces(rows, size), ranks, keep_rows=keep_rows)
    assert found == {rank: values[rank] for rank in ranks}


@given(st.lists(row, min_size=1, max_size=20), st.data())
def test_bisection_and_sorting_find_the_same_value(rows: Rows, data: st.DataObject) -> None:
    held = combs(rows)
    if not held.total():
        return
    rank = data.draw(st.integers(0, held.total() - 1))
    with patch("simcore.results.combs.FEW", 0):
        bisected = held.select(rank)
    assert bisected == held.select(rank) == sorted(expanded(rows))[rank]


def test_a_misleading_sample_only_costs_passes() -> None:
    # Every second row is tiny: a sample with stride 2 sees nothing of the large ones, or nothing else.
    rows = [(1000 + 1000 * (index % 2) + index, 1, 3, 1) for index in range(512)]
    values = sorted(expanded(rows))
    found = select(in_pieces(rows, 16), range(0, len(values), 97), keep_rows=2)
    assert found == {rank: values[rank] for rank in range(0, len(values), 97)}


def test_durations_of_days_do_not_overflow() -> None:
    day = 86_400 * 10**12
    found = pooled(lambda: [Combs.of(*np.array([[day], [0], [1000], [100]], np.int64))], (50.0,))
    assert found.percentiles_ms[50.0] == 86_400_000
    assert (found.mean_ms, found.std_ms) == (86_400_000, 0)
