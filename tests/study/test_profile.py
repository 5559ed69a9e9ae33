"""A study with `cost: FILE` runs by the durations of that profile, and says so."""

import json
from pathlib import Path

import pytest

from simcore.cost.fit_error import FitError
from simcore.cost.fitted import Terms
from simcore.cost.profile import write_profile
from simcore.study.api import Study
from simcore.study.errors import StudyError
from simcore.study.load import parse
from tests.study.tiny import TINY

MS = 10**9
ERROR = FitError(iterations=20, median=0.05, p90=0.2, worst=0.5, bias=-0.01, total=0.02)
WITH_PROFILE = TINY.replace("hardware: h100\n", "hardware: h100\ncost: p.json\n")


def profile(folder: Path, step_ms: int = 7) -> None:
    folder.mkdir(exist_ok=True)
    write_profile(folder / "p.json", Terms(tokens=((1, step_ms * MS),)), ERROR, {"weights": "random:tiny"})


def study(folder: Path, text: str = WITH_PROFILE) -> Study:
    return Study(parse(text, "tiny.yaml", folder))


def test_iterations_take_what_the_profile_says(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCORE_RUNS", str(tmp_path / "runs"))
    profile(tmp_path)
    results = study(tmp_path).run(jobs=1, plots=False)
    assert results.summary["median_tpot_ms"].tolist() == pytest.approx([7, 7])
    assert results.data["provenance"]["profile"]["held_out_error"]["median"] == 0.05
    assert results.data["provenance"]["profile"]["provenance"] == {"weights": "random:tiny"}
    resolved = (results.out / "study.resolved.yaml").read_text()
    assert f"profile: {tmp_path / 'p.json'}" in resolved, "the study as it ran finds its profile from anywhere"


def test_what_a_profile_holds_is_in_the_hash_of_a_cell_where_it_lies_is_not(tmp_path):
    for name, step_ms in (("one", 7), ("other", 7), ("slower", 8)):
        profile(tmp_path / name, step_ms)
    one, other, slower = (study(tmp_path / name).plan()[0].hash for name in ("one", "other", "slower"))
    assert one == other != slower
    assert (
        study(tmp_path, TINY).plan()[0].hash
        == study(tmp_path, TINY.replace("h100\n", "h100\ncost: roofline\n")).plan()[0].hash
    )


def test_a_sweep_lays_a_profile_beside_the_roofline(tmp_path):
    profile(tmp_path)
    cells = study(tmp_path, TINY + "sweep: {cost: [roofline, p.json]}\n").plan()
    assert [cell.profile is None for cell in cells] == [True, False, True, False]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("rofline", "cost: unknown cost 'rofline'; have roofline (did you mean 'roofline'?)"),
        ("none.json", "cost: no such file: 'none.json'"),
        ("broken.json", "cost: {folder}/broken.json: schema must be 'simcore.profile/1', got None"),
        ("7", "cost: must be a mapping of keys, got 7"),
    ],
)
def test_a_cost_that_is_none_is_refused_at_its_place(tmp_path, written, message):
    (tmp_path / "broken.json").write_text(json.dumps({"terms_ps": {}}))
    with pytest.raises(StudyError) as raised:
        study(tmp_path, WITH_PROFILE.replace("p.json", written)).plan()
    assert [str(problem) for problem in raised.value.problems] == [f"tiny.yaml:5:1: {message.format(folder=tmp_path)}"]
