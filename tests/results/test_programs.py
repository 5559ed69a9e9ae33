"""Job completion time: from a program's first arrival to its last token, by hand."""

from pathlib import Path
from typing import Any

import pytest

from simcore.results.parquet import ROW_GROUP
from tests.results.rows import S, finished_cell, row


def turn(request: int, program: int, number: int, arrival_s: int, left_s: int, **more: Any) -> tuple[int, ...]:
    return row(request, program=program, turn=number, arrival=arrival_s * S, left=left_s * S, **more)


# Program 7 takes 10 s, program 900 takes 4 s; their rows come mixed. Request 5 is of no program.
ROWS = [
    turn(0, 7, 0, 0, 2),
    turn(2, 900, 0, 3, 5),
    turn(1, 7, 1, 4, 6),
    turn(3, 900, 1, 6, 7),
    row(5, left=50 * S),
    turn(4, 7, 2, 9, 10),
]


def test_a_job_takes_from_its_first_arrival_to_its_last_token(tmp_path: Path) -> None:
    metrics = finished_cell(tmp_path, ROWS)["metrics"]
    assert metrics["programs_completed"] == 2
    assert metrics["job_completion_time_s_mean"] == 7.0
    assert metrics["job_completion_time_s_median"] == 7.0
    assert metrics["job_completion_time_s_p90"] == pytest.approx(4 + 0.9 * 6)
    assert metrics["job_completion_time_s_p99"] == pytest.approx(4 + 0.99 * 6)


@pytest.mark.parametrize("state", ["rejected", "cancelled", "failed", "unfinished"])
def test_a_program_that_lost_a_turn_did_not_complete(tmp_path: Path, state: str) -> None:
    rows = [*ROWS, row(6, program=7, turn=3, arrival=12 * S, state=state)]
    metrics = finished_cell(tmp_path, rows)["metrics"]
    assert metrics["programs_completed"] == 1
    assert metrics["job_completion_time_s_mean"] == 4.0


def test_a_program_that_began_in_the_warm_up_does_not_count(tmp_path: Path) -> None:
    for how in ({"warm_up_s": 1.0}, {"warm_up_requests": 1}):
        metrics = finished_cell(tmp_path, ROWS, **how)["metrics"]
        assert (metrics["programs_completed"], metrics["job_completion_time_s_mean"]) == (1, 4.0)


def test_a_run_without_programs_has_no_jobs(tmp_path: Path) -> None:
    metrics = finished_cell(tmp_path, [row(0, left=S)])["metrics"]
    assert metrics["programs_completed"] is metrics["job_completion_time_s_mean"] is None


def test_programs_are_put_together_across_row_groups(tmp_path: Path) -> None:
    # Each program has a turn in both halves of the file, and takes 2 s.
    count = ROW_GROUP + 5
    first = [turn(request, request, 0, 0, 1) for request in range(count)]
    second = [turn(count + request, request, 1, 1, 2) for request in range(count)]
    metrics = finished_cell(tmp_path, first + second)["metrics"]
    assert metrics["programs_completed"] == count
    assert metrics["job_completion_time_s_p99"] == 2.0
