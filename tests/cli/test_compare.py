"""`simcore compare` as a user runs it: what it prints, and with which exit status."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from simcore.commands.compare import compare
from tests.results.vllm_files import vllm_file, vllm_result
from tests.results.vllm_formulas import Served

FIVE = [Served(index / 10, 50, 0.1, [0.02, 0.03]) for index in range(5)]
SLOWER = [Served(each.start_s, 50, 0.11, each.itl_s) for each in FIVE]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    a = vllm_file(tmp_path / "a.json", vllm_result(FIVE))
    b = vllm_file(tmp_path / "b.json", vllm_result(SLOWER))
    return str(a), str(b)


def run(*arguments: str):
    app = typer.Typer()
    app.command()(compare)
    return CliRunner().invoke(app, list(arguments))


def test_two_files_are_laid_side_by_side(files):
    done = run(*files)
    assert done.exit_code == 0, done.output
    assert "mean_ttft_ms" in done.stdout
    assert "+10.0" in done.stdout
    # Three statistics of nine are 10% off.
    assert "mean error of 9 latencies: 3.3%" in done.stdout


def test_an_error_above_the_limit_means_status_1(files):
    assert run(*files, "--max-error", "4%").exit_code == 0
    done = run(*files, "--max-error", "3%")
    assert done.exit_code == 1
    assert done.stderr == "simcore: the mean error of the latencies is 3.3%, above 3%\n"
    assert "mean_ttft_ms" in done.stdout


def test_json_has_the_same_numbers(files):
    found = json.loads(run(*files, "--json").stdout)
    (pair,) = found["pairs"]
    ttft = next(each for each in pair["metrics"] if each["metric"] == "mean_ttft_ms")
    assert ttft["relative"] == pytest.approx(0.1)
    assert found["mean_error"] == pytest.approx(0.1 / 3)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--max-error", "five"], "simcore: --max-error must be a share >= 0 such as 5% or 0.05, got 'five'\n"),
        (["--at", "rate"], "simcore: --at must be key=value, got 'rate'\n"),
        (["--at", "rate=8"], "simcore: --at: 'rate' was not varied; nothing was\n"),
        (["--system", "a", "--system", "b", "--system", "c"],
         "simcore: --system may be given once, or twice: A's, then B's; got 3\n"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_one_line_with_status_2(files, more, said):
    done = run(*files, *more)
    assert (done.exit_code, done.stderr, done.stdout) == (2, said, "")


def test_a_missing_file_is_said_with_status_2(files, tmp_path):
    done = run(files[0], str(tmp_path / "none.json"))
    assert (done.exit_code, done.stderr) == (2, f"simcore: {tmp_path}/none.json: no such file or folder\n")
