"""Heads: hash ids of a trace stay with the requests they belong to, whatever is cut, stretched or read in pieces."""

from itertools import pairwise

import numpy as np
import pytest

from simcore.contract.traffic import Arrivals, Heads
from tests.traces.written import mooncake, request, whole
from traces import open_trace
from traces.pieces import first, joined

ROWS = (request(0, 600, 5, [7, 8]), request(500, 512, 5, [7]), request(2000, 1025, 5, [7, 9, 3]))


def segments(requests: Arrivals) -> list[list[tuple[int, int]]]:
    """Return (key, end) of each segment of each request."""
    assert requests.head is not None
    pairs = list(zip(requests.head.keys.tolist(), requests.head.ends.tolist(), strict=True))
    bounds = requests.head.offsets.tolist()
    return [pairs[start:end] for start, end in pairwise(bounds)]


CARRIED = [[(7, 512), (8, 600)], [(7, 512)], [(7, 512), (9, 1024), (3, 1025)]]


def test_an_id_names_512_tokens_and_the_last_one_the_rest_of_the_prompt(tmp_path):
    assert segments(whole(open_trace(mooncake(tmp_path, *ROWS)))) == CARRIED


def test_the_first_rows_keep_their_ids(tmp_path):
    assert segments(whole(open_trace(mooncake(tmp_path, *ROWS), requests=2))) == CARRIED[:2]


def test_a_rate_moves_no_ids(tmp_path):
    faster = whole(open_trace(mooncake(tmp_path, *ROWS), rate=10.0))
    assert faster.at_ps.tolist() == [0, 5 * 10**10, 2 * 10**11]
    assert segments(faster) == CARRIED


def test_ids_are_the_same_when_rows_are_read_one_by_one(tmp_path):
    assert segments(whole(open_trace(mooncake(tmp_path, ROWS[0], "", *ROWS[1:])))) == CARRIED


def test_a_long_trace_read_again_from_the_file_has_its_ids(tmp_path, monkeypatch):
    monkeypatch.setattr("traces.survey.KEPT_NUMBERS", 3)
    assert segments(whole(open_trace(mooncake(tmp_path, *ROWS)))) == CARRIED


def test_ids_stay_with_their_requests_across_pieces(tmp_path):
    path = mooncake(tmp_path, *(request(row, 512, 1, [row]) for row in range(8194)))
    last = list(open_trace(path, time_unit="ms").pieces())[1]
    assert segments(last) == [[(8192, 512)], [(8193, 512)]]


def test_pieces_are_joined_and_cut_with_all_their_columns():
    def column(*values: int) -> np.ndarray:
        return np.array(values, dtype=np.int64)

    plain = Arrivals(column(0), column(9), column(1))
    turns = Arrivals(
        column(1, 1),
        column(5, 9),
        column(1, 1),
        program=column(4, 4),
        turn=column(0, 1),
        gap_ps=column(0, 8),
        head=Heads(column(0, 1, 3), column(6, 6, 7), column(5, 5, 9)),
    )
    both = joined([plain, turns])
    assert segments(both) == [[], [(6, 5)], [(6, 5), (7, 9)]]
    assert both.program is not None
    assert both.program.tolist() == [-1, 4, 4]
    assert both.stream is None
    cut = first(both, 2)
    assert segments(cut) == [[], [(6, 5)]]
    assert cut.gap_ps is not None
    assert cut.gap_ps.tolist() == [0, 0]


@pytest.mark.parametrize("n", [0, 1, 3])
def test_cutting_keeps_at_most_what_is_there(tmp_path, n):
    assert len(first(whole(open_trace(mooncake(tmp_path, *ROWS))), n)) == n
