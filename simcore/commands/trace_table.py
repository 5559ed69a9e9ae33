"""Trace table: what the trace commands print."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from traces.mooncake_writer import Written
    from traces.public import PublicTrace
    from traces.statistics import ArrivalStatistics, ProgramStatistics, Spread, Statistics

_BARS = " ▁▂▃▄▅▆▇█"
_COLUMNS = 72


def print_json(statistics: "Statistics") -> None:
    """Print the numbers, one JSON object."""
    print(json.dumps(statistics.as_dict(), indent=2, ensure_ascii=False))


def print_statistics(statistics: "Statistics", console: "Console | None" = None) -> None:
    """Print what a workload is like."""
    from simcore.results.terminal import terminal
    from traces.problems import skipped_in_words

    out = terminal() if console is None else console

    def say(line: str, style: str = "") -> None:
        out.print(line, style=style, highlight=False, markup=False, soft_wrap=True)

    arrivals = statistics.arrivals
    say(f"{statistics.name}: {statistics.requests:,} requests in {duration(arrivals.span_s)}", "bold")
    say(statistics.source, "dim")
    if statistics.skipped:
        say(", ".join(skipped_in_words(statistics.skipped)), "yellow")
    out.print(_arrivals(arrivals))
    say(f"arrivals  |{sparkline(arrivals)}|", "dim")
    out.print(_lengths(statistics))
    if statistics.sharing is not None:
        say(
            f"shared prefixes: {statistics.sharing.found:.1%} of the prompt tokens would be found by a prefix cache "
            "without bounds (blocks of 16 tokens)"
        )
    if statistics.programs is not None:
        for line in _programs(statistics.programs):
            say(line)
    if len(statistics.classes) > 1:
        say("classes: " + shares(statistics.classes))
    if statistics.groups is not None:
        groups = statistics.groups
        say(f"groups: {groups.n:,}, of {groups.mean:.3g} requests on average, at most {groups.max:,}")


def print_written(written: "Written", *, block_tokens: int | None, sessions: bool) -> None:
    """Print what a file holds, what it does not, and how to fire it at a server. block_tokens: None for a table."""
    blocks = f", {written.blocks:,} different blocks of {block_tokens} tokens" if written.blocks is not None else ""
    print(f"{written.path}: {written.requests:,} requests{blocks}")
    if written.rounded:
        print(f"times are whole milliseconds: {written.rounded:,} were rounded, by at most half of one")
    if written.cut:
        longer = written.longer_tokens / written.prompt_tokens
        print(f"{written.cut:,} turns begin with less than the turn before them; each is written as one new token")
        print(f"AIPerf adds turns up and cuts no history: prompts come out {longer:.1%} longer, all together")
    if written.lost:
        print(f"not in the file: {', '.join(written.lost)}")
    if block_tokens is None:
        return
    file = shlex.quote(str(written.path.with_suffix("") if written.path.suffix != ".jsonl" else written.path))
    print(
        "to fire it at a server:" if written.path.suffix == ".jsonl" else f"to fire it at a server, unpacked to {file}:"
    )
    for command in commands(file, written.requests, block_tokens, sessions=sessions):
        print(f"  {command}")


def commands(file: str, requests: int, block_tokens: int, *, sessions: bool) -> Sequence[str]:
    """Return the command lines that replay a file of Mooncake's format; only AIPerf knows sessions."""
    vllm = (
        "PYTHONHASHSEED=0 vllm bench serve --model MODEL --dataset-name timed_trace --self-timed "
        f"--dataset-path {file} --timed-trace-chunk-hash-size {block_tokens} --timed-trace-sec-multiplier 0.001 "
        f"--num-prompts {requests} --no-oversample --disable-shuffle --ignore-eos --save-result"
    )
    aiperf = (
        "aiperf profile --model MODEL --endpoint-type chat --streaming --custom-dataset-type mooncake_trace "
        f"--input-file {file} --fixed-schedule{f' --isl-block-size {block_tokens}' if block_tokens != 512 else ''}"
    )
    return (aiperf,) if sessions else (vllm, aiperf)


def print_public(traces: "Mapping[str, PublicTrace]") -> None:
    """Print the names of published traces, with what they are."""
    width = max(map(len, traces))
    for name, trace in traces.items():
        size = f"{trace.bytes / 1e6:7.2f} MB" if trace.bytes is not None else " " * 10
        print(f"{name:<{width}}  {size}  {trace.what} ({trace.license})")


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> duration(3501.7), duration(12), duration(1_209_600), duration(7200)
    ('58.4 minutes', '12 s', '14 days', '2 hours')
    """
    for unit_s, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * unit_s:
            return f"{seconds / unit_s:.3g} {unit}"
    return f"{seconds:.3g} s"


def shares(counts: Mapping[str, int]) -> str:
    """Return names with their shares, the largest first.

    >>> shares({"read": 1, "bash": 3})
    'bash 75.0%, read 25.0%'
    """
    total = max(sum(counts.values()), 1)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count / total:.1%}" for name, count in ordered)


def sparkline(arrivals: "ArrivalStatistics") -> str:
    """Return the rate over time as a line of little bars."""
    width_s = max(1, -(-(int(arrivals.span_s) + 1) // _COLUMNS))
    counts = arrivals.timeline.windows(width_s).tolist()
    most = max(counts)
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] for count in counts)


def _arrivals(arrivals: "ArrivalStatistics") -> "RenderableType":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    cells = {
        f"{arrivals.of} per second": _number(arrivals.rate),
        "peak in 60 s": _number(arrivals.peak_60s),
        "busiest second": f"{arrivals.peak_1s:,.0f}",
        "CV of gaps": _number(arrivals.gap_cv),
        "dispersion of 10 s counts": _number(arrivals.dispersion_10s),
    }
    for heading in cells:
        table.add_column(heading, justify="right")
    table.add_row(*cells.values())
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _lengths(statistics: "Statistics") -> "RenderableType":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("tokens")
    for heading in ("sum", "mean", "p50", "p90", "p99", "max"):
        table.add_column(heading, justify="right")
    for name, spread in (("prompt", statistics.prompt_tokens), ("output", statistics.output_tokens)):
        table.add_row(name, *_row(spread))
    return table


def _row(spread: "Spread") -> Sequence[str]:
    mean = f"{spread.mean:,.0f}" if spread.mean >= 100 else f"{spread.mean:.1f}"
    return (f"{spread.sum:,}", mean, *(f"{value:,.0f}" for value in (spread.p50, spread.p90, spread.p99, spread.max)))


def _programs(programs: "ProgramStatistics") -> Sequence[str]:
    turns, gaps = programs.turns, programs.gaps
    lines = [
        f"programs: {turns.n:,}; turns: mean {turns.mean:.3g}, p50 {turns.p50:g}, p90 {turns.p90:.3g}, "
        f"p99 {turns.p99:.3g}, max {turns.max:,}"
    ]
    if gaps.n:
        quantiles = ", ".join(f"p{percent} {_number(gaps.quantile(percent / 100))}" for percent in (50, 90, 99))
        lines.append(f"waits between turns (s): mean {_number(gaps.mean)}, {quantiles}, max {_number(gaps.most)}")
    if programs.tools:
        lines.append(f"tools: {sum(programs.tools.values()):,} calls; {shares(programs.tools)}")
    return lines
