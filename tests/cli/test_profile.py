"""`simcore profile` and `simcore fidelity` on the command line: what they write, and what they refuse in one line."""

import json
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from simcore.commands import profile
from simcore.commands.fidelity import fidelity
from simcore.cost import read_profile
from simcore.study.api import Study
from simcore.study.load import parse
from tests.study.tiny import TINY, write_study

INSTALL = "needs torch, which is not installed: pip install 'simcore[real]'"


def invoke(*arguments, of=profile.app):
    return CliRunner().invoke(of, [str(each) for each in arguments])


@pytest.fixture
def fidelity_app():
    app = typer.Typer()
    app.command()(fidelity)
    return app


def test_a_log_of_a_run_becomes_a_profile_that_predicts_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCORE_RUNS", str(tmp_path / "runs"))
    ran = Study(parse(TINY, "tiny.yaml", tmp_path)).only("two").run(jobs=1, plots=False, iterations=True)
    made = invoke("fit", ran.out, "--out", tmp_path / "p.json")
    assert made.exit_code == 0, made.stderr
    assert "iterations held out: median error" in made.stdout
    assert f"a study uses it with: cost: {tmp_path / 'p.json'}" in made.stdout
    content = json.loads((tmp_path / "p.json").read_text())
    assert content["provenance"]["study"] == "tiny"
    assert content["held_out_error"]["median"] < 0.02, "the roofline of decodes is nearly a line"
    again = Study(parse(TINY.replace("h100\n", "h100\ncost: p.json\n"), "tiny.yaml", tmp_path))
    predicted = again.only("two").run(jobs=1, plots=False)
    ratio = predicted.summary["median_tpot_ms"] / ran.summary["median_tpot_ms"]
    assert np.allclose(ratio, 1, atol=0.02)


def test_a_log_that_is_not_there_is_said_with_how_to_get_one(tmp_path):
    refused = invoke("fit", tmp_path)
    assert refused.exit_code == 2
    assert refused.stderr == (
        f"simcore: {tmp_path}/iterations.parquet: no iteration log; simcore run --iterations leaves one\n"
    )


def test_a_file_that_is_no_log_is_refused(tmp_path):
    (tmp_path / "iterations.parquet").write_text("nothing")
    refused = invoke("fit", tmp_path)
    assert refused.exit_code == 2
    assert refused.stderr.startswith(f"simcore: {tmp_path}/iterations.parquet: not an iteration log: ")
    assert refused.stderr.count("\n") == 1


def test_too_short_a_log_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCORE_RUNS", str(tmp_path / "runs"))
    few = TINY.replace("requests: 30", "requests: 1")
    ran = Study(parse(few, "tiny.yaml", tmp_path)).only("two").run(jobs=1, plots=False, iterations=True)
    refused = invoke("fit", ran.out, "--out", tmp_path / "p.json")
    assert refused.exit_code == 2
    assert "an iteration log must have at least 50 iterations to fit, got" in refused.stderr
    assert not (tmp_path / "p.json").exists()


def test_without_torch_one_line_says_how_to_install_it(tmp_path, monkeypatch, fidelity_app):
    monkeypatch.setattr("simcore.study.backends.find_spec", lambda name: None)
    for refused in (invoke("run"), invoke(write_study(tmp_path, TINY), of=fidelity_app)):
        assert refused.exit_code == 2
        assert refused.stderr == f"--backend real: {INSTALL}\n"


def test_without_a_gpu_cuda_is_refused(tmp_path, monkeypatch, fidelity_app):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'simcore[real]'")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    study = write_study(tmp_path, TINY)
    for refused in (invoke("run", "--device", "cuda"), invoke(study, "--device", "cuda", of=fidelity_app)):
        assert refused.exit_code == 2
        assert refused.stderr.startswith("--device cuda: torch sees no GPU here")


def test_weights_that_are_none_are_refused(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed: pip install 'simcore[real]'")
    refused = invoke("run", "--weights", "random:large", "--device", "cpu", "--out", tmp_path / "p.json")
    assert refused.exit_code == 2
    assert "got 'random:large'" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_calibration_writes_a_profile_that_says_what_it_was_measured_on(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed: pip install 'simcore[real]'")
    few = ("--requests", 16, "--longest", 60, "--max-num-batched-tokens", 32, "--quiet")
    made = invoke("run", "--weights", "random:nano", "--device", "cpu", *few, "--out", tmp_path / "p.json")
    assert made.exit_code == 0, made.stderr
    found: Any = read_profile(tmp_path / "p.json").described["provenance"]
    named = {key: found[key] for key in ("weights", "dtype", "device", "threads")}
    assert named == {"weights": "random:nano", "dtype": "fp32", "device": "cpu", "threads": 1}
    assert found["mix"]["block_tokens"] == 16
    assert found["probe"]["reference_s"] > 0


def test_a_folder_with_other_files_is_left_alone(tmp_path, fidelity_app):
    pytest.importorskip("torch", reason="torch is not installed: pip install 'simcore[real]'")
    (tmp_path / "mine.txt").write_text("keep")
    study = write_study(tmp_path, TINY)
    refused = invoke(study, "--device", "cpu", "--out", tmp_path, of=fidelity_app)
    assert refused.exit_code == 2
    assert "holds other files" in refused.stderr
