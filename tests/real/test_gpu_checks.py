"""GPU checks: what was found is kept whatever happens to the run; the ways through the slices work without a GPU."""

import json

import pytest

from tests.real.torch_here import torch

from realbackend.gpu_checks.__main__ import main  # isort: skip
from realbackend.gpu_checks.decode_step import roofline_ms  # isort: skip
from realbackend.gpu_checks.findings import Findings, Skipped  # isort: skip
from realbackend.model.shape import ModelShape  # isort: skip
from simcore.cost.sm_curve import read_curve  # isort: skip
from simcore.cost.sm_shares import read_shares  # isort: skip

H200 = {"gpu": "NVIDIA H200"}


@pytest.fixture
def begin(tmp_path):
    def begin(environment=H200, budget_s=60.0, again=False):
        return Findings(tmp_path / "slice.json", environment, budget_s=budget_s, again=again)

    return begin


class Parts:
    """Parts to find, which count how often they were looked for."""

    def __init__(self):
        self.looked = []

    def find(self, name, what=None, error=None):
        def find():
            self.looked.append(name)
            if error is not None:
                raise error
            return what

        return name, find


def test_what_was_found_is_not_looked_for_again_but_what_failed_or_was_skipped_is(begin):
    parts = Parts()
    for _ in range(2):
        with begin() as findings:
            assert findings.part(*parts.find("bandwidth", {"gb_s": 4300})) == {"gb_s": 4300}
            assert findings.part(*parts.find("memory", error=MemoryError("40 GB"))) is None
            assert findings.part(*parts.find("peer", error=Skipped("one GPU"))) is None
        assert findings.failed == ["memory"]
        assert findings.summary == "1 found, 1 skipped, 1 failed"
    assert parts.looked == ["bandwidth", "memory", "peer", "memory", "peer"]
    stored = json.loads(findings.path.read_text())
    assert stored["complete"]
    assert stored["parts"]["memory"]["failed"] == "MemoryError: 40 GB"
    assert stored["parts"]["peer"]["skipped"] == "one GPU"


def test_a_run_that_is_killed_has_kept_the_parts_before(begin):
    parts = Parts()
    findings = begin()
    findings.part(*parts.find("first", 1))
    with pytest.raises(KeyboardInterrupt), findings:
        findings.part(*parts.find("second", error=KeyboardInterrupt()))
    with begin() as findings:
        assert findings.part(*parts.find("first", 0)) == 1
        assert findings.part(*parts.find("second", 2)) == 2
    assert parts.looked == ["first", "second", "second"]


def test_no_part_is_begun_when_time_is_up_and_the_next_run_goes_on(begin):
    parts = Parts()
    with begin() as findings:
        findings.part(*parts.find("first", 1))
    with begin(budget_s=-1.0) as findings:
        findings.part(*parts.find("first", 0))
        findings.part(*parts.find("second", 2))
    assert parts.looked == ["first"]
    assert not findings.complete
    assert findings.summary == "1 found, time is up: run it again for the rest"


def test_findings_of_another_machine_or_that_are_not_wanted_are_forgotten(begin):
    parts = Parts()
    for how in ({}, {"environment": {"gpu": "NVIDIA H100"}}, {"again": True, "environment": {"gpu": "NVIDIA H100"}}):
        with begin(**how) as findings:
            findings.part(*parts.find("first", 1))
    assert parts.looked == ["first"] * 3


@pytest.mark.parametrize("name", ["engine", "greenctx", "lanes", "agents", "migration"])
def test_a_dry_run_goes_through_a_slice_on_a_cpu(tmp_path, name):
    assert main(["--slice", name, "--dry-run", "--out", str(tmp_path)]) == 0
    stored = json.loads((tmp_path / f"{name}.json").read_text())
    assert stored["complete"]
    assert stored["environment"]["dry_run"]
    if name == "engine":
        assert stored["parts"]["batch 3"]["found"]["read_late_ms"] > 0
    elif name == "lanes":
        assert stored["parts"]["tables"]["found"] == {"sm_curve": 8, "sm_contention": 6}
        assert read_curve(tmp_path / "sm_curve.csv").prefill[100] == 1
        assert len(read_shares(tmp_path / "sm_contention.csv")) == 6
    elif name == "agents":
        assert stored["parts"]["history of 64"]["found"]["reloaded_ms"] > 0
        assert all(stored["parts"]["history of 64"]["found"][f"{way}_same_token"] for way in ("pinned", "reloaded"))
    elif name == "migration":
        assert stored["parts"]["context of 64"]["found"]["same_tokens"]
        assert stored["parts"]["context of 64"]["found"]["stages"] >= 2
        assert stored["parts"]["simulated"]["found"]["predicted_downtime_ms"]["256"] > 0
    else:
        assert "no multiprocessors" in stored["parts"]["what it needs"]["skipped"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_checks_say_so(capsys):
    assert main([]) == 2
    assert "torch sees no GPU here" in capsys.readouterr().err


def test_the_roofline_reads_weights_and_kv_once_or_multiplies_at_the_peak():
    eight_b = ModelShape("llama", 32, 4096, 32, 8, 128, 14336, 128256, 131072)
    weights_ms = 7.505e9 * 2 / 4.8e12 * 1e3
    kv_ms = 64 * 1024 * 131072 / 4.8e12 * 1e3
    assert roofline_ms(eight_b, 64, 1024, 4.8e12, 989e12) == pytest.approx(weights_ms + kv_ms, rel=1e-3)
    assert roofline_ms(eight_b, 1024, 0, 4.8e12, 989e12) == pytest.approx(7.505e9 * 2 * 1024 / 989e12 * 1e3, rel=1e-3)
