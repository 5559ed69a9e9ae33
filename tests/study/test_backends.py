"""Backends: what a study says about the real engine, what is refused there, and what a run leaves behind."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from simcore.study.api import Study
from simcore.study.errors import StudyError
from simcore.study.load import parse
from tests.study.tiny import TINY

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")

REAL = """\
real:
  weights: random:nano
  instead:
    cluster: {instances: 2, kv_blocks: 200}
    workload.requests: 6
    workload.prompt_tokens: {kind: fixed, tokens: 20}
    workload.output_tokens: {kind: fixed, tokens: 4}
"""
STUDY = TINY + REAL


def study(text: str, folder: Path = Path()) -> Study:
    return Study(parse(text, "tiny.yaml", folder))


def refused(text: str, clock: str = "model") -> list[str]:
    try:
        study(text).plan(backend="real", device="cpu", clock=clock)  # type: ignore[arg-type]
    except StudyError as error:
        return [str(problem).partition(": ")[2] for problem in error.problems]
    return []


def test_the_study_as_it_stands_is_fine():
    assert refused(STUDY) == refused(STUDY, "measured") == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kv_blocks: 200", "kv_blocks: 200, tp: 2", "cluster.tp: must be 1 on the real engine, got 2"),
        (
            "real:\n",
            "mechanism: {prefix_cache: warm}\nreal:\n",
            "mechanism.prefix_cache: must be cold or off on the real engine, which has computed nothing yet, got warm",
        ),
        (
            "random:nano",
            "random:nan",
            "real.weights: must be random:nano, tiny or small, random:CONFIG, or a folder with config.json and "
            "safetensors, got 'random:nan'",
        ),
        (
            "kv_blocks: 200}\n    workload.requests: 6\n    workload.prompt_tokens: {kind: fixed, tokens: 20}",
            "kv_blocks: 20000}\n    workload.requests: 6\n    workload.prompt_tokens: {kind: fixed, tokens: 131070}",
            "workload: the longest request must fit the 131,072 positions of the model, got 131,074",
        ),
        (
            "random:nano\n",
            "random:nano\n  stop: eos\n",
            "real.stop: must be length for random:nano, whose config names no eos_token_id, got eos",
        ),
        ("workload.requests: 6", "real.seed: 6", "real.instead.real.seed: must be a key of the study outside real"),
    ],
)
def test_what_the_engine_cannot_do_is_refused_when_the_study_is_read(old, new, message):
    assert STUDY.count(old) == 1
    assert message in refused(STUDY.replace(old, new))


def test_two_lanes_on_a_device_have_no_measured_time_of_their_own():
    lanes = STUDY + "mechanism: {sm_split: [50, 50]}\n"
    (message,) = refused(lanes, "measured")
    assert message == (
        "mechanism.sm_split: two lanes share a device, whose time cannot be told apart: --clock model, or wall"
    )
    assert refused(lanes) == []


def test_what_a_user_sets_wins_over_what_the_engine_runs_instead():
    plan = study(STUDY).override("workload.requests=3").plan(backend="real", device="cpu")
    assert {cell.spec.workload.requests for cell in plan} == {3}
    assert {cell.spec.cluster.kv_blocks for cell in plan} == {200}


def test_a_simulator_has_no_device_and_nothing_to_measure():
    for options, place in (({"device": "cpu"}, "--device"), ({"clock": "measured"}, "--clock measured")):
        with pytest.raises(StudyError, match=place):
            study(STUDY).plan(**options)  # type: ignore[arg-type]


def test_a_run_says_what_computed_it_and_what_it_ran_instead(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCORE_RUNS", str(tmp_path / "runs"))
    how = {"backend": "real", "device": "cpu", "clock": "model", "plots": False, "jobs": 1}
    results = study(STUDY, tmp_path).run(out=tmp_path / "out", **how)  # type: ignore[arg-type]
    data = json.loads((results.out / "summary.json").read_text())
    real = data["provenance"]["real"]
    assert (data["backend"], data["clock"], real["weights"], real["dtype"]) == ("real", "model", "random:nano", "fp32")
    assert real["instead"]["workload.requests"] == 6
    one, other = data["runs"]
    assert one["metrics"]["completed"] == 6
    assert one["token_hash"] == other["token_hash"], "routing changes no token"
