"""Metrics against vLLM's formulas, written out plainly here from per-request arrays, and against `requests.parquet`."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from simcore.results import CellWriter, assemble, finish_cell
from simcore.results.assemble import StudyFacts
from tests.results.toy import SLO, Toy, toy_cell, toy_run, write_toy

PS = 1e12


def vllm_metrics(toy: Toy, slo: dict[str, float], since_ps: int = 0) -> dict[str, float]:
    """vLLM's `calculate_metrics`, from token dates: plain lists, every token expanded."""
    rows = [row for row in toy.requests if row[4] >= since_ps]
    done = [row for row in rows if row[3] == 0]
    start = {row[0]: row[4] / PS for row in done}
    dates = {request: [date / PS for date in toy.tokens[request]] for request in start}
    ttfts = [dates[r][0] - start[r] for r in start]
    e2els = [dates[r][-1] - start[r] for r in start]
    all_tpots = [
        (e2el - ttft) / (len(dates[r]) - 1) if len(dates[r]) > 1 else 0.0
        for r, ttft, e2el in zip(start, ttfts, e2els, strict=True)
    ]
    tpots = [tpot for r, tpot in zip(start, all_tpots, strict=True) if len(dates[r]) > 1]
    itls = [gap / PS for r in start for gap in np.diff(toy.tokens[r])]
    duration = max(row[7] for row in done) / PS - min(row[4] for row in rows) / PS
    good = sum(
        ttft <= slo["ttft_ms"] / 1000 and tpot <= slo["tpot_ms"] / 1000
        for ttft, tpot in zip(ttfts, all_tpots, strict=True)
    )
    first = min(row[4] for row in rows) / PS
    seconds = np.zeros(int(duration) + 2)
    for r in start:
        for date in dates[r]:
            seconds[int(date - first)] += 1
    events = sorted([(row[4], 1) for row in done] + [(row[7], -1) for row in done])
    result = {
        "duration": duration,
        "completed": len(done),
        "total_input_tokens": sum(row[8] for row in done),
        "total_output_tokens": sum(len(dates[r]) for r in start),
        "request_throughput": len(done) / duration,
        "request_goodput": good / duration,
        "slo_attainment": good / len(rows),
        "output_throughput": sum(len(dates[r]) for r in start) / duration,
        "max_output_tokens_per_s": seconds.max(),
        "max_concurrent_requests": int(np.cumsum([step for _, step in events]).max()),
    }
    for name, values in (("ttft", ttfts), ("tpot", tpots), ("itl", itls), ("e2el", e2els)):
        result[f"mean_{name}_ms"] = np.mean(values) * 1000
        result[f"median_{name}_ms"] = np.median(values) * 1000
        result[f"std_{name}_ms"] = np.std(values) * 1000
        for percentile in (90, 95, 99):
            result[f"p{percentile}_{name}_ms"] = np.percentile(values, percentile) * 1000
    return result


@pytest.mark.parametrize("rate", [5.0, 20.0, 40.0])
def test_metrics_equal_the_formulas_of_vllm_on_expanded_tokens(tmp_path: Path, rate: float) -> None:
    toy = toy_run(rate=rate, requests=400, seed=1)
    assert toy.gaps, "the run has preemptions"
    write_toy(tmp_path, toy)
    metrics = finish_cell(tmp_path, outcome=toy.outcome(), slo=SLO, meta={})["metrics"]
    expected = vllm_metrics(toy, SLO)
    # Gaps across a preemption carry no date, so the peak second may miss as many tokens as there are.
    peak = expected.pop("max_output_tokens_per_s")
    assert peak - len(toy.gaps) <= metrics["max_output_tokens_per_s"] <= peak
    assert {key: metrics[key] for key in expected} == pytest.approx(expected, rel=1e-9)


def test_the_peak_second_is_exact_without_preemptions(tmp_path: Path) -> None:
    toy = toy_run(rate=3.0, requests=7)
    assert not toy.gaps
    write_toy(tmp_path, toy)
    metrics = finish_cell(tmp_path, outcome=toy.outcome(), slo=SLO, meta={})["metrics"]
    assert metrics["max_output_tokens_per_s"] == vllm_metrics(toy, SLO)["max_output_tokens_per_s"]


