"""Self-test: a tiny study, in macro-steps and one event per iteration: the results must be equal, row by row."""

from pathlib import Path
from tempfile import TemporaryDirectory

from simcore.commands.checks.check import Check

STUDY = """\
study: self_test
model: llama-3.1-8b
hardware: h100
workload:
  arrivals: {kind: poisson}
  prompt_tokens: {kind: uniform, min: 50, max: 500}
  output_tokens: {kind: uniform, min: 2, max: 60}
  rate: 20
  requests: 100
slo: {ttft_ms: 500, tpot_ms: 50}
systems: {default: {}}
"""


def self_test() -> Check:
    """Simulate a hundred requests twice, and compare."""
    try:
        fast, slow = (_rows_and_metrics(per_iteration=per_iteration) for per_iteration in (False, True))
    except Exception as error:  # an import that fails, a disk that is full: any of them is the finding
        return Check("self-test", "problem", f"{type(error).__name__}: {error}")
    if fast != slow:
        return Check("self-test", "problem", "macro-steps and single iterations give different results")
    completed = fast[1]["completed"]
    return Check("self-test", "ok", f"{completed} requests simulated; macro-steps equal single iterations, row by row")


def _rows_and_metrics(*, per_iteration: bool) -> tuple[list[dict[str, object]], dict[str, object]]:
    import pyarrow.parquet as pq

    from simcore.results import read_cell
    from simcore.study.api import Study
    from simcore.study.cell import run_cell
    from simcore.study.load import parse

    (cell,) = Study(parse(STUDY, "self-test", Path())).plan(per_iteration=per_iteration)
    with TemporaryDirectory() as folder:
        bench = Path(folder) / "cell"
        run_cell(cell, bench)
        rows: list[dict[str, object]] = pq.read_table(bench / "requests.parquet").to_pylist()
        metrics: dict[str, object] = read_cell(bench)["metrics"]
    return rows, metrics
