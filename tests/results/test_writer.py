"""The cell writer: rows in, row groups out, in bounded pieces."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from simcore.results import CellWriter, finish_cell
from simcore.results.parquet import ROW_GROUP
from simcore.simulator.settings import Outcome
from tests.results.toy import toy_run, write_toy


def row(request: int) -> tuple[int, ...]:
    return (request, request % 2, 0, 0, request, request, request + 1, request + 2, 1, 1, 0, 0, -1, 0)


def test_rows_in_pieces_of_any_size_make_full_row_groups(tmp_path: Path) -> None:
    rows = [row(request) for request in range(ROW_GROUP + 1000)]
    with CellWriter(tmp_path, classes=("chat", "code")) as sink:
        for begin in range(0, len(rows), 777):
            sink.requests(rows[begin : begin + 777])
    file = pq.ParquetFile(tmp_path / "requests.parquet")
    assert [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)] == [ROW_GROUP, 1000]
    table = file.read()
    assert np.array_equal(table.column("request").to_numpy(), np.arange(len(rows)))
    assert table.column("request_class").slice(0, 3).to_pylist() == ["chat", "code", "chat"]


def test_logs_are_written_only_when_asked_for(tmp_path: Path) -> None:
    with CellWriter(tmp_path, classes=("default",)) as sink:
        sink.iterations([(0, 0, 0, 0, 1, 10, 0, 0, 0, 0, 100, [], [])])
        sink.decisions([(0, 0, 0, 0, 0)])
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == ["instances.parquet", "requests.parquet"]


def test_a_finished_cell_keeps_no_spilled_steps(tmp_path: Path) -> None:
    toy = toy_run(rate=10.0, requests=20)
    write_toy(tmp_path, toy)
    finish_cell(tmp_path, outcome=toy.outcome(), slo={}, meta={"made": "by hand"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cell.json", "instances.parquet", "requests.parquet"]


def test_an_attempt_that_broke_off_is_written_over(tmp_path: Path) -> None:
    for requests in (3, 2):
        with CellWriter(tmp_path, classes=("chat", "code")) as sink:
            sink.requests([row(request) for request in range(requests)])
    cell = finish_cell(tmp_path, outcome=Outcome(arrived=2, finished=2), slo={}, classes=("chat", "code"), meta={})
    assert cell["metrics"]["completed"] == 2


def test_finishing_and_assembling_cells_load_neither_pandas_nor_scipy_stats(tmp_path: Path) -> None:
    # Sweeps start a worker per core; each would pay for them.
    program = f"""
import sys
import subprocess
import sys
from pathlib import Path
from simcore.results import StudyFacts, assemble
from tests.results.toy import toy_cell, toy_run
out = Path({str(tmp_path)!r})
assemble(out, [toy_cell(out / "cell", toy_run(rate=10.0, requests=30))], study=StudyFacts("toy", "?"), provenance={{}})
print([name for name in ("pandas", "scipy.stats", "matplotlib") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
