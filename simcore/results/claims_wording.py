"""Wording of claims: why one holds or does not, in a sentence with its numbers, and how the terminal shows them."""

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

from simcore.results.claims_check import Check
from simcore.results.claims_metrics import BREAKING_POINT, place
from simcore.results.claims_relation import ORDERS, RATIOS, Band
from simcore.results.wording import number

MARKS = {True: "holds", False: "fails", None: "open"}


def why(subject: str, unit: str, check: Check, checks: Sequence[Check], wanted: str = "") -> str:
    """Return what settled a claim: the numbers of one check, what bears on them, and how the other checks went.

    Args:
        subject: what is measured, in `unit` (empty: a number).
        wanted: how much it may be, where the claim says so.
    """
    quantity, found = check.quantity.name, check.estimate
    along = quantity in ("factor", "change")
    known = [
        f"{number(mean)} at {name}" if along else f"{name} {number(mean)}"
        for name, mean in check.quantity.means.items()
        if mean is not None
    ]
    text = f"{subject}{place(check.point)}: {', '.join(known) or 'no data'}"
    if found.mean is not None:
        text += "" if quantity == "value" else f"; {quantity} {said(found.mean, quantity)}{unit_said(quantity, unit)}"
        text += f" ({_interval(check)})"
    must = f"must be {wanted}" if wanted else ""
    parts = [text, must, check.reason, _others(check, checks) if len(checks) > 1 else ""]
    return "; ".join(filter(None, parts))


def _interval(check: Check) -> str:
    found, name = check.estimate, check.quantity.name
    seeds = f"{found.n} seed{'' if found.n == 1 else 's'}"
    unknown_low, unknown_high = check.quantity.unknown_low(found), found.high == inf
    if unknown_low and unknown_high:
        return seeds
    sure = f"{100 * found.confidence:.3g}%"
    if unknown_low or unknown_high:
        end = f"at least {said(found.low, name)}" if unknown_high else f"at most {said(found.high, name)}"
        return f"{end} at {sure}, {seeds}"
    return f"{sure} CI {said(found.low, name)} to {said(found.high, name)}, {seeds}"


def _others(check: Check, checks: Sequence[Check]) -> str:
    same = sum(each.holds is check.holds for each in checks)
    if check.holds is None:
        return f"open in {same} of {len(checks)} comparisons"
    return f"the closest of {len(checks)} comparisons" if check.holds else f"so in {same} of {len(checks)} comparisons"


def said(value: float | None, quantity: str) -> str:
    """Return a number of a quantity.

    >>> said(1.618, "ratio"), said(0.36, "reduction"), said(12.34, "value"), said(None, "ratio")
    ('1.62x', '36%', '12.3', '-')
    """
    if value is None:
        return "-"
    if quantity in RATIOS:
        return f"{value:.2f}x" if value < 100 else f"{value:.0f}x"
    return f"{100 * value:.3g}%" if quantity == "reduction" else number(value)


def band_said(band: Band, quantity: str, unit: str) -> str:
    """Return how much a quantity may be.

    >>> band_said(Band(low=1.27, high=2.58), "ratio", "ms"), band_said(Band(high=250.0), "value", "ms")
    ('1.27x to 2.58x', 'at most 250 ms')
    """
    behind = unit_said(quantity, unit)
    if band.low == -inf or band.high == inf:
        end, value = ("at least", band.low) if band.high == inf else ("at most", band.high)
        return f"{end} {said(value, quantity)}{behind}"
    return f"{said(band.low, quantity)} to {said(band.high, quantity)}{behind}"


def unit_of(metric: str) -> str:
    """Return the unit of a metric, where its name tells it.

    >>> unit_of("p99_ttft_ms"), unit_of("breaking_point"), unit_of("preemptions")
    ('ms', 'req/s', '')
    """
    if metric.endswith("_ms"):
        return "ms"
    if metric == BREAKING_POINT or metric in ("request_throughput", "request_goodput"):
        return "req/s"
    return "s" if metric == "duration" or metric.startswith("job_completion_time_s") else ""


def unit_said(quantity: str, unit: str) -> str:
    """Return the unit as it follows a number of a quantity: a ratio or a share has none."""
    return f" {unit}" if unit and quantity in ("difference", "value", "change") else ""


def paper_says(entry: Mapping[str, Any]) -> str:
    """Return the paper's number or numbers as text; empty if none is given.

    Args:
        entry: one of `claims` in summary.json.

    >>> entry = {"paper": [1.4, 5.8], "quantity": "ratio", "relation": "ratio", "metric": "preemptions", "per": None}
    >>> paper_says(entry)
    '1.40x to 5.80x'
    """
    paper = entry["paper"]
    if paper is None or isinstance(paper, str):
        return paper or ""
    if entry["relation"] in ORDERS:
        return ", ".join(f"{value:g}" for value in (paper if isinstance(paper, list) else [paper]))
    values = paper if isinstance(paper, list) else [paper]
    return " to ".join(said(value, entry["quantity"]) for value in values) + _unit(entry)


def tally(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return how many claims hold, fail and stay open.

    >>> tally([{"holds": True}, {"holds": None}, {"holds": True}])
    '2 hold, 1 is open'
    """
    counts = {verdict: sum(entry["holds"] is verdict for entry in entries) for verdict in MARKS}
    verbs = {True: ("holds", "hold"), False: ("fails", "fail"), None: ("is open", "are open")}
    return ", ".join(f"{count} {verbs[verdict][count > 1]}" for verdict, count in counts.items() if count)


def claim_lines(entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[bool | None, str, str]]:
    """Yield (verdict, headline, the line below it) of each claim."""
    for entry in entries:
        sides = [f"paper {paper_says(entry)}"] if entry["paper"] is not None else []
        sides += [f"here {said(entry['here'], entry['quantity'])}{_unit(entry)}"] if entry["here"] is not None else []
        source = f" ({entry['source']})" if entry["source"] else ""
        below = f"{', '.join(sides)}: {entry['why']}" if sides else entry["why"]
        yield entry["holds"], f"{MARKS[entry['holds']]:<5}  {entry['claim']}{source}", below


def _unit(entry: Mapping[str, Any]) -> str:
    return "" if entry["per"] else unit_said(entry["quantity"], unit_of(entry["metric"]))