def test_summary_equals_an_independent_recomputation_from_the_requests_file(tmp_path: Path) -> None:
    cells = [
        toy_cell(tmp_path / str(seed), toy_run(rate=20.0, requests=300, seed=seed), seed=seed) for seed in range(2)
    ]
    out = tmp_path / "out"
    assemble(out, cells, study=StudyFacts("toy", "?", slo=SLO, seeds=(0, 1)), provenance={})
    frame = pq.read_table(out / "requests.parquet").to_pandas()
    for run in json.loads((out / "summary.json").read_text())["runs"]:
        ours = frame[frame.seed == run["seed"]]
        done = ours[ours.state == "finished"]
        duration = (done.finished_ps.max() - ours.arrival_ps.min()) / PS
        ttft = (done.first_token_ps - done.arrival_ps) / PS
        e2el = (done.finished_ps - done.arrival_ps) / PS
        tpot = ((e2el - ttft) / (done.output_tokens - 1))[done.output_tokens > 1]
        good = (ttft <= 0.2) & (tpot.reindex(ttft.index).fillna(0) <= 0.025)
        expected = {
            "completed": len(done),
            "rejected": (ours.state == "rejected").sum(),
            "request_throughput": len(done) / duration,
            "request_goodput": good.sum() / duration,
            "slo_attainment": good.sum() / len(ours),
            "token_goodput": done.output_tokens[good].sum() / duration,
            "total_token_throughput": (done.output_tokens + done.prompt_tokens).sum() / duration,
            "preemptions": done.preemptions.sum(),
            "mean_ttft_ms": ttft.mean() * 1000,
            "p99_tpot_ms": np.percentile(tpot, 99) * 1000,
            "std_e2el_ms": e2el.std(ddof=0) * 1000,
            "mean_queue_ms": (done.scheduled_ps - done.arrival_ps).mean() / 1e9,
        }
        assert {key: run["metrics"][key] for key in expected} == pytest.approx(expected, rel=1e-9)


# request, class, instance, state, arrival, scheduled, first token, finished, prompt, output, preemptions,
# cached tokens, program, turn
MS = 10**9
ONE_TOKEN = (0, 0, 0, 0, 0, 0, 100 * MS, 100 * MS, 10, 1, 0, 0, -1, 0)
TWO_TOKENS = (1, 0, 0, 0, 0, 0, 100 * MS, 150 * MS, 10, 2, 0, 0, -1, 0)
SLOW = (2, 0, 0, 0, 0, 0, 101 * MS, 151 * MS, 10, 2, 0, 0, -1, 0)
REJECTED = (3, 0, -1, 1, 0, -1, -1, -1, 10, 0, 0, 0, -1, 0)
CANCELLED = (4, 0, 0, 2, 0, 0, 100 * MS, 120 * MS, 10, 2, 0, 0, -1, 0)
UNFINISHED = (5, 0, 0, 3, 0, 0, 100 * MS, -1, 10, 2, 0, 0, -1, 0)


def finished(directory: Path, rows: list[tuple[int, ...]], slo: dict[str, float], **kwargs: float) -> dict[str, float]:
    toy = Toy(requests=rows)
    write_toy(directory, toy)
    cell = finish_cell(directory, outcome=toy.outcome(), slo=slo, meta={}, **kwargs)  # type: ignore[arg-type]
    metrics: dict[str, float] = cell["metrics"]
    return metrics


def test_a_bound_met_exactly_is_met(tmp_path: Path) -> None:
    metrics = finished(tmp_path, [TWO_TOKENS, SLOW], {"ttft_ms": 100, "tpot_ms": 50})
    assert metrics["slo_attainment"] == 0.5


def test_a_response_of_one_token_has_no_tpot_and_meets_any_bound_on_it(tmp_path: Path) -> None:
    metrics = finished(tmp_path, [ONE_TOKEN, TWO_TOKENS], {"tpot_ms": 49})
    assert metrics["slo_attainment"] == 0.5
    assert metrics["mean_tpot_ms"] == 50.0


