"""Files that can be compared: what vLLM, AIPerf and guidellm leave on disk, and what is no result."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from simcore.results.compare_source import ResultError, open_source
from tests.results.comparing import FIVE, LATER, by_name, compared
from tests.results.vllm_files import vllm_file, vllm_result
from tests.results.vllm_formulas import Served

PROFILE = Path(__file__).parents[2].parent / "shared" / "profiles" / "llmservingsim" / "rtxpro6000_llama-3.1-8b" / "run"


# -- files of vllm bench serve ------------------------------------------------------------------------------


def test_two_files_of_vllm_are_compared_metric_by_metric(tmp_path):
    a = vllm_file(tmp_path / "a.json", vllm_result(FIVE))
    b = vllm_file(tmp_path / "b.json", vllm_result(LATER))
    comparison = compared(a, b)
    found = by_name(comparison)
    assert found["mean_ttft_ms"].a == pytest.approx(120)
    assert found["mean_ttft_ms"].difference == pytest.approx(12)
    assert found["mean_ttft_ms"].relative == pytest.approx(0.1)
    # TTFT mean, median, p99 are 10% off; those of TPOT and ITL equal. E2EL is not in either file.
    assert comparison.mean_error == pytest.approx(3 * 0.1 / 9)
    assert "mean_e2el_ms" not in found
    assert comparison.warnings == []


def test_a_detailed_file_gives_what_was_not_asked_for_when_it_was_made(tmp_path):
    a = vllm_file(tmp_path / "a.json", vllm_result(FIVE, detailed=True))
    b = vllm_file(tmp_path / "b.json", vllm_result(LATER, detailed=True))
    found = by_name(compared(a, b))
    assert found["mean_e2el_ms"].a == pytest.approx(170)
    assert found["p95_ttft_ms"].b == pytest.approx(1.1 * 138)
    assert found["p90_itl_ms"].a == pytest.approx(30)


def test_failed_requests_of_a_detailed_file_have_no_latency(tmp_path):
    failed = Served(0.05, 50, success=False)
    a = vllm_file(tmp_path / "a.json", vllm_result([*FIVE, failed], detailed=True))
    assert by_name(compared(a, a))["mean_e2el_ms"].a == pytest.approx(170)


def test_arrays_of_older_versions_have_no_latencies_and_no_starts(tmp_path):
    result = vllm_result(FIVE, detailed=True)
    for key in ("latencies", "start_times", "errors"):
        del result[key]
    a = vllm_file(tmp_path / "a.json", result)
    assert by_name(compared(a, a))["mean_e2el_ms"].a == pytest.approx(170)


def test_lines_of_an_appended_file_are_points_where_their_rate_differs(tmp_path):
    for rate in (4.0, 8.0, "inf"):
        vllm_file(tmp_path / "all.json", vllm_result(FIVE, request_rate=rate), append=True)
    one = vllm_file(tmp_path / "one.json", vllm_result(LATER, request_rate=8.0))
    with pytest.raises(ResultError, match="several runs; choose with --system, --at key=value") as raised:
        compared(tmp_path / "all.json", one)
    assert "request_rate 8" in str(raised.value)
    assert "request_rate inf" in str(raised.value)
    assert compared(tmp_path / "all.json", one, request_rate="8").warnings == []
    with pytest.raises(ResultError, match="no such run"):
        compared(tmp_path / "all.json", one, request_rate="5")


def test_lines_of_an_appended_file_with_one_rate_are_repetitions(tmp_path):
    for stretch in (1.0, 1.1, 1.2):
        slower = [Served(each.start_s, 50, stretch * each.ttft_s, each.itl_s) for each in FIVE]
        vllm_file(tmp_path / "a.json", vllm_result(slower), append=True)
        much = [Served(each.start_s, 50, 2 * stretch * each.ttft_s, each.itl_s) for each in FIVE]
        vllm_file(tmp_path / "b.json", vllm_result(much), append=True)
    found = by_name(compared(tmp_path / "a.json", tmp_path / "b.json"))["mean_ttft_ms"]
    assert found.method == "two samples of seeds"
    assert [found.a, found.b] == pytest.approx([132, 264])
    # Welch: variances 12² and 24² over 3 each, 2.94 degrees of freedom, t 3.22.
    assert found.ci_high is not None
    assert found.ci_high - 132 == pytest.approx(3.22 * math.sqrt((144 + 576) / 3), rel=0.01)


# -- other tools --------------------------------------------------------------------------------------------

AIPERF: dict[str, Any] = {
    "schema_version": "1.5",
    "time_to_first_token": {"unit": "ms", "avg": 120.0, "p50": 118.0, "p99": 139.0, "std": 9.0, "count": 5},
    "inter_token_latency": {"unit": "ms", "avg": 25.0, "p50": 25.0},
    "request_latency": {"unit": "sec", "avg": 0.17},
    "request_throughput": {"unit": "requests/sec", "avg": 2.0},
    "request_count": {"unit": "requests", "avg": 5.0},
    "benchmark_duration": {"unit": "sec", "avg": 2.5},
    "total_osl": {"unit": "tokens", "avg": 15.0},
}


def test_an_export_of_aiperf_is_read_by_what_its_words_mean(tmp_path):
    path = tmp_path / "profile_export_aiperf.json"
    path.write_text(json.dumps(AIPERF))
    (run,) = open_source(path).runs
    assert run.metrics == {
        "mean_ttft_ms": 120.0, "median_ttft_ms": 118.0, "p99_ttft_ms": 139.0,
        # Its inter-token latency is that of a request: vLLM's TPOT.
        "mean_tpot_ms": 25.0, "median_tpot_ms": 25.0,
        "mean_e2el_ms": 170.0,
        "completed": 5.0, "request_throughput": 2.0, "total_output_tokens": 15.0, "duration": 2.5,
    }  # fmt: skip


def test_a_report_of_guidellm_is_read_by_what_its_words_mean(tmp_path):
    block = {"mean": 25.0, "median": 24.0, "std_dev": 1.0, "percentiles": {"p50": 24.0, "p90": 28.0, "p99": 30.0}}
    metrics = {
        "request_totals": {"successful": 9, "errored": 1, "incomplete": 0, "total": 10},
        "request_latency": {"successful": {"mean": 1.5, "percentiles": {"p99": 2.5}}},
        "inter_token_latency_ms": {"successful": block},
        "time_per_output_token_ms": {"successful": block},
    }
    path = tmp_path / "benchmarks.json"
    path.write_text(json.dumps({"benchmarks": [{"duration": 30.0, "metrics": metrics}] * 2}))
    first, second = open_source(path).runs
    assert first.metrics == {
        "mean_tpot_ms": 25.0, "median_tpot_ms": 24.0, "p90_tpot_ms": 28.0, "p99_tpot_ms": 30.0,
        "mean_e2el_ms": 1500.0, "p99_e2el_ms": 2500.0, "completed": 9.0, "failed": 1.0, "duration": 30.0,
    }  # fmt: skip
    assert second.point == {"benchmark": 1}


# -- what cannot be compared --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{}", "not a result of vllm bench serve, AIPerf"),
        ("[1]", "holds no JSON object"),
        ('{"a": 1}\n{"b"\n', r":2: not JSON"),
        ("", "holds no JSON object"),
    ],
)
def test_a_file_that_is_no_result_is_refused(tmp_path, content, why):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(ResultError, match=why):
        open_source(tmp_path / "x.json")


def test_a_path_without_a_result_is_refused(tmp_path):
    with pytest.raises(ResultError, match="no such file or folder"):
        open_source(tmp_path / "none")
    with pytest.raises(ResultError, match=r"no summary.json in it"):
        open_source(tmp_path)


# -- a real run ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(not PROFILE.is_dir(), reason="the shared profiles are not beside the checkout")
def test_the_requests_of_a_real_vllm_server_give_its_published_latencies(tmp_path):
    lines = [json.loads(line) for line in (PROFILE / "requests.jsonl").read_text().splitlines()]
    requests = []
    for line in lines:
        # Dates of single tokens were not published: even gaps leave TTFT, TPOT and E2EL as they were.
        gaps = line["output_toks"] - 1
        gap = (line["last_token_ts"] - line["first_token_ts"]) / max(gaps, 1)
        ttft = line["first_token_ts"] - line["queued_ts"]
        requests.append(Served(line["queued_ts"], line["input_toks"], ttft, [gap] * gaps))
    real = vllm_file(tmp_path / "real.json", vllm_result(requests, detailed=True, request_rate=10.0))
    comparison = compared(real, real)
    found = by_name(comparison)
    assert [round(found[f"{statistic}_ttft_ms"].a, 1) for statistic in ("mean", "median", "p90", "p95", "p99")] == [
        7097.2, 9442.7, 16852.7, 18397.9, 19755.3
    ]  # fmt: skip
    assert round(found["mean_tpot_ms"].a, 1) == 32.5
    assert round(found["p99_e2el_ms"].a, 1) == 37638.8
    assert found["mean_ttft_ms"].method == "batches of requests"
    assert comparison.mean_error == 0
