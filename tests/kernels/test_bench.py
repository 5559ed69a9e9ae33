"""Bench: its dry run goes over every kernel, and where there is nothing to time it says so."""

import json
import os

import pytest

from tests.kernels.here import GPU

from kernels import bench  # isort: skip
from kernels.timings import Row  # isort: skip


@pytest.mark.skipif(GPU, reason="the dry run is interpreted, and kernels are compiled here")
def test_a_dry_run_prints_and_writes_a_row_of_every_kernel(tmp_path, capsys):
    assert bench.main(["--dry-run", "--out", str(tmp_path / "new" / "rows.json")]) == 0
    result = json.loads((tmp_path / "new" / "rows.json").read_text())
    kernels = {
        *("decode, small", "prefill", "rms_norm", "add_rms_norm", "silu_mul", "rope_and_store", "greedy", "top-p"),
        "copy_blocks",
    }
    assert {row["kernel"] for row in result["rows"]} == kernels
    assert result["dry_run"]
    assert all(row["ms"] > 0 and (row["gb_s"] or row["tflop_s"]) for row in result["rows"])
    printed = capsys.readouterr().out
    assert all(kernel in printed for kernel in kernels)


@pytest.mark.skipif(GPU, reason="there is a GPU here")
def test_without_a_gpu_it_says_so_and_ends_with_2(tmp_path, capsys):
    assert bench.main(["--out", str(tmp_path / "rows.json")]) == 2
    assert "sees no GPU" in capsys.readouterr().err
    assert not os.listdir(tmp_path)


def test_the_verdict_names_the_worst_of_the_large_shapes():
    rows = [
        Row("decode, small", "A", "1 x 1024", 1.0, gb_s=400, of_copy=0.1),
        Row("decode", "A", "16 x 4096", 1.0, gb_s=3600, of_copy=0.9),
        Row("decode", "B", "64 x 4096", 1.0, gb_s=3200, of_copy=0.8),
    ]
    assert bench.verdict(rows) == "decode attention, goal 75% of a copy: reached, least 80% (B, 64 x 4096)"
    rows.append(Row("decode", "B", "1 x 131072", 1.0, gb_s=2000, of_copy=0.5))
    assert bench.verdict(rows) == "decode attention, goal 75% of a copy: missed, least 50% (B, 1 x 131072)"
    assert bench.verdict(rows[:1]) == "decode attention: no shape is large enough for the goal"
