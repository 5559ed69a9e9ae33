"""Provenance: what made the numbers, how far off they may be, and the commands that make them again."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simcore.report.setup import words
from simcore.results.plots.resolved import RESOLVED

_NAMES = {
    "simcore": "simcore",
    "code": "Hash of its sources",
    "finished": "Finished",
    "python": "Python",
    "platform": "Machine",
    "packages": "Packages",
    "trace": "Trace",
}
_ELSEWHERE = ("command", "hardware_error")
"""What has a section of its own."""


@dataclass(frozen=True, slots=True)
class ErrorBand:
    """How far the cost model is from measured operators.

    Args:
        said: the text of the hardware file, without what is in the table.
        operators: (operator, median, 90th percentile, points) of relative errors.
        measured: whether the file says more than that nobody measured.
    """

    said: str
    operators: tuple[tuple[str, str, str, str], ...]
    measured: bool


def provenance_rows(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (what, value) of everything the summary knows about its making; new keys as they are."""
    return [
        (_NAMES.get(key, key.replace("_", " ")), words(value) if not isinstance(value, str) else value)
        for key, value in provenance.items()
        if key not in _ELSEWHERE and value not in (None, "", {}, [])
    ]


def error_band(provenance: Mapping[str, Any], *, fp8: bool = False) -> ErrorBand:
    """Return the error of the cost model, as its hardware file states it.

    Args:
        fp8: whether weights are FP8; else its operators are left out.

    >>> error_band({"hardware_error": "on tables; matmul bf16: median 8.8%, p90 33.1% of 35742 points"}).operators
    (('matmul bf16', '8.8%', '33.1%', '35,742'),)
    """
    text = str(provenance.get("hardware_error") or "not measured")
    said, operators = [], []
    for part in text.split("; "):
        found = re.fullmatch(r"(.+): median ([\d.]+%), p90 ([\d.]+%) of (\d+) points", part)
        if found and "fp8" in found[1] and not fp8:
            continue
        if found:
            operators.append((found[1], found[2], found[3], f"{int(found[4]):,}"))
        else:
            said.append(part)
    return ErrorBand("; ".join(said), tuple(operators), not text.startswith("not measured"))


def commands(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (what it does, command line)."""
    typed = list(provenance.get("command") or ())
    if len(typed) > 1:
        yield "What was typed", shlex.join(["simcore", *map(str, typed[1:])])
    yield "The same from this folder alone", f"simcore run {RESOLVED}"
    yield "This page again", "simcore report ."
