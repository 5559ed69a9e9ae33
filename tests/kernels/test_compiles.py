"""Compiles: every kernel becomes machine code of a Hopper GPU, which Triton can make without one.

The interpreter is more lenient than the compiler, and bfloat16 is only compiled.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernels.here import torch  # noqa: F401 - skips without torch and Triton

ROOT = Path(__file__).parents[2]
KERNELS = {
    *("_attend_part", "_add_parts", "_attend_tile", "_rotate_and_store", "_norm", "_activate", "_copy"),
    *("_best_of_piece", "_best_of_row", "_cut_of_row"),
}


def test_every_kernel_compiles_for_hopper(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TRITON_CACHE_DIR": str(tmp_path)}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run(
        [sys.executable, "-m", "tests.kernels.compile_all"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 3:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stderr[-3000:]
    spilled = dict(line.split() for line in done.stdout.splitlines())
    assert set(spilled) == KERNELS
    assert not [name for name, spills in spilled.items() if int(spills)], "registers that went to memory"
