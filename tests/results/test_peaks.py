"""Peaks against plain counting."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simcore.results.peaks import TokenSeconds, peak_concurrency

S = 10**12
step = st.tuples(
    st.just(0),
    st.integers(0, 5 * S),
    st.integers(1, 2 * S),
    st.integers(0, S // 10),
    st.integers(1, 30),
    st.integers(0, 4),
)


@given(st.lists(step, min_size=1, max_size=20))
def test_tokens_of_each_second_equal_a_count_of_single_tokens(rows: list[tuple[int, ...]]) -> None:
    expected: dict[int, int] = {}
    for _, start, first, increment, iterations, decodes in rows:
        for j in range(iterations):
            end = start + (j + 1) * first + increment * (j * (j + 1) // 2)
            expected[end // S] = expected.get(end // S, 0) + decodes
    tokens = TokenSeconds(0, (max(expected) + 1) * S)
    tokens.add_steps(np.array(rows, np.int64))
    assert tokens.peak() == max(expected.values())


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), max_size=30))
def test_peak_concurrency_equals_a_count_at_every_instant(stays: list[tuple[int, int]]) -> None:
    arrivals = np.array(sorted(begin for begin, _ in stays), np.int64)
    departures = np.array([begin + length for begin, length in stays], np.int64)
    counts = [sum(begin <= at < begin + length for begin, length in stays) for at in range(50)]
    assert peak_concurrency(arrivals, np.array_split(departures, 3)) == max(counts)
