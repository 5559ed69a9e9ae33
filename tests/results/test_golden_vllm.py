"""Our JSON from per-request arrays equals an independent implementation of vLLM's formulas, to 1e-9.

Dates are drawn in ticks of 1/1024 s: whole picoseconds, and exact as floats, so that ties and ends of seconds are the
same for both.
"""

import json
import math
import tempfile
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.results import STATES, CellResult, CellWriter, StudyFacts, assemble, finish_cell
from simcore.simulator.settings import Outcome
from tests.results.rows import NEVER
from tests.results.vllm_formulas import Served, vllm_metrics

TICK_PS = 10**12 // 1024
PROFILE = Path(__file__).parents[2].parent / "shared" / "profiles" / "llmservingsim" / "rtxpro6000_llama-3.1-8b" / "run"


@dataclass(frozen=True)
class Drawn:
    """A request in ticks: when it came, what it waited for its first token, and the gaps between the others."""

    arrival: int
    ttft: int
    gaps: tuple[int, ...]
    state: str = "finished"
    prompt_tokens: int = 7

    @property
    def dates(self) -> list[int]:
        return list(accumulate(self.gaps, initial=self.arrival + self.ttft))

    def served(self) -> Served:
        gaps = [gap / 1024 for gap in self.gaps]
        return Served(self.arrival / 1024, self.prompt_tokens, self.ttft / 1024, gaps, self.state == "finished")


def written(folder: Path, requests: list[Drawn], slo: dict[str, float]) -> dict[str, Any]:
    """Return the run as `vllm/*.json` of a result folder, from the rows a backend would write."""
    rows: list[tuple[int, ...]] = []
    steps: list[tuple[int, ...]] = []
    for number, request in enumerate(requests):
        done = request.state == "finished"
        first, last = (request.dates[0] * TICK_PS, request.dates[-1] * TICK_PS) if done else (NEVER, NEVER)
        arrival = request.arrival * TICK_PS
        dates = (arrival, arrival if done else NEVER, first, last)
        counts = (request.prompt_tokens, len(request.dates) if done else 0, 0, 0, -1, 0)
        state = [str(state) for state in STATES].index(request.state)
        rows.append((number, 0, 0, state, *dates, *counts))
        if done:
            steps += _steps(request)
    with CellWriter(folder / "cell", classes=("default",)) as sink:
        sink.requests(rows)
        sink.steps(steps)
    counts_by_state = {str(state): [row[3] for row in rows].count(code) for code, state in enumerate(STATES)}
    outcome = Outcome(arrived=len(rows), counters={}, **counts_by_state)  # type: ignore[arg-type]
    finish_cell(folder / "cell", outcome=outcome, slo=slo, meta={})
    cell = CellResult("golden", {}, 0, folder / "cell")
    assemble(folder / "out", [cell], study=StudyFacts("golden", ""), provenance={})
    (file,) = (folder / "out" / "vllm").iterdir()
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _steps(request: Drawn) -> list[tuple[int, ...]]:
    """Return the gaps of a request as iterations: equal ones in a row as one step of several."""
    steps: list[tuple[int, ...]] = []
    date = request.dates[0]
    for gap in request.gaps:
        if steps and steps[-1][2] == gap * TICK_PS:
            steps[-1] = (*steps[-1][:4], steps[-1][4] + 1, 1)
        else:
            steps.append((0, date * TICK_PS, gap * TICK_PS, 0, 1, 1))
        date += gap
    return steps


