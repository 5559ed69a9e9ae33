"""What the terminal shows."""

import io
from typing import Any

from rich.console import Console

from simcore.results.breaking import breaking_points
from simcore.results.table import print_summary
from simcore.results.vllm import vllm_block
from simcore.results.wording import verdicts


def run(system: str, seed: int, rate: float, attained: float, state: str = "STABLE") -> dict[str, Any]:
    metrics = {
        "slo_attainment": attained,
        "request_goodput": attained * rate,
        "mean_ttft_ms": 100.0 + seed,
        "p99_ttft_ms": 1234.5 + seed,
        "mean_tpot_ms": 20.0,
        "p99_tpot_ms": 12_345.0,
        "arrived": 50,
        "rejected": 0,
        "cancelled": 0,
        "lost_requests": 0,
        "unfinished": 0,
    }
    return {"system": system, "point": {"workload.rate": rate}, "seed": seed, "state": state, "metrics": metrics}


def summary(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"runs": list(runs), "breaking": breaking_points(runs)}


def two_systems() -> dict[str, Any]:
    """At rate 10 both keep everything; at 20 the first keeps half, the second 80%."""
    return summary(
        *(run(system, seed, 10.0, 1.0) for system in ("round_robin", "least_loaded") for seed in (0, 1)),
        *(run("round_robin", seed, 20.0, 0.5 - seed / 100, "OVERLOADED") for seed in (0, 1)),
        *(run("least_loaded", seed, 20.0, 0.8 - seed / 100) for seed in (0, 1)),
    )


def printed(content: dict[str, Any], width: int = 100, terminal: bool = False) -> str:
    stream = io.StringIO()
    print_summary(content, Console(file=stream, width=width, force_terminal=terminal))
    return stream.getvalue()


def test_the_table_fits_100_columns_and_cuts_nothing() -> None:
    lines = printed(two_systems()).split("\n\nround_robin keeps")[0].splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 100
    assert not any("…" in line for line in lines)


def test_a_pipe_is_as_wide_as_the_table_and_a_terminal_folds_names_before_numbers(capsys) -> None:
    long = summary(*(run(f"{'a_long_name_' * 9}{index}", seed, 10.0, 0.5) for index in (1, 2) for seed in (0, 1)))
    print_summary(long)
    piped = capsys.readouterr().out
    assert f"{'a_long_name_' * 9}1  50.0±0.0" in piped
    assert "50.0±0.0" in printed(long, width=80, terminal=True)
    assert "…" not in piped + printed(long, width=80, terminal=True)


def test_a_pipe_gets_no_colour_codes_and_a_terminal_does() -> None:
    assert "\x1b" not in printed(two_systems())
    assert "\x1b" in printed(two_systems(), terminal=True)


def test_a_row_shows_mean_half_width_difference_and_worst_state() -> None:
    text = printed(two_systems())
    assert "79.5±6.4" in text  # 80% and 79%: t(0.975, 1) = 12.7, standard error 0.5
    assert "+30.0pt" in text
    assert "+60.6%" in text  # goodput 15.9 against 9.9
    assert text.count("OVERLOADED") == 1
    assert "12.3k" in text


def test_the_verdict_says_where_each_system_breaks_and_by_how_much() -> None:
    first, second = verdicts(two_systems())
    # Seed 0: 12 and 15, seed 1: 11.96 and 14.76.
    assert first == "round_robin keeps 90% of requests within the SLO up to 12.0 ± 0.2 req/s"
    assert second.startswith(
        "least_loaded keeps 90% of requests within the SLO up to 14.9 ± 1.5 req/s, 1.24x round_robin"
    )
    assert "(95% CI 1.15 to 1.35)" in second


def test_a_break_outside_the_sweep_is_said_and_not_guessed() -> None:
    runs = [run("good", 0, rate, 1.0) for rate in (10.0, 20.0)] + [run("bad", 0, rate, 0.2) for rate in (10.0, 20.0)]
    good, bad = verdicts(summary(*runs))
    assert good == "good keeps 90% of requests within the SLO at every rate swept; it breaks above 20 req/s"
    assert bad == "bad never keeps 90% of requests within the SLO; it breaks below 10 req/s"


def test_one_seed_is_said_to_give_no_interval() -> None:
    runs = [run(system, 0, rate, 1.0) for system in ("a", "b") for rate in (10.0, 20.0)]
    text = printed(summary(*runs))
    assert "one seed: no intervals" in text
    assert "±" not in text


def test_requests_that_did_not_finish_are_counted_below_the_table() -> None:
    content = two_systems()
    assert "requests" not in printed(content).partition("second line")[2].partition("keeps")[0]
    for lossy in content["runs"][6:]:
        lossy["metrics"] |= {"rejected": 3, "unfinished": 1}
    assert "least_loaded at rate 20: of 100 requests 6 rejected, 2 unfinished\n" in printed(content)


def test_a_single_run_is_printed_as_vllm_prints_it() -> None:
    metrics = {
        **dict.fromkeys(["completed", "failed", "total_input_tokens", "total_output_tokens"], 7),
        **dict.fromkeys(["duration", "request_throughput", "output_throughput", "max_output_tokens_per_s"], 2.5),
        "max_concurrent_requests": 3,
        "total_token_throughput": 4.0,
        "request_goodput": None,
        "mean_ttft_ms": 12.345,
        "p99.9_ttft_ms": 50.0,
        "mean_tpot_ms": None,
    }
    lines = vllm_block(metrics, 8.0).splitlines()
    assert lines[0] == "============ Serving Benchmark Result ============"
    assert lines[1] == "Successful requests:                     7"
    assert "Request rate configured (RPS):           8.00" in lines
    assert "---------------Time to First Token----------------" in lines
    assert "Mean TTFT (ms):                          12.35" in lines
    assert "P99.9 TTFT (ms):                         50.00" in lines
    assert not any("goodput" in line or "TPOT" in line or "Output Token (" in line for line in lines)
    assert lines[-1] == "=" * 50
