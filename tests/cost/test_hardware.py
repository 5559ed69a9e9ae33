"""Hardware files: every number in bounds and with its source, and what a wrong one is told."""

from importlib.resources import files
from pathlib import Path

import pytest

from simcore.cost import hardware_names, load_hardware

H100 = (files("simcore") / "data" / "hardware" / "h100.yaml").read_text()


def write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_the_shipped_gpus_load_and_every_number_has_a_source():
    assert set(hardware_names()) == {"a10", "a100-40gb", "a100-80gb", "b200", "h100", "h200", "l40s", "rtx-pro-6000"}
    for name in hardware_names():
        gpu = load_hardware(name)
        assert all(gpu.sources.values()), name
        assert gpu.memory_bytes_per_s > gpu.pcie_bytes_per_s, name


def test_peaks_are_the_datasheets():
    h200, a10 = load_hardware("h200"), load_hardware("a10")
    assert (h200.memory_bytes_per_s, h200.link_bytes_per_s, h200.sms) == (4.8e12, 450e9, 132)
    assert h200.bf16_flops == pytest.approx(1979e12 / 2, rel=1e-3)
    assert (a10.memory_bytes_per_s, a10.bf16_flops, a10.fp8_flops) == (600e9, 125e12, 0)


def test_copies_reach_their_share_of_each_link():
    h100 = load_hardware("h100")
    assert h100.nvlink_copy_bytes_per_s == pytest.approx(376e9, rel=1e-3)
    assert h100.pcie_copy_bytes_per_s == pytest.approx(52.8e9, rel=1e-3)
    assert h100.network_copy_bytes_per_s == pytest.approx(47e9, rel=1e-3)


@pytest.mark.parametrize("name", hardware_names())
def test_copies_over_nvlink_are_faster_than_over_pcie_and_only_where_there_is_one(name: str):
    gpu = load_hardware(name)
    if gpu.link_bytes_per_s > gpu.pcie_bytes_per_s:
        assert gpu.nvlink_copy_bytes_per_s > gpu.pcie_copy_bytes_per_s
    else:
        assert gpu.nvlink_copy_bytes_per_s == 0
    assert 0 < gpu.network_copy_bytes_per_s < gpu.pcie_bytes_per_s
    assert 0 < gpu.pcie_latency_s < gpu.copy_launch_s


def test_fp8_on_a_gpu_without_fp8_units_multiplies_at_the_bf16_rate():
    a100, h100 = load_hardware("a100-80gb"), load_hardware("h100")
    assert a100.matmul_flops("fp8") == a100.matmul_flops("bf16")
    assert h100.matmul_flops("fp8") > h100.matmul_flops("bf16")


def test_a_file_of_ones_own_is_read_by_path(tmp_path: Path):
    mine = load_hardware(write(tmp_path, H100.replace("3.35e12", "2e12")))
    assert mine.memory_bytes_per_s == 2e12
    assert mine.bf16_flops == load_hardware("h100").bf16_flops


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("sms:", "smms:", r"unknown key 'smms' \(did you mean sms\?\)\n.*sms is missing"),
        ("3.35e12", "3350", "memory_bytes_per_s must be bytes per second, 1e9 to 1e15, got 3350"),
        ("3.35e12", "-1", "memory_bytes_per_s must be .* got -1"),
        ("450e9", "fast", "link_bytes_per_s must be a number, got 'fast'"),
        ("value: 50e9", "value: 50", "network_bytes_per_s must be bytes per second, 1e9 to 1e15, got 50"),
        ("copy_launch_s:", "launch_s:", "unknown key 'launch_s'.*\n.*copy_launch_s is missing"),
        ("value: 132", "value: 0", "sms must be a count of SMs, 1 to 10000, got 0"),
        ("matmul_share: {value: 0.", "matmul_share: {value: 8.", "matmul_share must be a share of the peak"),
        ("sms: {value: 132,", "sms: {", "sms must be {value: ..., source: ...}"),
        ("name:", "- name:", "mine.yaml:3:1: must be YAML"),
    ],
)
def test_a_wrong_hardware_file_is_refused_with_name_rule_and_value(tmp_path: Path, old: str, new: str, said: str):
    with pytest.raises(ValueError, match=said):
        load_hardware(write(tmp_path, H100.replace(old, new, 1)))


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path):
    with pytest.raises(ValueError, match=r"mine\.yaml: memory_bytes_per_s .*\n.*mine\.yaml: link_bytes_per_s "):
        load_hardware(write(tmp_path, H100.replace("3.35e12", "0").replace("450e9", "0")))


def test_an_unknown_gpu_lists_the_known_and_the_nearest():
    with pytest.raises(ValueError, match=r"unknown hardware 'H20O' \(did you mean h200\?\); have a10, a100-40gb"):
        load_hardware("H20O")
