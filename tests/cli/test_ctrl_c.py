"""Ctrl-C keeps what had finished, and the next run goes on from there."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.command import environment, simcore
from tests.study.tiny import TINY, write_study

SLOW = TINY.partition("systems:")[0] + "systems: {slow: {router: 'odd.py:Slow'}}\nseeds: 6\n"


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_finished_cells_and_the_next_run_resumes(tmp_path, jobs):
    write_study(tmp_path, SLOW)
    command = [sys.executable, "-m", "simcore", "run", "tiny.yaml", "--out", "out", "--jobs", str(jobs)]
    store = tmp_path / "runs" / ".cells"
    run = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment(tmp_path / "runs"),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test run in the background ignores Ctrl-C, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not finished(store):
        assert run.poll() is None, "the run ended before it could be interrupted"
        time.sleep(0.02)
    # As a terminal does: to every process of the group.
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=60)
    kept = finished(store)

    assert run.returncode == 130
    assert said.splitlines()[-1] == f"simcore: {len(kept)} of 6 cells finished and kept; run again to resume"
    assert "Traceback" not in said, said
    assert 1 <= len(kept) < 6
    assert not list(store.glob(".*")), "cells in the making are cleared away"

    written = {cell: cell.stat().st_mtime_ns for cell in kept}
    resumed = simcore("run", "tiny.yaml", "--out", "out", "--no-plots", folder=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert f"{len(kept)} of 6 cells were finished before" in resumed.stderr
    assert len(finished(store)) == 6
    assert {cell: cell.stat().st_mtime_ns for cell in kept} == written, "finished cells are left alone"


def finished(store):
    return sorted(store.glob("[!.]*"))
