"""`simcore doctor` as a user runs it: on a machine that works, and on ones that do not."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from simcore.commands.checks import Check, all_checks
from simcore.commands.checks.gpu import gpu, triton_mode
from simcore.commands.checks.packages import REQUIRED, optional_packages, required_packages
from simcore.commands.checks.self_test import self_test
from simcore.commands.doctor import doctor

ROOT = Path(__file__).parents[2]
PACKAGES = "simcore.commands.checks.packages"

app = typer.Typer()
app.command()(doctor)


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine with no GPU, and a folder to run in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIMCORE_RUNS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def found(checks, name):
    return next(check for check in checks if check.name == name)


def installed(**versions):
    return lambda package: versions.get(package.replace(".", "_"))


def test_a_machine_that_works_is_called_so(bare):
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 0, done.stdout
    lines = done.stdout.splitlines()
    assert lines[-1] == "Simulation works."
    assert {line.split()[1] for line in lines if line.startswith("ok")} >= {
        "Python",
        "simcore",
        "catalogue",
        "self-test",
    }
    assert any(line.startswith("ok       runs") and str(bare / "runs") in line for line in lines)
    assert not (bare / "runs").exists(), "to look is not to touch"


def test_scripts_get_json(bare):
    done = CliRunner().invoke(app, ["--json"])
    told = json.loads(done.stdout)
    assert told["works"] is True
    assert [check["name"] for check in told["checks"]][-2:] == ["catalogue", "self-test"]
    assert all(check.keys() == {"name", "state", "says", "fix"} for check in told["checks"])


def test_a_problem_means_status_1_and_stands_out(monkeypatch):
    broken = (Check("disk", "problem", "full", "empty it"),)
    monkeypatch.setattr("simcore.commands.checks.all_checks", lambda: iter(broken))
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 1
    assert done.stdout.splitlines()[:2] == ["PROBLEM  disk       full", " " * 20 + "empty it"]
    assert json.loads(CliRunner().invoke(app, ["--json"]).stdout)["works"] is False


def test_what_is_required_is_what_the_project_declares():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert list(REQUIRED) == declared


def test_missing_and_old_packages_come_with_the_line_that_gets_them(monkeypatch):
    versions = {name.replace(".", "_"): "99.0" for name in ("simpy", "numpy", "scipy", "pandas", "matplotlib", "typer")}
    others = dict.fromkeys(("ruamel_yaml", "rich", "joblib", "zstandard", "jinja2", "pooch"), "99.0")
    monkeypatch.setattr(f"{PACKAGES}.installed", installed(**versions, **others, pydantic="3.1", pyarrow=None))
    check = found(required_packages(), "packages")
    assert check.state == "problem"
    assert check.says == "pydantic 3.1, pyarrow is missing"
    assert check.fix == "pip install 'pydantic>=2.10,<3' 'pyarrow>=18'"


def test_optional_packages_come_with_the_line_that_gets_them(monkeypatch):
    monkeypatch.setattr(f"{PACKAGES}.installed", installed(ray="2.60.0"))
    without = list(optional_packages(has_gpu=False))
    assert found(without, "torch").fix == (
        "pip install 'torch>=2.6,<=2.13.0' --index-url https://download.pytorch.org/whl/cpu"
    )
    assert found(optional_packages(has_gpu=True), "torch").fix == "pip install 'torch>=2.6,<=2.13.0'"
    assert found(without, "triton").state == "absent"
    assert found(without, "ray") == Check("ray", "ok", "2.60.0")


def test_a_driver_that_answers_is_quoted(bare, monkeypatch):
    script = bare / "nvidia-smi"
    script.write_text("#!/bin/sh\necho 'NVIDIA H200,  143771 MiB, 570.1'\necho 'NVIDIA H200,  143771 MiB, 570.1'\n")
    script.chmod(0o755)
    monkeypatch.setattr("simcore.commands.checks.gpu.installed", installed())
    check = gpu()
    assert check.state == "ok"
    assert check.says == "NVIDIA H200, 143771 MiB, 570.1; NVIDIA H200, 143771 MiB, 570.1; Triton: not installed"


def test_no_gpu_is_no_problem(bare):
    assert gpu().state == "absent"


def test_triton_runs_as_the_machine_lets_it(monkeypatch):
    monkeypatch.setattr("simcore.commands.checks.gpu.installed", installed(triton="3.7"))
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert triton_mode(True) == "compiled"
    assert triton_mode(False).startswith("nothing to compile for")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert triton_mode(False) == "interpreted, on the CPU"


def test_runs_that_cannot_be_kept_are_a_problem(bare, monkeypatch):
    (bare / "file").write_text("in the way")
    monkeypatch.setenv("SIMCORE_RUNS", str(bare / "file" / "runs"))
    check = found(all_checks(), "runs")
    assert check.state == "problem"
    assert "file is not a folder" in check.says


def test_a_simulator_that_differs_from_itself_is_a_problem(monkeypatch):
    answers = iter([([{"ttft_s": 1.0}], {"completed": 1}), ([{"ttft_s": 2.0}], {"completed": 1})])
    monkeypatch.setattr("simcore.commands.checks.self_test._rows_and_metrics", lambda **_: next(answers))
    assert self_test().says == "macro-steps and single iterations give different results"


def test_an_installation_that_is_broken_is_said_and_not_thrown(monkeypatch):
    def refuse(**_):
        raise ImportError("no module named simpy")

    monkeypatch.setattr("simcore.commands.checks.self_test._rows_and_metrics", refuse)
    assert self_test() == Check("self-test", "problem", "ImportError: no module named simpy")


def test_the_doctor_never_imports_torch(bare):
    program = (
        "import sys\n"
        "from simcore.commands.checks import all_checks\n"
        "list(all_checks())\n"
        "print('torch' in sys.modules, 'triton' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"
