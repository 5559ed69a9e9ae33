"""Table: what the terminal shows of a capacity: systems side by side, then what to believe of it."""

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from simcore.capacity.wording import exactly, label, notes, sentences, title
from simcore.results.claims_wording import claim_lines, tally
from simcore.results.wording import number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

COLUMNS = 110
_AT = (
    ("SLO met %", "slo_attainment", 100.0),
    ("goodput req/s", "request_goodput", 1.0),
    ("TTFT p99 ms", "p99_ttft_ms", 1.0),
    ("TPOT p99 ms", "p99_tpot_ms", 1.0),
)
"""What is shown of the runs at the value: heading, metric, what it is multiplied by."""


def print_capacity(data: Mapping[str, Any], console: "Console | None" = None) -> None:
    """Print the answer of each system with its interval, what the other seeds say, and what to beware of."""
    from rich.console import Console

    if console is None:
        # Piped, rich would guess 80 columns.
        console = Console() if Console().is_terminal else Console(width=COLUMNS)
    console.print(title(data), highlight=False, style="bold", soft_wrap=True)
    console.print(_table(data))
    for line in notes(data):
        console.print(line, style="dim", highlight=False, soft_wrap=True)
    console.print()
    for entry in data["results"]:
        for warns, sentence in sentences(entry, data):
            style = "yellow" if warns else None
            console.print(sentence, style=style, highlight=False, soft_wrap=True, markup=False)
    if data["claims"]:
        console.print(f"\nclaims: {tally(data['claims'])}", highlight=False)
        for _, line, below in claim_lines(data["claims"]):
            console.print(f"{line}\n       {below}", highlight=False, soft_wrap=True, markup=False)


def capacity_html(data: Mapping[str, Any]) -> str:
    """Return what the terminal shows, for the output of a cell in a notebook."""
    from io import StringIO

    from rich.console import Console

    console = Console(file=StringIO(), record=True, width=COLUMNS, force_jupyter=False)
    print_capacity(data, console)
    table = console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")
    return f"<b>{escape(data['study'])}</b>{table}"


def _table(data: Mapping[str, Any]) -> "Table":
    from rich import box
    from rich.table import Table

    entries = data["results"]
    compared = any(entry["against"] for entry in entries)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True, header_style="bold")
    table.add_column("system", no_wrap=True)
    table.add_column(data["vary"].replace(".", ".\n", 1), justify="right", no_wrap=True)
    if compared:
        table.add_column(f"times\n{entries[0]['system']}", justify="right", no_wrap=True)
    for heading, _, _ in _AT:
        table.add_column(heading.replace(" ", "\n", 1), justify="right", no_wrap=True)
    table.add_column("most goodput\nof any run", justify="right", no_wrap=True)
    table.add_column("runs", justify="right")
    for entry in entries:
        ratio = [_ratio(entry["against"])] if compared else []
        at = [_at(entry, metric, factor) for _, metric, factor in _AT]
        table.add_row(label(entry), _value(entry), *ratio, *at, _most(entry, data["vary"]), str(entry["runs"]))
    return table


def _value(entry: Mapping[str, Any]) -> str:
    if entry["value"] is None:
        return str(entry["outcome"])
    half = "" if entry["ci_high"] is None else f" ± {number(entry['ci_high'] - entry['mean'])}"
    mark = "" if entry["outcome"] == "found" else " ?"
    return f"{exactly(entry['value'])}{half}{mark}"


def _ratio(against: Mapping[str, Any] | None) -> str:
    if against is None:
        return ""
    ratio = f"{against['ratio']:.3f}"
    if against["ratio_ci_low"] is None:
        return ratio
    return f"{ratio}\n{against['ratio_ci_low']:.3f}..{against['ratio_ci_high']:.3f}"


def _at(entry: Mapping[str, Any], metric: str, factor: float) -> str:
    at = entry["check"]["at"] if entry["check"] else None
    found = at["metrics"].get(metric) if at else None
    return "-" if found is None else number(found["mean"] * factor)


def _most(entry: Mapping[str, Any], vary: str) -> str:
    most = entry["most_goodput"]
    if most is None:
        return "-"
    met = "" if most["slo_attainment"] is None else f", met {100 * most['slo_attainment']:.0f}%"
    return f"{number(most['request_goodput'])} at {exactly(most[vary])}{met}"
