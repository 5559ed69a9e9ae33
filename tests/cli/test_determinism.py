"""Identical study, seed and version give identical bytes: for any number of jobs, and any hash seed of Python."""

import json

from tests.cli.command import simcore
from tests.study.tiny import TINY, write_study

STUDY = TINY + "sweep: {workload.rate: [10, 40]}\nseeds: 2\n"


def results_of(folder, jobs: int, hash_seed: str) -> dict[str, object]:
    """Run the study afresh; return every result file by name, `summary.json` without its provenance."""
    folder.mkdir()
    write_study(folder, STUDY)
    options = ["--out", "out", "--jobs", str(jobs), "--decisions", "--no-plots", "--quiet"]
    done = simcore("run", "tiny.yaml", *options, folder=folder, PYTHONHASHSEED=hash_seed)
    assert done.returncode == 0, done.stderr
    out = folder / "out"
    files: dict[str, object] = {
        str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()
    }
    summary = json.loads((out / "summary.json").read_text())
    summary.pop("provenance")
    return files | {"summary.json": json.dumps(summary)}


def test_results_are_byte_identical_for_any_number_of_jobs_and_any_hash_seed(tmp_path):
    one = results_of(tmp_path / "one", 1, "0")
    two = results_of(tmp_path / "two", 2, "1")
    assert {"requests.parquet", "instances.parquet", "decisions.parquet", "summary.json"} <= one.keys()
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []
