"""A study whose `cost:` is a profile of layers: imported, used, warned about, refused where it cannot serve."""

import re

import pytest

from simcore.study.api import Study
from simcore.study.errors import StudyError
from simcore.study.load import parse
from tests.cli.command import simcore
from tests.cost.made_layers import Table, tables, write
from tests.study.tiny import TINY

H100 = "gpu: NVIDIA H100 80GB HBM3\nmodel: meta-llama/Llama-3.1-8B\nvariant: bf16\nvllm_version: 0.19.0\n"
FACTOR = 30
STUDY = TINY.replace("h100\n", "h100\ncost: p.npz\n")
DEAREST = "hardware: h100\ncost: {profile: p.npz, prefill_step_overhead_ms: 5}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with `p.npz`, imported as a user does it; times as long as an H100 may take."""
    folder = tmp_path_factory.mktemp("profile")
    slow: dict[str, Table] = {}
    for name, (head, rows) in tables().items():
        timed = [i for i, column in enumerate(head) if column.endswith("_us")]
        slow[name] = (head, [[x * FACTOR if i in timed else x for i, x in enumerate(row)] for row in rows])  # type: ignore[operator]
    write(folder / "measured", slow, H100)
    imported = simcore("profile", "import", "llmservingsim", "measured", "--out", "p.npz", folder=folder)
    assert imported.returncode == 0, imported.stderr
    assert imported.stdout.startswith("p.npz: meta-llama/Llama-3.1-8B at tp 1 on NVIDIA H100 80GB HBM3\n")
    return folder


def test_what_was_imported_runs_and_tells_where_it_was_asked_outside(folder):
    (folder / "s.yaml").write_text(STUDY.replace("tokens: 100}", "tokens: 2000}"))
    ran = simcore("run", "s.yaml", "--jobs", "1", folder=folder)
    assert ran.returncode == 0, ran.stderr
    said = r"the cost tables were asked \d+ times outside what was measured \(.*attention \d+\); so in 2 of 2 runs"
    assert re.search(said, " ".join(ran.stdout.split()))


def test_an_overhead_of_steps_with_a_prompt_comes_on_top(folder, monkeypatch):
    monkeypatch.setenv("SIMCORE_RUNS", str(folder / "runs"))
    dearer = STUDY.replace("hardware: h100\ncost: p.npz\n", DEAREST)
    runs = [Study(parse(text, "s.yaml", folder)).run(jobs=1, plots=False) for text in (STUDY, dearer)]
    first, second = (run.summary["median_ttft_ms"].min() for run in runs)
    assert second >= first + 5


def test_a_profile_of_whole_gpus_serves_no_lanes_with_a_part_of_the_sms(folder):
    with pytest.raises(StudyError) as raised:
        Study(parse(STUDY + "mechanism: {sm_split: [50, 50]}\n", "s.yaml", folder)).plan()
    assert str(raised.value) == "s.yaml:5:1: cost: a profile of layers knows all SMs only: sm_pct must be 100, got 50"
