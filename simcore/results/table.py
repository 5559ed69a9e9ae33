"""Table: what the terminal shows. Systems side by side, who breaks where, a sentence that says it, and the claims."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from simcore.results.breaking import RATE
from simcore.results.claims_wording import claim_lines, tally
from simcore.results.stats import Run, direction, grouped, over_seeds, paired
from simcore.results.terminal import terminal
from simcore.results.vllm import vllm_block
from simcore.results.wording import change, health, legend, losses, plain, verdicts, warnings, with_half_width

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console, RenderableType
    from rich.table import Table

Columns = tuple[tuple[str, str, float], ...]
"""Heading, metric, and what the metric is multiplied by; one without data in any run is not shown."""

_SERVICE: Columns = (
    ("SLO met %", "slo_attainment", 100.0),
    ("goodput req/s", "request_goodput", 1.0),
    ("TTFT mean ms", "mean_ttft_ms", 1.0),
    ("TTFT p99 ms", "p99_ttft_ms", 1.0),
    ("TPOT mean ms", "mean_tpot_ms", 1.0),
    ("TPOT p99 ms", "p99_tpot_ms", 1.0),
)
_MECHANISMS: Columns = (
    ("prefix hit %", "prefix_hit_rate", 100.0),
    ("swapped out", "swap_outs", 1.0),
    ("handed off", "handoffs", 1.0),
    ("requeued", "requests_requeued", 1.0),
    ("programs done", "programs_completed", 1.0),
    ("job mean s", "job_completion_time_s_mean", 1.0),
    ("job p99 s", "job_completion_time_s_p99", 1.0),
    ("fairness", "user_service_jain", 1.0),
)
_ROLLOUT: Columns = (
    ("step s", "perf/step_time", 1.0),
    ("rollout s", "perf/rollout_time", 1.0),
    ("trained tok/s", "perf/trained_tokens_per_sec", 1.0),
    ("idle %", "perf/bubble_ratio", 100.0),
    ("off-policy %", "rollout/off_policy_token_share", 100.0),
    ("versions max", "rollout/versions_max", 1.0),
    ("length mean", "rollout/response_len_mean", 1.0),
    ("dropped %", "rollout/dropped_token_share", 100.0),
)
Part = tuple[tuple[str, ...], Sequence[Run]]
"""Lines of a table: what stands beside the system's name, and the runs they sum up."""


def print_summary(summary: "Mapping[str, Any]", console: "Console | None" = None) -> None:
    """Print the table of a study, its breaking points, its verdict and its claims; a single run as vLLM prints it.

    Of rollouts, training steps stand in the place of latencies. What mechanisms did, and how each class with an SLO
    fared, are tables of their own, where there is something to say.

    Args:
        summary: content of summary.json.
        console: where to; None: standard output.
    """
    console = terminal() if console is None else console
    runs = summary["runs"]
    if _shown(runs, _ROLLOUT):
        console.print(_table(runs, _ROLLOUT, last=("state", health)))
    elif len(runs) == 1:
        console.print(vllm_block(runs[0]["metrics"], runs[0]["point"].get(RATE)), highlight=False)
        console.print(f"state: {health(runs).replace(chr(10), ', ')}", highlight=False)
    else:
        console.print(_table(runs, _SERVICE, last=("state", health)))
        if _shown(runs, _MECHANISMS):
            console.print(_table(runs, _MECHANISMS))
    if any(each["slo_attainment"] is not None for run in runs for each in run.get("classes", {}).values()):
        console.print(_table(runs, _SERVICE, beside=("class",), parts=_by_class))
    for line in legend(runs) if len(runs) > 1 else ():
        console.print(line, style="dim", highlight=False)
    for line in (*losses(runs), *warnings(runs)):
        console.print(line, style="yellow", highlight=False, soft_wrap=True)
    if len(runs) > 1 and summary["breaking"]:
        console.print()
        for line in verdicts(summary):
            console.print(line, highlight=False, soft_wrap=True)
    if summary.get("claims"):
        console.print(f"\nclaims: {tally(summary['claims'])}", highlight=False)
        for verdict, line, below in claim_lines(summary["claims"]):
            console.print(line, style=_VERDICT_STYLES[verdict], highlight=False, soft_wrap=True, markup=False)
            console.print(f"       {below}", highlight=False, soft_wrap=True, markup=False)


def _whole(runs: Sequence[Run]) -> list[Part]:
    return [((), runs)]


def _by_class(runs: Sequence[Run]) -> list[Part]:
    """Return the runs once for each class, its metrics in the place of those of all requests."""
    names = list(dict.fromkeys(name for run in runs for name in run.get("classes", {})))
    return [((name,), [{**run, "metrics": run.get("classes", {}).get(name, {})} for run in runs]) for name in names]


def _table(
    runs: Sequence[Run],
    columns: Columns,
    *,
    beside: tuple[str, ...] = (),
    parts: Callable[[Sequence[Run]], list[Part]] = _whole,
    last: tuple[str, Callable[[Sequence[Run]], str]] | None = None,
) -> "Table":
    """Return a table with a line for each part of each system at each point.

    Args:
        columns: one for each metric.
        beside: headings of what stands beside the system's name.
        parts: splits the runs of a system at a point.
        last: heading of one more column, and what stands in it.
    """
    from rich import box
    from rich.table import Table

    shown = _shown([run for _, part in parts(runs) for run in part], columns)
    keys = list(dict.fromkeys(key for run in runs for key in run["point"]))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True, header_style="bold")
    for key in keys:
        table.add_column(key.rsplit(".", 1)[-1], justify="right")
    for heading in ("system", *beside):
        # Where a terminal is too narrow, names give way and not numbers.
        table.add_column(heading, overflow="fold")
    for heading, _, _ in shown:
        table.add_column(heading.replace(" ", "\n", 1), justify="right", no_wrap=True)
    if last:
        table.add_column(last[0], no_wrap=True)
    groups = grouped(runs)
    first = runs[0]["system"]
    for point in dict.fromkeys(point for _, point in groups):
        here = [(system, ours) for (system, at), ours in groups.items() if at == point]
        for row, (system, ours) in enumerate(here):
            theirs = dict(parts(groups[first, point])) if system != first and (first, point) in groups else {}
            split = parts(ours)
            for line, (names, part) in enumerate(split):
                where = [plain(ours[0]["point"].get(key, "")) if row == line == 0 else "" for key in keys]
                cells = [_cell(part, theirs.get(names), metric, factor) for _, metric, factor in shown]
                end = [last[1](part)] if last else []
                ends = row == len(here) - 1 and line == len(split) - 1
                table.add_row(*where, "" if line else system, *names, *cells, *end, end_section=ends)
    return table


def _shown(runs: Sequence[Run], columns: Columns) -> Columns:
    return tuple(column for column in columns if any(run["metrics"].get(column[1]) is not None for run in runs))


def _cell(runs: Sequence[Run], baseline: Sequence[Run] | None, metric: str, factor: float) -> "RenderableType":
    """Return mean and half width, and below it the difference to the first system, where one is better than another."""
    from rich.text import Text

    found = over_seeds(runs, metric)
    if found is None:
        return "-"
    text = Text(with_half_width(found, factor))
    difference = paired(runs, baseline, metric) if baseline and direction(metric) else None
    if difference is not None:
        text.append("\n" + change(difference, metric), _STYLES[difference["verdict"]])
    return text


_VERDICT_STYLES = {True: "green", False: "red", None: "yellow"}
_STYLES = {"better": "green", "worse": "red", "undecided": "dim"}
