"""Learning from a study: a command leaves a table of lessons, metrics and a picture; what cannot learn is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.real.torch_here import torch  # noqa: F401

from simcore.results.frames import lessons_frame  # isort: skip
from simcore.study.api import Study  # isort: skip
from simcore.study.errors import StudyError  # isort: skip

LEARNS = Path(__file__).parents[2] / "studies" / "april_learns.yaml"


def study(**changes):
    chosen = Study.load(LEARNS)
    small: dict[str, Any] = {
        "rollout.steps": 2,
        "rollout.groups": 2,
        "workload.requests": 800,
        "real.training.warm_start": 0,
    }
    small |= {"rollout.filter": "none", "seeds": 1, "real.training.evaluate_every": 2}
    for key, value in (small | changes).items():
        chosen = chosen.override(f"{key}={value}")
    return chosen


def test_a_study_leaves_a_row_for_each_training_step_of_each_system(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCORE_RUNS", str(tmp_path / "runs"))
    study().run(backend="real", device="cpu", clock="model", jobs=1, out=tmp_path / "out")
    frame = lessons_frame(tmp_path / "out")
    assert frame.groupby("system", observed=True)["trained"].apply(list).to_dict() == {
        "synchronous": [0, 1, 2],
        "april": [0, 1, 2],
    }
    assert frame["accuracy"].notna().tolist() == [True, False, True] * 2
    assert frame["step_samples"].dropna().tolist() == [16.0] * 4
    assert (tmp_path / "out" / "plots" / "learning.png").exists()
    runs = json.loads((tmp_path / "out" / "summary.json").read_text())["runs"]
    assert [run["metrics"]["training_steps"] for run in runs] == [2, 2]
    assert all(0 <= run["metrics"]["learned/accuracy"] <= 1 for run in runs)


@pytest.mark.parametrize(
    ("changes", "clock", "message"),
    [
        ({}, "wall", "real.training: learns under --clock model or --clock measured, got wall"),
        ({"rollout": "null", "systems": "{a: {}}"}, "model", "real.training: needs the study to say `rollout"),
        (
            {"real.training.task": "add"},
            "model",
            "workload: prompts to add must have at least 4 tokens, got 3",
        ),
        ({"rollout.max_tokens": 300}, "model", "prompts and answers must fit 256 tokens where a model learns, got 307"),
        ({"real.weights": "random:nano"}, "model", "weights must be left out where there is training"),
        ({"real.training.hidden": 60}, "model", "hidden must be a multiple of 8, got 60"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 9 else "",
)
def test_a_study_that_cannot_teach_is_refused_with_its_rule(changes, clock, message):
    with pytest.raises(StudyError) as refused:
        study(**changes).plan(backend="real", device="cpu", clock=clock)
    assert message in str(refused.value)
