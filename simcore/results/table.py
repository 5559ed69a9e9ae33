"""Table: what the terminal shows. Systems side by side, who breaks where, and a sentence that says it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simcore.results.breaking import RATE
from simcore.results.stats import Interval, Run, grouped, over_seeds, paired

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_COLUMNS = (
    ("SLO met %", "slo_attainment", 100.0),
    ("goodput req/s", "request_goodput", 1.0),
    ("TTFT mean ms", "mean_ttft_ms", 1.0),
    ("TTFT p99 ms", "p99_ttft_ms", 1.0),
    ("TPOT mean ms", "mean_tpot_ms", 1.0),
    ("TPOT p99 ms", "p99_tpot_ms", 1.0),
)
"""Heading, metric, and what the metric is multiplied by."""


def print_summary(summary: Mapping[str, Any], console: "Console | None" = None) -> None:
    """Print the table of a study, its breaking points and its verdict; a single run as vLLM prints it.

    Args:
        summary: content of summary.json.
        console: where to; None: standard output. Colours are left out when that is not a terminal.
    """
    from rich.console import Console

    if console is None:
        # Piped, rich would guess 80 columns, and the table needs some 95.
        console = Console() if Console().is_terminal else Console(width=100)
    runs = summary["runs"]
    if len(runs) == 1:
        console.print(vllm_block(runs[0]["metrics"], runs[0]["point"].get(RATE)), highlight=False)
        console.print(f"state: {_state(runs)}", highlight=False)
        for line in _losses(runs):
            console.print(line, style="yellow", highlight=False, soft_wrap=True)
        return
    console.print(_table(runs))
    for line in _legend(runs):
        console.print(line, style="dim", highlight=False)
    for line in _losses(runs):
        console.print(line, style="yellow", highlight=False, soft_wrap=True)
    console.print()
    for line in verdicts(summary):
        console.print(line, highlight=False, soft_wrap=True)


# -- the table --------------------------------------------------------------------------------------------


def _table(runs: Sequence[Run]) -> "Table":
    from rich import box
    from rich.table import Table

    shown = [column for column in _COLUMNS if any(run["metrics"].get(column[1]) is not None for run in runs)]
    keys = list(dict.fromkeys(key for run in runs for key in run["point"]))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True, header_style="bold")
    for key in keys:
        table.add_column(key.rsplit(".", 1)[-1], justify="right")
    table.add_column("system", no_wrap=True)
    for heading, _, _ in shown:
        table.add_column(heading.replace(" ", "\n", 1), justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    groups = grouped(runs)
    first = runs[0]["system"]
    points = list(dict.fromkeys(point for _, point in groups))
    for point in points:
        here = [(system, ours) for (system, at), ours in groups.items() if at == point]
        for row, (system, ours) in enumerate(here):
            baseline = groups.get((first, point)) if system != first else None
            cells = [_cell(ours, baseline, metric, factor) for _, metric, factor in shown]
            where = [_plain(ours[0]["point"].get(key, "")) if row == 0 else "" for key in keys]
            table.add_row(*where, system, *cells, _state(ours), end_section=row == len(here) - 1)
    return table


def _cell(runs: Sequence[Run], baseline: Sequence[Run] | None, metric: str, factor: float) -> "RenderableType":
    """Return mean and half width, and below it the difference to the first system."""
    from rich.text import Text

    found = over_seeds(runs, metric)
    if found is None:
        return "-"
    text = Text(_with_half_width(found, factor))
    difference = paired(runs, baseline, metric) if baseline else None
    if difference is not None:
        text.append("\n" + _change(difference, metric), _STYLES[difference["verdict"]])
    return text


_STYLES = {"better": "green", "worse": "red", "undecided": "dim"}


def _change(difference: Mapping[str, Any], metric: str) -> str:
    """Return a difference in percent, of a share in points; `~` where its interval holds zero or there is none.

    >>> _change({"relative": 0.125, "verdict": "better"}, "request_goodput")
    '+12.5%'
    >>> _change({"difference": -0.03, "verdict": "undecided"}, "slo_attainment")
    '~-3.0pt'
    """
    mark = "~" if difference["verdict"] == "undecided" else ""
    if metric == "slo_attainment":
        return f"{mark}{100 * difference['difference']:+.1f}pt"
    if difference["relative"] is None:
        return mark
    percent = 100 * difference["relative"]
    return f"{mark}{percent:+.1f}%" if abs(percent) < 100 else f"{mark}{percent:+.0f}%"


def _with_half_width(found: Interval, factor: float) -> str:
    mean = found.mean * factor
    if found.half_width is None:
        return number(mean)
    half = found.half_width * factor
    decimals = 0 if half >= 10 else _decimals(mean)
    return f"{number(mean, decimals)}±{number(half, decimals)}"


def number(value: float, decimals: int | None = None) -> str:
    """Return a number with about three digits, thousands as k.

    >>> [number(value) for value in (0.1234, 12.34, 123.4, 12345.0, 0.0)]
    ['0.123', '12.3', '123', '12.3k', '0']
    """
    if abs(value) >= 10_000:
        return f"{value / 1000:.3g}k"
    return f"{value:.{_decimals(value) if decimals is None else decimals}f}"


def _decimals(value: float) -> int:
    return 0 if abs(value) >= 100 or value == 0 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _state(runs: Sequence[Run]) -> str:
    """Return the worst state over the seeds."""
    order = ("STABLE", "BACKLOGGED", "OVERLOADED")
    return order[max(order.index(run["state"]) for run in runs)]


def _legend(runs: Sequence[Run]) -> Iterator[str]:
    seeds = len({run["seed"] for run in runs})
    first = runs[0]["system"]
    yield f"± half of the 95% interval over {seeds} seeds" if seeds > 1 else "one seed: no intervals"
    if any(run["system"] != first for run in runs):
        certainty = "~ not certain at 95%" if seeds > 1 else "~ one seed cannot say whether by chance"
        yield f"second line: difference to {first}, seed by seed; {certainty}"


def _losses(runs: Sequence[Run]) -> Iterator[str]:
    """Yield a line per system and point where requests did not finish: latencies are those of the others."""
    for ours in grouped(runs).values():
        metrics = [run["metrics"] for run in ours]
        arrived = sum(each["arrived"] for each in metrics)
        lost = {state: sum(each[state] for each in metrics) for state in ("rejected", "cancelled", "unfinished")}
        said = [f"{count} {state}" for state, count in lost.items() if count]
        if said or not arrived:
            where = "".join(f" at {key.rsplit('.', 1)[-1]} {_plain(value)}" for key, value in ours[0]["point"].items())
            yield f"{ours[0]['system']}{where}: of {arrived} requests {', '.join(said) or 'none counts'}"


# -- the verdict --------------------------------------------------------------------------------------------


def verdicts(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence per system: up to which rate it keeps the SLO, and how that compares with the first."""
    for entry in summary["breaking"]:
        where = "".join(f", {key.rsplit('.', 1)[-1]} {_plain(value)}" for key, value in entry["point"].items())
        yield f"{entry['system']}{where} {_up_to(entry)}{_compared(entry['against'])}"


