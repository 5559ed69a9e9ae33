"""A plan: which cells a study has, and what their hashes depend on."""

from pathlib import Path
from typing import Any

from simcore.study.api import Study
from simcore.study.load import parse
from tests.study.tiny import POLICIES, TINY, write_study

SWEPT = TINY + "sweep: {workload.rate: [10, 20], cluster.instances: [1, 2]}\nseeds: 2\n"


def cells(text: str = TINY, folder: Path = Path(), **how: Any):
    return Study(parse(text, "tiny.yaml", folder)).plan(**how)


def hashes(text: str = TINY, folder: Path = Path(), **how: Any) -> list[str]:
    return [cell.hash for cell in cells(text, folder, **how)]


def test_cells_go_by_system_then_point_then_seed_the_last_key_fastest():
    planned = [(cell.system, *cell.point.values(), cell.seed) for cell in cells(SWEPT)]
    assert planned[:4] == [
        ("round_robin", 10, 1, 0), ("round_robin", 10, 1, 1), ("round_robin", 10, 2, 0), ("round_robin", 10, 2, 1)
    ]  # fmt: skip
    assert len(planned) == 2 * 4 * 2
    assert planned[8][0] == "two"


def test_names_of_study_systems_and_points_decide_nothing():
    renamed = TINY.replace("study: tiny", "study: other").replace("round_robin: {", "rr: {")
    assert hashes(renamed) == hashes()
    swept = cells(TINY + "sweep: {workload.rate: [20]}")
    assert [cell.hash for cell in swept] == hashes()


def test_whatever_decides_the_result_is_in_the_hash():
    for old, new in [
        ("h100", "h200"),
        ("instances: 2", "instances: 3"),
        ("instances: 2", "instances: 2, block_tokens: 32"),
        ("rate: 20", "rate: 21"),
        ("tokens: 100", "tokens: 101"),
        ("ttft_ms: 500", "ttft_ms: 501"),
        ("choices: 2", "choices: 3"),
        ("question: does it run?", "warm_up: {requests: 1}"),
        ("question: does it run?", "sample_s: 2"),
        ("question: does it run?", "seeds: [1]"),
        ("question: does it run?", "oracle: [output_tokens]"),
        ("instances: 2", "roles: [mixed, decode]"),
        ("instances: 2", "instances: 2, report: {period: 1}"),
        ("instances: 2", "instances: 2, topology: {pcie_gbs: 1}"),
        ("instances: 2", "instances: 2, host_memory_gib: 1"),
        ("instances: 2", "instances: 2, boot_s: 1"),
        ("requests: 30", "requests: 30\n  timeout_s: 1"),
        ("tpot_ms: 50", "tpot_ms: 50, classes: {default: {ttft_ms: 1}}"),
        ("question: does it run?", "mechanism: {prefix_cache: cold}"),
        ("question: does it run?", "mechanism: {max_waiting: 3}"),
        ("choices: 2}", "choices: 2}, mechanism: {schedule_ahead: 1}"),
        ("question: does it run?", "faults: [{instance: 1, at_s: 1}]"),
    ]:
        assert hashes(TINY.replace(old, new))[1] != hashes()[1], f"{old} -> {new}"
    assert hashes(per_iteration=True) != hashes()
    assert hashes(decisions=True) != hashes()


def test_equal_systems_share_their_cells():
    first, second = hashes(TINY.replace("{policy: power_of_two, choices: 2}", "round_robin"))
    assert first == second


def test_a_policy_file_counts_by_its_bytes_not_by_its_place(tmp_path):
    text = TINY.replace("router: round_robin", "router: 'odd.py:Slow'")
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_study(tmp_path / folder)
    here, there = (hashes(text, tmp_path / folder) for folder in ("one", "two"))
    assert here == there
    (tmp_path / "two" / "odd.py").write_text(POLICIES + "\n# changed\n")
    assert hashes(text, tmp_path / "two")[0] != here[0]


def test_a_trace_file_counts_by_its_bytes_not_by_its_place(tmp_path):
    text = TINY[: TINY.index("  arrivals")] + "  trace: trace.csv\n" + TINY[TINY.index("slo") :]
    rows = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.0000000,374,44\n2023-11-16 18:15:47,1,4\n"
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "trace.csv").write_text(rows)
    assert hashes(text, tmp_path / "one") == hashes(text, tmp_path / "two")
    (tmp_path / "two" / "trace.csv").write_text(rows.replace("374", "375"))
    assert hashes(text, tmp_path / "one") != hashes(text, tmp_path / "two")
