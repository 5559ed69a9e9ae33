"""KV use by role, from the samples between the first and the last arrival; waits of prefilled requests."""

from pathlib import Path
from typing import Any

import pytest

from simcore.results import CellWriter, finish_cell
from simcore.simulator.settings import Outcome
from tests.results.rows import MS, S, row
from tests.simulator.given import Row, both, limited
from tests.simulator.test_handoff import PD, passing

ROLES = ("prefill", "decode", "decode")


def metrics(directory: Path, samples: list[tuple[int, int, int]], **how: Any) -> dict[str, Any]:
    """samples: (second, instance, used blocks of 100); two requests arrive, at 1 and 3 seconds."""
    with CellWriter(directory, classes=("default",)) as sink:
        sink.requests([row(0, arrival=S, left=2 * S), row(1, arrival=3 * S, left=4 * S)])
        sink.samples([(at * S, instance, 0, 0, used, 100, 0) for at, instance, used in samples])
    outcome = Outcome(arrived=2, finished=2, end_ps=4 * S, counters=how.pop("counters", {}))
    found: dict[str, Any] = finish_cell(directory, outcome=outcome, slo={}, meta={}, **how)["metrics"]
    return found


def test_kv_use_is_by_role_while_requests_arrive(tmp_path):
    samples = [(0, 0, 99), (1, 0, 5), (2, 0, 10), (1, 1, 60), (2, 1, 80), (1, 2, 40), (3, 2, 90), (4, 1, 100)]
    found = metrics(tmp_path, samples, roles=ROLES)
    assert (found["peak_kv_use_prefill"], found["mean_kv_use_prefill"]) == pytest.approx((0.1, 0.075))
    assert (found["peak_kv_use_decode"], found["mean_kv_use_decode"]) == pytest.approx((0.9, 0.675))
    assert "peak_kv_use_mixed" not in found


def test_without_samples_it_is_not_known_and_without_roles_not_told(tmp_path):
    assert metrics(tmp_path, [], roles=ROLES)["peak_kv_use_decode"] is None
    assert not [name for name in metrics(tmp_path, [(1, 0, 5)]) if "kv_use" in name]


def test_waits_for_room_are_a_mean_time_and_a_mean_of_blocks(tmp_path):
    waited = {"handoffs": 2, "handoff_wait_ps": 500 * MS, "handoff_wait_block_ps": 3000 * MS}
    found = metrics(tmp_path, [], counters=waited)
    assert (found["mean_handoff_wait_ms"], found["mean_handoff_waiting_blocks"]) == (250, 0.75)
    assert not [name for name in found if name.endswith("_ps")]


def test_a_prefilled_request_waits_for_a_full_decode_pool():
    """The decode instance runs one at a time: the second, of two blocks, is through at 20 and fetched at 50."""
    seen = both([Row(0, 16, 5), Row(10, 32, 2)], lambda notes: passing(), **PD, **limited(max_num_seqs=1))
    waits = seen.counters["handoff_wait_ps"], seen.counters["handoff_wait_block_ps"]
    assert waits == (30 * MS, 60 * MS)