def _up_to(entry: Mapping[str, Any]) -> str:
    share = f"{100 * entry['target']:g}% of requests within the SLO"
    low, high = entry["rates"][0], entry["rates"][-1]
    if entry["where"] == "crossed":
        half = "" if entry["ci_high"] is None else f" ± {number(entry['ci_high'] - entry['rate'], 1)}"
        return f"keeps {share} up to {number(entry['rate'], 1)}{half} req/s"
    if entry["where"] == "above the highest rate":
        return f"keeps {share} at every rate swept; it breaks above {_plain(high)} req/s"
    if entry["where"] == "below the lowest rate":
        return f"never keeps {share}; it breaks below {_plain(low)} req/s"
    return f"keeps {share} up to a rate that lies outside {_plain(low)}..{_plain(high)} req/s for some seeds"


def _compared(against: Mapping[str, Any] | None) -> str:
    if against is None:
        return ""
    ratio = f", {against['ratio']:.2f}x {against['baseline']}"
    if against["ratio_ci_low"] is None:
        return f"{ratio} (one seed, no interval)"
    interval = f" (95% CI {against['ratio_ci_low']:.2f}..{against['ratio_ci_high']:.2f})"
    return ratio + interval + ("; not certain to differ" if against["verdict"] == "undecided" else "")


# -- one run ------------------------------------------------------------------------------------------------

_BLOCK = (
    ("Successful requests:", "completed", "d"),
    ("Failed requests:", "failed", "d"),
    ("Request rate configured (RPS):", "request_rate", ".2f"),
    ("Benchmark duration (s):", "duration", ".2f"),
    ("Total input tokens:", "total_input_tokens", "d"),
    ("Total generated tokens:", "total_output_tokens", "d"),
    ("Request throughput (req/s):", "request_throughput", ".2f"),
    ("Request goodput (req/s):", "request_goodput", ".2f"),
    ("Output token throughput (tok/s):", "output_throughput", ".2f"),
    ("Peak output token throughput (tok/s):", "max_output_tokens_per_s", ".2f"),
    ("Peak concurrent requests:", "max_concurrent_requests", ".2f"),
    ("Total token throughput (tok/s):", "total_token_throughput", ".2f"),
)
_BLOCK_LATENCIES = (
    ("ttft", "Time to First Token"),
    ("tpot", "Time per Output Token (excl. 1st token)"),
    ("itl", "Inter-token Latency"),
    ("e2el", "End-to-end Latency"),
)


def vllm_block(metrics: Mapping[str, Any], request_rate: float | None = None) -> str:
    """Return one run in the words and columns of `vllm bench serve`; lines without data are left out."""
    values = {**metrics, "request_rate": request_rate}
    lines = [f"{' Serving Benchmark Result ':=^50}"]
    lines += [f"{label:<40} {values[key]:<10{form}}" for label, key, form in _BLOCK if values[key] is not None]
    for name, heading in _BLOCK_LATENCIES:
        known = [key for key in metrics if key.endswith(f"_{name}_ms") and metrics[key] is not None]
        lines += [f"{heading:-^50}"] if known else []
        for key in known:
            statistic = key.split("_", 1)[0].capitalize()
            lines.append(f"{f'{statistic} {name.upper()} (ms):':<40} {metrics[key]:<10.2f}")
    return "\n".join([*(line.rstrip() for line in lines), "=" * 50])