def test_rejected_cancelled_and_unfinished_requests_miss_the_slo(tmp_path: Path) -> None:
    metrics = finished(tmp_path, [TWO_TOKENS, REJECTED, CANCELLED, UNFINISHED], {"ttft_ms": 100})
    assert metrics["slo_attainment"] == 0.25
    assert (metrics["failed"], metrics["unfinished"], metrics["arrived"]) == (2, 1, 4)
    assert metrics["mean_ttft_ms"] == 100.0


def test_without_an_slo_there_is_no_goodput(tmp_path: Path) -> None:
    metrics = finished(tmp_path, [TWO_TOKENS], {})
    assert metrics["request_goodput"] is metrics["slo_attainment"] is None


def test_a_run_in_which_nothing_finished_has_no_latencies(tmp_path: Path) -> None:
    metrics = finished(tmp_path, [REJECTED], {"ttft_ms": 100})
    assert metrics["mean_ttft_ms"] is metrics["p99_itl_ms"] is metrics["request_throughput"] is None
    assert metrics["slo_attainment"] == 0.0


def test_an_empty_run_is_finished_too(tmp_path: Path) -> None:
    metrics = finished(tmp_path, [], {"ttft_ms": 100})
    assert metrics["arrived"] == 0
    assert metrics["slo_attainment"] is None


def test_an_unknown_slo_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did you mean 'tpot_ms'"):
        finished(tmp_path, [TWO_TOKENS], {"tpott_ms": 100})
    with pytest.raises(ValueError, match=r"slo.ttft_ms must be >= 0, got -1"):
        finished(tmp_path, [TWO_TOKENS], {"ttft_ms": -1})


def test_warm_up_leaves_early_requests_and_their_gaps_out(tmp_path: Path) -> None:
    toy = toy_run(rate=20.0, requests=300)
    cut = sorted(row[4] for row in toy.requests)[100]
    # Only gaps after the cut count, whoever's they are; the toy's run is busy across it.
    write_toy(tmp_path, toy)
    cell = finish_cell(tmp_path, outcome=toy.outcome(), slo=SLO, warm_up_requests=100, meta={})
    expected = vllm_metrics(toy, SLO, since_ps=cut)
    for name in ("duration", "completed", "slo_attainment", "mean_ttft_ms", "p99_tpot_ms", "p95_e2el_ms"):
        assert cell["metrics"][name] == pytest.approx(expected[name], rel=1e-9)
    gaps = [
        gap
        for begin, first, increment, iterations, decodes in (row[1:] for row in toy.steps)
        for j in range(iterations)
        for gap in [first + j * increment] * decodes
        if begin + j * first + increment * j * (j - 1) // 2 >= cut
    ]
    assert cell["metrics"]["mean_itl_ms"] == pytest.approx(np.mean(gaps + toy.gaps) / 1e9, rel=1e-12)


def test_requests_of_the_warm_up_are_in_the_system_when_the_state_is_judged(tmp_path: Path) -> None:
    # One request a second, each stays 100 s: full after 100 s, and the window of the last 200 s sees a full system.
    rows = [
        (i, 0, 0, 0, *[i * 1000 * MS] * 2, (i + 1) * 1000 * MS, (i + 100) * 1000 * MS, 1, 2, 0, 0, -1, 0)
        for i in range(300)
    ]
    toy = Toy(requests=rows)
    write_toy(tmp_path, toy)
    assert finish_cell(tmp_path, outcome=toy.outcome(), slo={}, warm_up_s=100.0, meta={})["state"] == "STABLE"


def test_warm_up_in_seconds_drops_what_arrived_before(tmp_path: Path) -> None:
    early = TWO_TOKENS
    late = (2, 0, 0, 0, 1000 * MS, 1000 * MS, 1100 * MS, 1200 * MS, 10, 2, 0, 0, -1, 0)
    metrics = finished(tmp_path, [early, late], {}, warm_up_s=1.0)
    assert metrics["arrived"] == 1
    assert metrics["duration"] == 0.2


def test_counters_of_the_run_stand_among_the_metrics(tmp_path: Path) -> None:
    with CellWriter(tmp_path, classes=("default",)) as sink:
        sink.requests([TWO_TOKENS])
    outcome = Toy(requests=[TWO_TOKENS]).outcome()
    outcome.counters = {"migrations": 3}
    assert finish_cell(tmp_path, outcome=outcome, slo={}, meta={})["metrics"]["migrations"] == 3
