"""Command: runs slices, each in a process of its own, and says what they found. Exit 1: something failed."""

import argparse
import subprocess
import sys
from pathlib import Path

from realbackend.gpu_checks.environment import describe, folder_of
from realbackend.gpu_checks.findings import Findings
from realbackend.gpu_checks.slices import BUDGET_S, SLICES, Setting

_GRACE_S = 60
"""What a part under way when the budget ends may still take."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m realbackend.gpu_checks", description="What only a GPU can show.")
    parser.add_argument("--slice", choices=[*SLICES, "all"], default="all", help="which slice; all, one after another")
    parser.add_argument("--out", type=Path, help="folder of the findings; default profiles/<gpu>/checks")
    parser.add_argument("--again", action="store_true", help="forget what was found before")
    parser.add_argument("--dry-run", action="store_true", help="go the same ways on a CPU, over tiny shapes")
    given = parser.parse_args(arguments)
    environment = describe(given.dry_run)
    if environment["gpu"] is None and not given.dry_run:
        print("gpu_checks: torch sees no GPU here; --dry-run goes the same ways on a CPU", file=sys.stderr)
        return 2
    out = given.out or folder_of(environment)
    if given.slice == "all":
        return max(_alone(name, out, given) for name in SLICES)
    findings = Findings(out / f"{given.slice}.json", environment, budget_s=BUDGET_S, again=given.again)
    check = SLICES[given.slice]
    print(f"{given.slice}: {check.shows}", flush=True)
    with findings:
        check.run()(findings, Setting(out, given.dry_run))
    print(f"{given.slice}: {findings.summary}, in {findings.path}", flush=True)
    return 1 if findings.failed or not findings.complete else 0


def _alone(name: str, out: Path, given: argparse.Namespace) -> int:
    """Run a slice in a process of its own: it leaves no memory behind, and may crash or hang."""
    command = [sys.executable, "-m", "realbackend.gpu_checks", "--slice", name, "--out", str(out)]
    command += ["--again"] * given.again + ["--dry-run"] * given.dry_run
    try:
        return subprocess.run(command, timeout=BUDGET_S + _GRACE_S).returncode
    except subprocess.TimeoutExpired:
        print(f"{name}: stopped; the same command goes on with what is missing", flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
