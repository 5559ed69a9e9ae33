"""The command: what it prints, and what it says of mistakes: the place, the rule, the value got; exit 2."""

import json

import pytest
import typer
from typer.testing import CliRunner

from simcore.commands.capacity import capacity
from tests.capacity.flat import ONE, write

FEW = ["--seeds", "1", "--tolerance", "10%", "--no-plots", "--jobs", "1"]


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run `simcore capacity one.yaml …` in the folder of the test."""
    app = typer.Typer()
    app.command()(capacity)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    write(tmp_path)

    def run(*options: str):
        return CliRunner().invoke(app, ["one.yaml", *options])

    return run


def test_the_answer_stands_in_the_table_and_in_the_folder(command, tmp_path):
    done = command(*FEW, "--low", "5", "--high", "20", "--out", "out")
    assert done.exit_code == 0, done.output
    assert "one: highest workload.rate with slo_attainment >= 0.9" in done.stdout
    assert "one: confirmed by seeds 1" in done.stdout
    assert "with 200 requests instead of 100" in done.stdout
    data = json.loads((tmp_path / "out" / "capacity.json").read_text())
    (entry,) = data["results"]
    assert entry["value"] == pytest.approx(10, rel=0.1)
    assert f" {entry['value']:g} " in done.stdout
    assert data["provenance"]["simcore"]


def test_several_limits_are_asked_for_together(command):
    done = command(*FEW, "--slo", "p99_ttft_ms<=15", "--slo", "mean_tpot_ms<=9", "--low", "2", "--high", "4", "-q")
    assert done.exit_code == 0, done.output
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--vary", "workload.rat"], "--vary workload.rat: workload.rat: unknown key; have"),
        (["--vary", "workload.rat"], "(did you mean 'rate'?)"),
        (["--vary", "rate"], "unknown key (did you mean 'workload.rate'?)"),
        (["--vary", "hardware"], "hardware: cannot be varied: must be text, got 1"),
        (["--vary", "seeds"], "seeds: cannot be varied"),
        (["--vary", "cluster.tp"], "only powers of two divide a model; sweep it instead"),
        (["--vary", "systems.two.router.choices"], "unknown system 'two'; have one"),
        (["--vary", "systems.one.scheduler.max_seqs"], "did you mean 'max_num_seqs'?"),
        (["--vary", "workload..rate"], "must be a dotted key such as workload.rate"),
        (["--low", "8", "--high", "4"], "--low: must be below --high, got 8 and 4"),
        (["--low", "0"], "--low: must be above 0, got 0"),
        (["--high", "nan"], "--high: must be above 0, got nan"),
        (["--vary", "cluster.instances", "--low", "1.5"], "--low: must be a whole number, got 1.5"),
        (["--tolerance", "a bit"], "--tolerance: must be a share such as 1% or 0.01, got 'a bit'"),
        (["--tolerance", "0"], "--tolerance: must be from 0.001 to 0.5, got 0"),
        (["--slo", "p99_tft_ms<=5"], "did you mean 'p99_ttft_ms'?"),
        (["--metric", "duration", "--target", "5"], "neither more nor less duration is better"),
        (["--system", "two"], "unknown system 'two'"),
        (["--set", "slo=null"], "--set slo=null: slo: must be a mapping of keys, got nothing"),
        (["--set", "workload.rate=-1"], "must be > 0, got -1"),
        (["--set", "workload.rate=null"], "workload.rate"),
        (["--set", "hardware=h1000"], "unknown hardware 'h1000'"),
    ],
)
def test_a_mistake_is_told_and_nothing_runs(command, tmp_path, options, said):
    done = command(*FEW, *options)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert "Traceback" not in done.output
    assert not (tmp_path / "runs" / ".cells").exists()


def test_without_an_slo_a_metric_must_be_asked_for(command, tmp_path):
    write(tmp_path, ONE.replace("slo: {ttft_ms: 15}\n", ""))
    done = command(*FEW)
    assert done.exit_code == 2
    assert "slo: slo_attainment needs limits, such as slo.ttft_ms; or ask for a metric" in done.stderr
    assert command(*FEW, "--metric", "p99_ttft_ms", "--target", "15", "--high", "4").exit_code == 0


def test_a_run_that_fails_costs_its_system_alone(command, tmp_path):
    (tmp_path / "odd.py").write_text(
        "from simcore.contract import Router\n\n\nclass Fails(Router):\n"
        "    def on_arrived(self, view, fact):\n        raise RuntimeError('request')\n"
    )
    write(tmp_path, ONE + "  fails: {router: 'odd.py:Fails'}\n")
    done = command(*FEW, "--low", "5", "--high", "20")
    assert done.exit_code == 1, done.output
    assert "one: confirmed" in done.stdout
    assert "fails: a run failed: " in done.stdout
    assert "odd.py:6: RuntimeError: request" in done.stderr
