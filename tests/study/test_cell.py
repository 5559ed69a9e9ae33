"""A cell: what of the study reaches the simulator, and the results."""

from typing import Any

import pytest

import simcore.simulator
from simcore.simulator.settings import Fault, Mechanisms, Settings
from simcore.study.cell import run_cell
from simcore.study.faults import schedule
from tests.study.tiny import TINY, cells

TEXT = (
    TINY.replace(
        "instances: 2",
        "roles: [mixed, mixed], report: {period: 0.5}, host_memory_gib: 1, boot_s: 3, topology: {pcie_gbs: 10}",
    )
    + """\
mechanism: {prefix_cache: cold, preemption: swap}
faults: [{straggler: 1, slowdown: 2, at_s: 0.5, for_s: 1}, {every: instance, mtbf_s: 1, mttr_s: 0.1}]
"""
)


class Stop(Exception):
    """What is to be seen has been seen."""


def test_the_simulator_is_told_all_the_study_says(tmp_path, monkeypatch):
    told: list[Settings] = []

    def simulate(settings: Settings, *_: Any) -> None:
        told.append(settings)
        raise Stop

    monkeypatch.setattr(simcore.simulator, "simulate", simulate)
    cell = cells(TEXT)[0]
    with pytest.raises(Stop):
        run_cell(cell, tmp_path)
    (settings,) = told
    assert settings.mechanisms == Mechanisms(prefix_cache="cold", preemption="swap", host_blocks=512)
    assert (settings.instances, settings.roles) == (2, ("mixed", "mixed"))
    assert (settings.report_s, settings.boot_s) == (0.5, 3.0)
    assert settings.block_bytes == 2 * 1024 * 1024
    assert settings.topology is not None
    assert settings.topology.pcie_bytes_per_s == 10 * 10**9
    assert settings.faults[0] == Fault("straggler", 1, 0.5, 1.0, 2.0)
    # 30 requests at 20 a second take 1.5 s in the mean, so outages are drawn for 3 s.
    assert settings.faults == schedule(cell.spec, cell.seed, 1.5)
    assert len(settings.faults) > 1
