"""Constants and errors: what the hardware files claim of public measurements is what the measurements give."""

import pytest

from simcore.cost import load_hardware
from tests.cost import measured, measured_rtx

pytestmark = pytest.mark.skipif(
    not measured.profiles().is_dir(), reason="the public tables are not beside the repository (../shared/profiles)"
)


@pytest.mark.parametrize("gpu", [*measured.TABLES, "rtx-pro-6000"])
def test_shipped_constants_are_the_derived_ones(gpu: str):
    constants = measured.derived(gpu) if gpu in measured.TABLES else measured_rtx.derived()
    hardware = load_hardware(gpu)
    for name, value in constants.items():
        assert getattr(hardware, name) == pytest.approx(value, rel=0.005), name
        assert "carried over" not in hardware.sources[name]


def test_the_h200_error_in_its_file_is_the_error_measured():
    said = load_hardware("h200").error
    for operator, points, median, p90 in measured.errors("h200"):
        assert f"{operator}: median {median:.1%}, p90 {p90:.1%} of {points} points" in said
