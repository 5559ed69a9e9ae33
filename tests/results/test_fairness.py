"""Fairness: how evenly users are served, by hand."""

from pathlib import Path
from typing import Any

import pytest

from tests.results.rows import S, finished_cell, row


def of(request: int, program: int, seconds: int, output: int, **more: Any) -> tuple[int, ...]:
    return row(request, program=program, left=seconds * S, output=output, **more)


def fairness(folder: Path, rows: list[tuple[int, ...]], **how: Any) -> list[float | None]:
    metrics = finished_cell(folder, rows, **how)["metrics"]
    return [metrics[key] for key in ("user_service_jain", "user_service_min_max", "p10_user_slo_attainment")]


def test_users_who_get_tokens_equally_fast_are_served_evenly(tmp_path: Path) -> None:
    rows = [of(0, 1, 10, 30), of(1, 2, 2, 6), of(2, 2, 4, 12)]
    assert fairness(tmp_path, rows) == [1.0, 1.0, None]


def test_one_served_thrice_as_fast_as_the_other_shows(tmp_path: Path) -> None:
    # 3 and 1 tokens a second: (3 + 1)^2 / (2 (9 + 1)) = 0.8.
    jain, least_to_most, _ = fairness(tmp_path, [of(0, 1, 10, 30), of(1, 2, 10, 10)])
    assert jain == pytest.approx(0.8)
    assert least_to_most == pytest.approx(1 / 3)


def test_what_was_turned_away_is_no_service_and_misses(tmp_path: Path) -> None:
    rows = [of(0, 1, 2, 4), of(1, 1, 8, 16), of(2, 2, 2, 4), of(3, 2, 2, 4, state="rejected")]
    # The SLO is met by 1 of 2 requests of each.
    assert fairness(tmp_path, rows, slo={"e2el_ms": 4000}) == [1.0, 1.0, 0.5]


def test_classes_are_the_users_where_there_are_no_programs(tmp_path: Path) -> None:
    rows = [row(0, left=10 * S, output=30, request_class=0), row(1, left=10 * S, output=10, request_class=1)]
    assert fairness(tmp_path, rows, classes=("a", "b"))[0] == pytest.approx(0.8)


def test_one_user_is_neither_served_evenly_nor_unevenly(tmp_path: Path) -> None:
    assert fairness(tmp_path, [of(0, 1, 10, 30)]) == [None, None, None]
