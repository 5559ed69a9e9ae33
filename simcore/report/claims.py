"""Claims: what a paper says of the systems, and what these runs say, as text side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simcore.report.numbers import NOTHING
from simcore.results.claims_wording import MARKS, paper_says, said, unit_of, unit_said


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A claim as a row of a table.

    Args:
        claim, source: as the study has them; `link` is where the source leads, if that is an address.
        paper, here: the two numbers, with `between` the interval of ours.
        holds: "holds", "fails" or "open"; `why` in a sentence.
    """

    claim: str
    source: str
    link: str
    paper: str
    here: str
    between: str
    holds: str
    why: str


def claim_row(entry: Mapping[str, Any]) -> ClaimRow:
    """Return an entry of `claims` in summary.json as text."""
    quantity, source = entry["quantity"], entry["source"] or ""
    unit = "" if entry["per"] else unit_said(quantity, unit_of(entry["metric"]))
    known = None not in (entry["ci_low"], entry["ci_high"])
    return ClaimRow(
        claim=entry["claim"],
        source=source,
        link=source if source.startswith(("https://", "http://")) and " " not in source else "",
        paper=paper_says(entry) or NOTHING,
        here=NOTHING if entry["here"] is None else said(entry["here"], quantity) + unit,
        between=f"{said(entry['ci_low'], quantity)} to {said(entry['ci_high'], quantity)}" if known else "",
        holds=MARKS[entry["holds"]],
        why=entry["why"],
    )
