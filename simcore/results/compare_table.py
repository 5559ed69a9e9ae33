"""Table of a comparison: what the terminal shows of two results."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simcore.results.compare import Comparison, Difference, Pair
from simcore.results.terminal import terminal
from simcore.results.wording import number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

BRIEF = (
    *("slo_attainment", "request_goodput", "output_throughput", "mean_ttft_ms", "p99_ttft_ms"),
    *("mean_tpot_ms", "p99_tpot_ms", "mean_e2el_ms"),
)
"""Metrics of a table with a line for each pair."""
WORST = 3


def print_comparison(comparison: Comparison, console: "Console | None" = None) -> None:
    """Print every metric of one pair, or a line for each of several; then the errors, and what to beware of.

    Args:
        console: where to; None: standard output.
    """
    out = terminal() if console is None else console

    def say(line: str, style: str = "") -> None:
        out.print(line, style=style, highlight=False, soft_wrap=True, markup=False)

    for side, source in (("A", comparison.a), ("B", comparison.b)):
        run = (comparison.pairs[0].a if side == "A" else comparison.pairs[0].b)[0]
        which = f": {run.name}" if len(comparison.pairs) == 1 and run.name else ""
        say(f"{side}  {source.label} ({source.tool}){which}")
    out.print(_of_one(comparison.pairs[0]) if len(comparison.pairs) == 1 else _of_many(comparison.pairs))
    for line in _errors(comparison):
        say(line)
    for line in comparison.alone:
        say(line, "dim")
    for line in comparison.warnings:
        say(f"beware: {line}", "yellow")


def _table(*headings: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True, header_style="bold")
    table.add_column(headings[0], overflow="fold")
    for heading in headings[1:]:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _of_one(pair: Pair) -> "Table":
    with_intervals = any(each.method for each in pair.metrics)
    table = _table("metric", "A", "B", "B - A", "%", *(["95% CI of B - A"] if with_intervals else []))
    for each in pair.metrics:
        cells = [each.metric, number(each.a), number(each.b), number(each.difference), _percent(each)]
        if with_intervals:
            low, high = each.ci_low, each.ci_high
            cells.append("" if low is None or high is None else f"{number(low)} to {number(high)}")
        table.add_row(*cells)
    return table


def _of_many(pairs: Sequence[Pair]) -> "Table":
    found = [{each.metric: each for each in pair.metrics} for pair in pairs]
    shown = [key for key in BRIEF if any(key in metrics for metrics in found)]
    table = _table("% from A to B", *(_heading(key) for key in shown), "mean\nerror")
    for pair, metrics in zip(pairs, found, strict=True):
        cells = [_marked(metrics[key]) if key in metrics else "" for key in shown]
        errors = pair.errors.values()
        mean = f"{100 * sum(errors) / len(errors):.1f}%" if errors else ""
        table.add_row(pair.a[0].name, *cells, mean)
    return table


def _heading(key: str) -> str:
    """Return a metric as two lines.

    >>> _heading("p99_ttft_ms")
    'p99\\nttft'
    """
    return key.removesuffix("_ms").replace("_", "\n", 1)


def _errors(comparison: Comparison) -> list[str]:
    mean = comparison.mean_error
    if mean is None:
        return ["no latency in common"]
    errors = [(error, key, pair.a[0].name) for pair in comparison.pairs for key, error in pair.errors.items()]
    many = len(comparison.pairs) > 1
    worst = [
        f"{key}{f' of {name}' if many else ''} {100 * error:.1f}%"
        for error, key, name in sorted(errors, key=lambda each: -each[0])[:WORST]
        if error
    ]
    methods = dict.fromkeys(each.method for pair in comparison.pairs for each in pair.metrics if each.method)
    largest = f"largest: {', '.join(worst)}" if worst else "they are equal"
    lines = [f"mean error of {len(errors)} latencies: {100 * mean:.1f}%; {largest}"]
    return [*lines, f"intervals: {', '.join(methods)}"] if methods else lines


def _percent(each: Difference) -> str:
    return "" if each.relative is None else f"{100 * each.relative:+.1f}"


def _marked(each: Difference) -> str:
    """Return the difference in percent, `~` where its interval holds 0."""
    low, high = each.ci_low, each.ci_high
    unsure = low is not None and high is not None and low <= 0 <= high and each.difference != 0
    return ("~" if unsure else "") + _percent(each)
