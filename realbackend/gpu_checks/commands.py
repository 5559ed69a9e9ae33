"""Commands: slices that are commands of their own, with what they print kept beside the findings."""

import re
import subprocess
import sys
from functools import partial
from typing import Any

from realbackend.gpu_checks.findings import Findings, Skipped
from realbackend.gpu_checks.slices import BUDGET_S, Setting

STUDY = "studies/fidelity_gpu.yaml"
LEARNS = "studies/april_learns.yaml"
CONFIG = "simcore/data/models/llama-3.1-8b.json"


def kernels(findings: Findings, setting: Setting) -> None:
    """The tests of kernels that need a GPU."""
    findings.part("tests/kernels", partial(_tests, setting, "tests/kernels"))


def engines(findings: Findings, setting: Setting) -> None:
    """The tests of engines that need a GPU."""
    findings.part("tests/gpu", partial(_tests, setting, "tests/gpu"))


def profile(findings: Findings, setting: Setting) -> None:
    """A calibration of the engine."""
    file = setting.out / "llama-3.1-8b-profile.json"
    command = ["profile", "run", "--weights", f"random:{CONFIG}", "--out", str(file)]
    findings.part("profile run", partial(_simcore, setting, "profile-run", command))


def training(findings: Findings, setting: Setting) -> None:
    """A model that learns from its rollouts; then rollouts of an 8B model, which does not, beside their simulation."""
    sizes = ["layers=8", "hidden=1024", "learning_rate=0.0001"]
    larger = [word for size in sizes for word in ("--set", f"real.training.{size}")]
    command = ["run", LEARNS, "--backend", "real", "--clock", "measured", "--out", str(setting.out / "learns"), *larger]
    short = ["--set", "rollout.steps=40", "--set", "seeds=1"]
    findings.part("training, measured clock", partial(_simcore, setting, "training", command + short))
    served = ["--set", "real.training=null", "--set", f"real.weights=random:{CONFIG}", "--set", "rollout.steps=6"]
    for clock in ("measured", "wall"):
        out = setting.out / f"rollouts-{clock}"
        command = ["fidelity", LEARNS, "--clock", clock, "--repeats", "1", "--out", str(out), *served]
        findings.part(f"rollouts, {clock} clock", partial(_simcore, setting, f"rollouts-{clock}", command))


def wall(findings: Findings, setting: Setting) -> None:
    """A study in real time beside its simulation, and under the model clock, where both must decide the same."""
    for clock in ("wall", "model"):
        name = f"fidelity-{clock}"
        command = ["fidelity", STUDY, "--clock", clock, "--repeats", "1", "--out", str(setting.out / name)]
        findings.part(f"fidelity, {clock} clock", partial(_simcore, setting, name, command))


def _tests(setting: Setting, folder: str) -> dict[str, Any]:
    how = ["--collect-only"] if setting.dry_run else []
    command = ["pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", *how, folder]
    printed = run_module(setting, command, folder.replace("/", "-"))
    counts = dict.fromkeys(("passed", "skipped"), 0)
    for count, what in re.findall(r"(\d+) (passed|skipped)", printed):
        counts[what] = int(count)
    if not setting.dry_run and not counts["passed"]:
        raise Skipped(f"no test of {folder} ran: {printed.splitlines()[-1] if printed else 'nothing was printed'}")
    return counts


def _simcore(setting: Setting, name: str, command: list[str]) -> dict[str, Any]:
    """Run a simcore command on the GPU; a dry run only asks whether there is one of that name."""
    if setting.dry_run:
        run_module(setting, ["simcore", command[0], "--help"], name)
        return {"known": command[0]}
    printed = run_module(setting, ["simcore", *command, "--device", "cuda"], name)
    return {"printed": printed.splitlines()}


def run_module(setting: Setting, module: list[str], name: str) -> str:
    """Run a module; return what it printed, which is kept too. Raises RuntimeError with its end if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", *module], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BUDGET_S
    )
    setting.out.mkdir(parents=True, exist_ok=True)
    (setting.out / f"{name}.log").write_text(done.stdout, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}: {' | '.join(done.stdout.splitlines()[-5:])}")
    return done.stdout
