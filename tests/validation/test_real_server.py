"""A real vLLM 0.19 server, 300 requests on an RTX PRO 6000: the bars, and the page that says how they were met."""

from pathlib import Path

import pytest

from simcore.cost.layers.cost import Terms
from simcore.validation.findings import Findings
from simcore.validation.latencies import errors, measured
from simcore.validation.replay import replay
from simcore.validation.server_run import read_run
from simcore.validation.setting import prepare
from simcore.validation.study import study

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT.parent / "shared" / "profiles" / "llmservingsim" / "rtxpro6000_llama-3.1-8b"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no shared/profiles beside the checkout")


@pytest.fixture(scope="module")
def setting():
    return prepare(read_run(FOLDER / "run"), FOLDER / "profile")


def found(setting, terms: Terms) -> dict[str, float]:
    done = replay(setting.run, setting.cost(terms), setting.kv_blocks)
    assert done.missed_hits == 0
    return errors(done.latencies, measured(setting.run))


@pytest.mark.parametrize("overhead_ms", [4, 5, 6])
def test_with_one_declared_constant_every_bar_is_met(setting, overhead_ms):
    """Measured at 5 ms: means within 0.1%, P99 within 1%; a millisecond more or less keeps within the bars too."""
    error = found(setting, Terms(prefill_step_overhead_s=overhead_ms / 1e3))
    for metric, bar in (("TTFT", 0.03), ("TPOT", 0.01), ("E2EL", 0.015)):
        assert abs(error[f"{metric} mean"]) <= bar
        assert abs(error[f"{metric} p99"]) <= 0.05


def test_with_nothing_fitted_the_server_is_predicted_too_fast_by_what_the_page_says(setting):
    """The bars of -4.0%, -1.0% and -1.8% are missed; docs/validation.md says why. It must not get worse unnoticed."""
    error = found(setting, Terms())
    assert error["TTFT mean"] == pytest.approx(-0.057, abs=0.003)
    assert error["TPOT mean"] == pytest.approx(-0.019, abs=0.002)
    assert error["E2EL mean"] == pytest.approx(-0.029, abs=0.002)
    assert all(abs(error[f"{metric} p99"]) <= 0.05 for metric in ("TTFT", "TPOT", "E2EL"))


def test_requests_run_and_wait_as_they_did(setting):
    done = replay(setting.run, setting.cost(Terms(prefill_step_overhead_s=0.005)), setting.kv_blocks)
    there, here = setting.run.series, done.series
    both = min(len(there.at_s), len(here.at_s) - 1)
    for what in ("running", "waiting"):
        apart = abs(getattr(here, what)[1 : both + 1] - getattr(there, what)[:both])
        assert apart.mean() <= 1.5


def test_the_page_says_what_the_command_prints():
    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    printed = study(FOLDER / "run", FOLDER / "profile", overhead_s=0.005)
    assert isinstance(printed, Findings)
    tables = [part for part in printed.as_markdown().split("\n\n") if part.startswith("|")]
    assert len(tables) == 4
    assert [table for table in tables if table not in page] == []
