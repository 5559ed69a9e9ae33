"""Requests that a run did not serve: counted by what became of them, and said next to the state."""

import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from simcore.results import CellResult, StudyFacts, assemble, print_summary
from tests.results.rows import MS, S, finished_cell, row


def test_what_failed_is_what_was_rejected_cancelled_or_lost(tmp_path: Path) -> None:
    states = ["finished", "rejected", "rejected", "cancelled", "failed", "failed", "failed", "unfinished"]
    rows = [row(number, state=state, left=S if state == "finished" else None) for number, state in enumerate(states)]
    metrics = finished_cell(tmp_path, rows, slo={"ttft_ms": 1000})["metrics"]
    counted = ("arrived", "completed", "failed", "rejected", "cancelled", "lost_requests", "unfinished")
    assert [metrics[key] for key in counted] == [8, 1, 6, 2, 1, 3, 1]
    assert metrics["slo_attainment"] == 1 / 8


def test_a_request_that_did_not_finish_has_a_date_it_left_and_no_latency(tmp_path: Path) -> None:
    finished_cell(tmp_path, [row(0, state="failed", scheduled=0, first=100 * MS, left=300 * MS, output=3)])
    (read,) = pq.read_table(tmp_path / "requests.parquet").to_pylist()
    assert (read["state"], read["finished_ps"], read["ttft_s"]) == ("failed", 300 * MS, 0.1)
    assert read["e2el_s"] is read["tpot_s"] is None


def test_a_request_of_no_program_has_no_program_and_no_turn(tmp_path: Path) -> None:
    finished_cell(tmp_path, [row(0, left=S, cached=5), row(1, left=S, program=0, turn=2)])
    columns = pq.read_table(tmp_path / "requests.parquet", columns=["cached_tokens", "program", "turn"])
    assert [tuple(each.values()) for each in columns.to_pylist()] == [(5, None, None), (0, 0, 2)]


@pytest.mark.parametrize("state", ["rejected", "cancelled"])
@pytest.mark.parametrize(("every", "verdict"), [(1, "OVERLOADED"), (10, "OVERLOADED"), (200, "STABLE")])
def test_sending_work_away_does_not_make_a_run_stable(tmp_path: Path, state: str, every: int, verdict: str) -> None:
    # One arrives each second; one in so many is sent away, or gives up, at once, and the others start at once.
    away = {i: row(i, state=state, arrival=i * S, left=(i + 1) * S) for i in range(0, 1000, every)}
    rows = [away.get(i) or row(i, arrival=i * S, scheduled=i * S, left=(i + 1) * S) for i in range(1000)]
    assert finished_cell(tmp_path, rows)["state"] == verdict


def test_a_request_that_never_could_fit_is_no_sign_of_overload(tmp_path: Path) -> None:
    rows = [row(i, state="rejected", arrival=i * S) for i in range(1000)]
    assert finished_cell(tmp_path, rows)["state"] == "STABLE"


def test_the_prefix_hit_rate_is_tokens_found_over_tokens_looked_up(tmp_path: Path) -> None:
    counters = {"prefix_hit_tokens": 30, "prefix_query_tokens": 120}
    assert finished_cell(tmp_path / "on", [row(0, left=S)], counters=counters)["metrics"]["prefix_hit_rate"] == 0.25
    assert finished_cell(tmp_path / "off", [row(0, left=S)])["metrics"]["prefix_hit_rate"] is None


# -- what the terminal says -----------------------------------------------------------------------------------


def printed(folder: Path, *systems: dict[str, Any]) -> str:
    cells = []
    for number, cell in enumerate(systems):
        finished_cell(folder / str(number), **cell)
        cells.append(CellResult(f"system_{number}", {"workload.rate": 120}, 0, folder / str(number)))
    stream = io.StringIO()
    summary = assemble(folder / "out", cells, study=StudyFacts("s", "?"), provenance={})
    print_summary(summary, Console(file=stream, width=100))
    return stream.getvalue()


SERVED = [row(number, left=(number + 1) * S, arrival=number * S) for number in range(6)]
SHED = [
    *SERVED[:3],
    row(3, state="rejected", arrival=3 * S),
    row(4, state="cancelled", arrival=4 * S),
    row(5, state="cancelled", arrival=5 * S),
]
SLO = {"ttft_ms": 500.0, "tpot_ms": 50.0}


def test_a_run_that_turns_work_away_is_not_stable_without_a_word(tmp_path: Path) -> None:
    text = printed(tmp_path, {"rows": SERVED, "slo": SLO}, {"rows": SHED, "slo": SLO, "counters": {"timed_out": 1}})
    table = text.partition("one seed")[0]
    served, shed = table[table.index("system_0") :].split("system_1")
    assert "STABLE" in served
    assert "%" not in served
    assert "STABLE" in shed
    for word in ("16% rejected", "16% timed out", "16% cancelled"):
        assert word in shed


def test_one_run_says_it_in_its_line(tmp_path: Path) -> None:
    assert "state: STABLE, 16% rejected, 33% cancelled\n" in printed(tmp_path, {"rows": SHED})


@pytest.mark.parametrize(
    ("counters", "heading", "cell"),
    [
        ({"prefix_hit_tokens": 30, "prefix_query_tokens": 120}, "prefix", "25.0"),
        ({"swap_outs": 17}, "swapped", "17.0"),
        ({"handoffs": 0}, "handed", "0"),
    ],
)
def test_what_a_mechanism_did_is_shown_where_it_is_on(
    tmp_path: Path, counters: dict[str, int], heading: str, cell: str
) -> None:
    assert heading not in printed(tmp_path / "off", {"rows": SERVED}, {"rows": SERVED})
    text = printed(tmp_path / "on", {"rows": SERVED}, {"rows": SERVED, "counters": counters})
    assert heading in text
    assert any(line.split() in (["system_1", cell], ["system_1", cell, "-"]) for line in text.splitlines())


def test_jobs_have_their_times_in_the_table_and_in_the_block_of_one_run(tmp_path: Path) -> None:
    rows = [row(0, left=4 * S, program=0), row(1, left=6 * S, program=1)]
    assert "Mean job completion time (s):            5.00" in printed(tmp_path / "one", {"rows": rows})
    text = printed(tmp_path / "two", {"rows": rows}, {"rows": rows})
    assert "job" in text
    assert any(line.split()[:4] == ["120", "system_0", "2.00", "5.00"] for line in text.splitlines())


def test_classes_with_an_slo_have_a_line_each(tmp_path: Path) -> None:
    rows = [row(0, left=S // 10), row(1, left=S, request_class=1)]
    classes = ("interactive", "batch")
    cell = {"rows": rows, "classes": classes, "class_slo": {"interactive": {"ttft_ms": 200.0}}}
    text = printed(tmp_path / "two", cell, cell)
    assert len([line for line in text.splitlines() if "interactive" in line.split()]) == 2
    assert max(map(len, (line.rstrip() for line in text.partition("one seed")[0].splitlines()))) <= 100
    assert "interactive" in printed(tmp_path / "one", cell)
    assert "interactive" not in printed(tmp_path / "none", {"rows": rows, "classes": classes})