def assert_same(requests: list[Drawn], slo: dict[str, float]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours = written(Path(folder), requests, {f"{name}_ms": bound for name, bound in slo.items()})
    theirs = vllm_metrics([request.served() for request in requests], ours["duration"], slo)
    differ = {key: (ours.get(key), value) for key, value in theirs.items() if not _equal(ours, key, value)}
    assert differ == {}


def _equal(ours: dict[str, Any], key: str, theirs: float | None) -> bool:
    if theirs is None or key not in ours:
        # A median is a 50th percentile; ours has it under one name.
        return ours.get(key) is theirs or key.startswith("p50_")
    return math.isclose(ours[key], theirs, rel_tol=1e-9, abs_tol=1e-9)


FEW_TICKS = st.integers(1, 40)
GAPS = st.lists(st.one_of(FEW_TICKS, st.sampled_from([1, 1024, 1024, 2048])), max_size=12).map(tuple)
FINISHED = st.builds(Drawn, st.integers(0, 3000), st.one_of(FEW_TICKS, st.just(1024)), GAPS, prompt_tokens=FEW_TICKS)
FAILED = st.builds(Drawn, st.integers(0, 3000), st.just(0), st.just(()), st.sampled_from(["rejected", "cancelled"]))
TICK_MS = 1000 / 1024
BOUNDS = st.fixed_dictionaries(
    {}, optional={name: FEW_TICKS.map(lambda ticks: ticks * TICK_MS) for name in ("ttft", "tpot", "e2el")}
)


@settings(max_examples=60, deadline=None)
@given(FINISHED.map(lambda first: Drawn(0, first.ttft, first.gaps)), st.lists(FINISHED | FAILED, max_size=30), BOUNDS)
def test_every_metric_of_a_drawn_run_equals_vllms(first, others, slo):
    # The clock of vLLM starts with the first request it sent successfully, ours with the first that came.
    assert_same([first, *others], slo)


def test_a_run_of_single_tokens_has_no_gaps_and_meets_every_bound_on_them():
    assert_same([Drawn(tick, 5, ()) for tick in range(4)], {"tpot": 0.0})


def test_bounds_hold_at_equality():
    request = Drawn(0, 512, (256, 256))
    assert_same([request], {"ttft": 500.0, "tpot": 250.0, "e2el": 1000.0})
    with tempfile.TemporaryDirectory() as folder:
        limits = {"ttft_ms": 500.0, "tpot_ms": 250.0, "e2el_ms": 1000.0}
        assert written(Path(folder), [request], limits)["request_goodput"] == 1.0


def test_who_comes_when_another_leaves_is_not_with_it():
    pair = [Drawn(0, 8, ()), Drawn(8, 8, ())]
    assert_same(pair, {})
    with tempfile.TemporaryDirectory() as folder:
        assert written(Path(folder), pair, {})["max_concurrent_requests"] == 1


def test_vllms_clock_starts_at_the_first_success_and_ours_at_the_first_arrival(tmp_path):
    # A rejected request at 0, then two tokens at 0.75 s and 1.25 s: ours fall into two seconds, vLLM's into one.
    requests = [Drawn(0, 0, (), "rejected"), Drawn(512, 256, (512,))]
    ours = written(tmp_path, requests, {})
    theirs = vllm_metrics([request.served() for request in requests], ours["duration"], {})
    assert (ours["max_output_tokens_per_s"], theirs["max_output_tokens_per_s"]) == (1.0, 2.0)
    assert ours["duration"] == 1.25


@pytest.mark.skipif(not PROFILE.is_dir(), reason="the shared profiles are not beside the checkout")
def test_the_published_percentiles_of_a_real_vllm_run_come_out_of_its_rows(tmp_path):
    rows = [json.loads(line) for line in (PROFILE / "requests.jsonl").read_text().splitlines()]
    begin_s = min(row["queued_ts"] for row in rows)
    keys = ("queued_ts", "scheduled_ts", "first_token_ts", "last_token_ts")
    requests = []
    for index, row in enumerate(rows):
        dates = [round((row[key] - begin_s) * 10**12) for key in keys]
        requests.append((index, 0, 0, 0, *dates, row["input_toks"], row["output_toks"], 0, 0, -1, 0))
    with CellWriter(tmp_path, classes=("default",)) as sink:
        sink.requests(requests)
    outcome = Outcome(arrived=300, finished=300, counters={}, rejected=0, cancelled=0, unfinished=0, failed=0)
    metrics = finish_cell(tmp_path, outcome=outcome, slo={}, meta={})["metrics"]
    published = _published((PROFILE / "summary.txt").read_text())
    assert len(published) == 15
    found = np.array([metrics[key] for key in published])
    assert found == pytest.approx(np.array(list(published.values())), abs=0.051)


def _published(text: str) -> dict[str, float]:
    """Return the column of vLLM of a table of `TTFT Mean  7097.2 …`."""
    names = {"TTFT": "ttft", "TPOT": "tpot", "Latency": "e2el"}
    lines = [line.split() for line in text.splitlines() if line.split(" ")[0] in names]
    return {f"{statistic.lower()}_{names[name]}_ms": float(value) for name, statistic, value, *_ in lines}
