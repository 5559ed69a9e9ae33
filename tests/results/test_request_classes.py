"""Classes of requests: each with its own SLO and its own numbers."""

from pathlib import Path

import pytest

from simcore.results import CellResult, StudyFacts, assemble, classes_frame
from tests.results.rows import MS, S, finished_cell, row

CLASSES = ("interactive", "batch")
STUDY = {"ttft_ms": 100.0}

# TTFT of the interactive ones: 50 and 150 ms; of the batch ones: 150 and 900 ms, and one that was rejected.
ROWS = [
    row(0, left=50 * MS),
    row(1, left=150 * MS),
    row(2, request_class=1, left=150 * MS),
    row(3, request_class=1, left=1000 * MS, arrival=100 * MS),
    row(4, request_class=1, state="rejected"),
]


def test_each_class_is_judged_by_its_own_limits(tmp_path: Path) -> None:
    cell = finished_cell(tmp_path, ROWS, classes=CLASSES, slo=STUDY, class_slo={"batch": {"ttft_ms": 900.0}})
    assert cell["classes"]["interactive"]["slo_attainment"] == 1 / 2
    assert cell["classes"]["batch"]["slo_attainment"] == 2 / 3
    assert cell["metrics"]["slo_attainment"] == 3 / 5
    assert cell["metrics"]["request_goodput"] == 3.0  # in one second


def test_a_class_without_limits_of_its_own_has_the_studys(tmp_path: Path) -> None:
    cell = finished_cell(tmp_path, ROWS, classes=CLASSES, slo=STUDY)
    assert cell["classes"]["batch"]["slo_attainment"] == 0.0


def test_only_the_classes_with_limits_are_promised_anything(tmp_path: Path) -> None:
    cell = finished_cell(tmp_path, ROWS, classes=CLASSES, class_slo={"batch": {"ttft_ms": 200.0}})
    assert cell["classes"]["interactive"]["slo_attainment"] is None
    assert cell["classes"]["batch"]["slo_attainment"] == 1 / 3
    # A request that was promised nothing and finished was served as promised.
    assert cell["metrics"]["slo_attainment"] == 3 / 5


def test_a_class_has_its_own_counts_and_latencies_and_the_runs_duration(tmp_path: Path) -> None:
    batch = finished_cell(tmp_path, ROWS, classes=CLASSES, slo=STUDY)["classes"]["batch"]
    assert (batch["arrived"], batch["completed"], batch["rejected"]) == (3, 2, 1)
    assert batch["mean_ttft_ms"] == pytest.approx((150 + 900) / 2)
    assert batch["request_throughput"] == 2.0
    assert "duration" not in batch


def test_the_warm_up_counts_in_no_class(tmp_path: Path) -> None:
    cell = finished_cell(tmp_path, ROWS, classes=CLASSES, slo=STUDY, warm_up_requests=3)
    assert cell["classes"]["interactive"]["arrived"] == 0
    assert cell["classes"]["batch"]["arrived"] == 2


def test_a_run_of_one_class_has_no_table_of_classes(tmp_path: Path) -> None:
    assert finished_cell(tmp_path, [row(0, left=S)])["classes"] == {}


def test_limits_of_a_class_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown class 'bach'; have interactive, batch"):
        finished_cell(tmp_path, ROWS, classes=CLASSES, class_slo={"bach": {"ttft_ms": 1.0}})


def test_the_summary_and_its_frame_have_a_line_per_class(tmp_path: Path) -> None:
    finished_cell(tmp_path / "cell", ROWS, classes=CLASSES, slo=STUDY)
    cells = [CellResult("one", {"workload.rate": 2}, 0, tmp_path / "cell")]
    summary = assemble(tmp_path / "out", cells, study=StudyFacts("s", "?", slo=STUDY), provenance={})
    assert list(summary["runs"][0]) == ["system", "point", "seed", "state", "metrics", "classes"]
    frame = classes_frame(tmp_path / "out")
    assert list(frame.columns[:4]) == ["system", "workload.rate", "seed", "request_class"]
    assert frame.set_index("request_class").completed.to_dict() == {"interactive": 2, "batch": 2}
