"""Why, in words: the story of a request as the terminal shows it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from simcore.contract import PS_PER_S
from simcore.results.claims_metrics import place
from simcore.results.phases import NOWHERE
from simcore.results.why import Meanwhile, Story

if TYPE_CHECKING:
    from rich.console import Console

MS_PER_S = 1000
_SAID = {"ttft": "TTFT", "tpot": "TPOT", "e2el": "E2EL"}


def print_story(story: Story, slo: Mapping[str, Any], console: "Console") -> None:
    """Print what became of a request; `slo` as in `summary.json`."""
    console.print(_heading(story), highlight=False, soft_wrap=True)
    for line in _latencies(story, slo):
        console.print(f"  {line}", highlight=False, soft_wrap=True)
    if story.phases:
        console.print(_table(story))
    else:
        console.print("  what it waited for is in the decision log: run with --decisions", highlight=False)


def _heading(story: Story) -> str:
    run, row = story.run, story.row
    where = f"{run['system']}{place(run['point'])}, seed {run['seed']}"
    named = "" if row["request_class"] == "default" else f" of class {row['request_class']}"
    turn = "" if row["program"] != row["program"] else f", turn {int(row['turn'])} of program {int(row['program'])}"
    tokens = f"{row['prompt_tokens']:,.0f} prompt tokens, {row['output_tokens']:,.0f} generated"
    cached = f", {row['cached_tokens']:,.0f} found in a cache" if row["cached_tokens"] else ""
    return f"{where}: request {row['request']:.0f}{named}{turn}: {row['state']}; {tokens}{cached}"


def _latencies(story: Story, slo: Mapping[str, Any]) -> Iterator[str]:
    limits = {**slo, **(slo.get("classes") or {}).get(story.row["request_class"], {})}
    for name, said in _SAID.items():
        if name not in story.above:
            continue
        value_ms = story.row[f"{name}_s"] * MS_PER_S
        limit = limits.get(f"{name}_ms")
        kept = "" if limit is None else f"; SLO {limit:g} ms {'met' if value_ms <= limit else 'missed'}"
        yield f"{said} {value_ms:,.1f} ms, longer than that of {100 * story.above[name]:.0f}% of the finished{kept}"


def _table(story: Story) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=True)
    for heading in ("at s", "phase", "instance", "took ms", "meanwhile"):
        table.add_column(heading, justify="right" if heading in ("at s", "instance", "took ms") else "left")
    waits = story.meanwhile or {}
    for index, phase in enumerate(story.phases):
        table.add_row(
            f"{phase.start_ps / PS_PER_S:.3f}",
            phase.name,
            "" if phase.instance == NOWHERE else str(phase.instance),
            f"{(phase.end_ps - phase.start_ps) * MS_PER_S / PS_PER_S:,.1f}",
            _others(waits[index]) if index in waits else "",
        )
    last = story.phases[-1]
    table.add_row(f"{last.end_ps / PS_PER_S:.3f}", last.ended, "", "", "")
    return table


def _others(others: Meanwhile) -> str:
    """Return whom the instance served.

    >>> _others(Meanwhile(admitted=3, later=1, tokens=1200, running=40))
    '40 ran; 3 others were admitted, 1,200 tokens to compute, 1 of them later arrivals'
    """
    ran = [] if others.running is None else [f"{others.running} ran"]
    if not others.admitted:
        return "; ".join([*ran, "nobody else was admitted"])
    later = f", {others.later} of them later arrivals" if others.later else ""
    counted = "1 other was" if others.admitted == 1 else f"{others.admitted} others were"
    return "; ".join([*ran, f"{counted} admitted, {others.tokens:,} tokens to compute{later}"])
