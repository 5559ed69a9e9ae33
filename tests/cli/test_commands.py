"""Each command as a user runs it: what it prints, where, and with which exit status."""

import json
import os
import subprocess
import sys

import pytest

from tests.cli.command import ROOT, environment, simcore
from tests.study.tiny import TINY, write_study


@pytest.fixture
def folder(tmp_path):
    write_study(tmp_path)
    return tmp_path


def test_help_loads_nothing_heavy():
    program = (
        "import sys\n"
        "from simcore.cli import app\n"
        "try:\n    app(['run', '--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'torch', 'pandas', 'scipy.stats', 'matplotlib', 'pyarrow', 'joblib', 'numpy', 'pydantic_core'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.strip("[]\n").replace("'", "").split(", "))
    assert loaded <= {"pydantic_core", ""}, "typer itself may bring pydantic"
    assert "--decisions" in done.stdout


def test_run_prints_the_table_and_the_files(folder):
    done = simcore("run", "tiny.yaml", "--out", "out", "--jobs", "1", "--no-plots", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "round_robin" in done.stdout
    assert "  summary.json\n" in done.stdout
    assert done.stderr == "2 of 2 cells\n"
    assert json.loads((folder / "out" / "summary.json").read_text())["study"] == "tiny"


def test_quiet_prints_nothing(folder):
    done = simcore("run", "tiny.yaml", "--quiet", "--no-plots", folder=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (out,) = [path for path in (folder / "runs").iterdir() if path.name != ".cells"]
    assert out.name.startswith("tiny-20")
    assert out.name.endswith("Z")


def test_dry_run_says_what_would_run_and_runs_nothing(folder):
    done = simcore("run", "tiny.yaml", "--dry-run", "--set", "seeds=2", folder=folder)
    assert done.stdout.splitlines() == [
        "to run    round_robin, seed 0",
        "to run    round_robin, seed 1",
        "to run    two, seed 0",
        "to run    two, seed 1",
        "4 cells, 4 to run",
    ]
    assert not (folder / "runs").exists()


def test_mistakes_go_to_stderr_all_at_once_with_status_2(folder):
    write_study(folder, TINY.replace("h100", "h1000").replace("rate: 20", "rate: -1"))
    for command in ("run", "validate"):
        done = simcore(command, "tiny.yaml", "--set", "slo.tft_ms=1", folder=folder)
        assert done.returncode == 2
        assert done.stdout == ""
        places = [line.partition(": ")[0] for line in done.stderr.splitlines()]
        assert places == ["--set slo.tft_ms=1", "tiny.yaml:4:1", "tiny.yaml:10:3"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "tyni.yaml"], "tyni.yaml: no such file (did you mean 'tiny.yaml'?)"),
        (["run", "."], ".: is a directory; a study is one YAML file"),
        (
            ["run", "tiny.yaml", "--clock", "measured"],
            "--clock measured: a simulator computes nothing to measure; model and wall are its clocks",
        ),
        (["run", "tiny.yaml", "--device", "cuda"], "--device: only the real engine runs on a device"),
        (["run", "tiny.yaml", "--set", "rate"], "--set rate: write key=value"),
        (["run", "tiny.yaml", "--out", "a" * 300], f"{'a' * 300}: cannot be written: File name too long"),
        (["run", "tiny.yaml", "--seed", str(2**63)], f"--seed {2**63}: seeds[0]: must be < 9.22337e+18, got {2**63}"),
        (
            ["run", "tiny.yaml", "--set", "slow.ttft_ms=1"],
            "--set slow.ttft_ms=1: slow: unknown key; have study, "
            "question, model, hardware, cost, cluster, workload, slo, systems, mechanism, faults, sweep, seeds, "
            "oracle, warm_up, sample_s, claims, real, rollout (did you mean 'slo'?)",
        ),
        (["run", "tiny.yaml", "--out", "odd.py"], "odd.py: a file is in the way of the result folder"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(folder, arguments, said):
    done = simcore(*arguments, folder=folder)
    assert (done.returncode, done.stderr, done.stdout) == (2, said + "\n", "")


def test_unknown_options_and_values_are_usage_errors(folder):
    for arguments in (["run", "tiny.yaml", "--job", "2"], ["run", "tiny.yaml", "--jobs", "0"], ["list", "gpus"], []):
        done = simcore(*arguments, folder=folder)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_refused(folder):
    (folder / "locked").mkdir(mode=0o500)
    done = simcore("run", "tiny.yaml", "--out", "locked/out", folder=folder)
    assert (done.returncode, done.stderr) == (2, "locked/out: cannot be written: Permission denied\n")


def test_runs_that_cannot_be_kept_are_refused(folder):
    (folder / "runs").write_text("in the way")
    done = simcore("run", "tiny.yaml", "--out", "out", folder=folder)
    assert (done.returncode, done.stderr) == (
        2,
        f"{folder}/runs/.cells: finished cells cannot be kept: Not a directory\n",
    )


def test_a_failing_cell_means_status_1_and_the_others_are_shown(folder):
    write_study(folder, TINY + "  fails: {router: 'odd.py:Fails'}\n")
    done = simcore("run", "tiny.yaml", "--out", "out", "--no-plots", folder=folder)
    assert done.returncode == 1
    assert "round_robin" in done.stdout
    assert done.stderr.splitlines()[-2:] == [
        "simcore: fails, seed 0: odd.py:23: RuntimeError: request 7",
        "simcore: 1 cell failed; tracebacks in out/failed.json",
    ]


def test_ray_that_is_not_installed_says_how_to_get_it(folder):
    pytest.importorskip("joblib")
    if "ray" in sys.modules:
        pytest.skip("Ray is installed")
    done = simcore("run", "tiny.yaml", "--engine", "ray", folder=folder)
    assert (done.returncode, done.stderr) == (2, "--engine ray: Ray is not installed: pip install 'ray>=2.40'\n")


def test_validate_says_how_many_cells_a_valid_study_has(folder):
    done = simcore("validate", "tiny.yaml", folder=folder)
    assert (done.returncode, done.stdout) == (0, "tiny.yaml: valid, 2 cells\n")


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("policies", ["least_loaded", "round_robin", "vllm_v1"]),
        ("models", ["llama-3.1-8b", "qwen3-30b-a3b"]),
        ("hardware", ["a10", "h100", "b200"]),
        ("traces", ["azure_conv_2023", "azure_code_2023"]),
    ],
)
def test_list_names_what_a_study_may_use(folder, what, names):
    done = simcore("list", what, folder=folder)
    assert done.returncode == 0
    listed = [line.split()[0] for line in done.stdout.splitlines()]
    assert set(names) <= set(listed)


def test_version(folder):
    assert simcore("--version", folder=folder).stdout == "simcore 0.4.0\n"


def test_the_seed_option_counts_the_seeds_from_there(folder):
    done = simcore("run", "tiny.yaml", "--dry-run", "--seed", "7", "--set", "seeds=2", folder=folder)
    assert [line.rpartition(" ")[2] for line in done.stdout.splitlines()[:2]] == ["7", "8"]


def test_the_default_study_needs_nothing_but_the_checkout(tmp_path):
    arguments = [sys.executable, "-m", "simcore", "run", "--dry-run", str(ROOT / "studies" / "ttft_slo.yaml")]
    done = subprocess.run(
        arguments, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    count, _, to_run = done.stdout.splitlines()[-1].partition(" cells, ")
    assert to_run == f"{count} to run"
    assert int(count) >= 4
