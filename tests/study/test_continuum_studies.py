"""Continuum's studies: they are valid, and their shapes hold on a few programs."""

from pathlib import Path

import pytest

from simcore import Study

FOLDER = Path(__file__).parents[2] / "studies" / "papers"
OF_FILES = "continuum_replay"
"""Reads a trace that is not in the repository."""


@pytest.mark.parametrize("path", sorted(FOLDER.glob("continuum_*.yaml")), ids=lambda path: path.stem)
def test_each_study_can_run(path):
    study = Study.load(path)
    if path.stem == OF_FILES:
        study = study.set("workload", {"trace": "swe_programs"})
    assert study.plan()


def job_time_s(*systems, rate, name="continuum_swe"):
    """Return the mean job time of each system over 150 programs."""
    study = Study.load(FOLDER / f"{name}.yaml").override(f"workload.rate={rate}").set("workload.requests", 1635)
    summary = (
        study.set("claims", []).set("seeds", 1).only(*systems).run(jobs=1, plots=False).summary.set_index("system")
    )
    return [summary.loc[system, "job_completion_time_s_mean"] for system in systems]


def test_under_queueing_the_order_of_programs_helps_and_keeping_their_kv_helps_more(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vllm, program_fcfs, continuum = job_time_s("vllm", "program_fcfs", "continuum", rate=4.0)
    assert continuum < 0.95 * program_fcfs < 0.95 * 0.95 * vllm


def test_without_queueing_there_is_nothing_to_gain(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vllm, continuum = job_time_s("vllm", "continuum", rate=0.2)
    assert continuum == pytest.approx(vllm, rel=0.01)
