"""Rates: when and how a client sends, window by window, as its `chunk-*-trace.csv` tells.

A row is `start_s, rate, cv, family, shape, scale`: requests per second and the distribution of the gaps fitted to
the requests of one window (600 s in the public files). An idle window has rate 0 and no family.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from traces.clients.bundle import ClientFile
from traces.clients.families import FAMILIES, LEAST_CV, MOST_CV, Family
from traces.clients.findings import Findings
from traces.formats.base import shown

LAYOUT = "start_s, rate, cv, family, shape, scale"
_CELLS = LAYOUT.split(", ")
_IDLE = ["0", "0", "", "0", "0"]
"""Two thirds of all windows, so they take a short way."""
_LONE_WINDOW_S = 600.0


@dataclass(frozen=True, eq=False)
class Rates:
    """Windows of equal length, one after the other.

    start_s, window_s: start of the first window, and length of each.
    per_s: [w] float64, requests per second, >= 0.
    cv: [w] float64, coefficient of variation of the gaps that were measured (the family's is its fit).
    families: [w] distribution of the gaps, None where idle.
    """

    start_s: float
    window_s: float
    per_s: NDArray[np.float64]
    cv: NDArray[np.float64]
    families: tuple[Family | None, ...]

    def same_windows(self, other: "Rates") -> bool:
        return (self.start_s, self.window_s, len(self.per_s)) == (other.start_s, other.window_s, len(other.per_s))


def read_rates(file: ClientFile, findings: Findings) -> Rates | None:
    """Return the windows of a client; None if `findings` now say what is wrong with them."""
    before = len(findings.found)
    starts: list[float] = []
    rows: list[tuple[float, float, Family | None]] = []
    for number, line in enumerate(file.text.splitlines(), 1):
        if not line.strip():
            continue
        row = _Row(file.place, number, line, findings)
        if len(row.cells) != len(_CELLS):
            row.wrong(0, f"must be {len(_CELLS)} cells ({LAYOUT}), got {len(row.cells)}")
            continue
        start_s = row.number(0)
        expected_s = 2 * starts[-1] - starts[-2] if len(starts) > 1 else start_s
        if abs(start_s - expected_s) > 1e-6 or (starts and start_s <= starts[-1]):
            row.wrong(0, f"start_s: windows must follow each other in equal steps, got {shown(row.cells[0])}")
        starts.append(start_s)
        rows.append(row.window())
    if not rows and len(findings.found) == before:
        findings.add(file.place, 1, 1, f"has no windows; the format is {LAYOUT}")
    if len(findings.found) > before:
        return None
    per_s, cv, families = zip(*rows, strict=True)
    window_s = starts[1] - starts[0] if len(starts) > 1 else _LONE_WINDOW_S
    return Rates(starts[0], window_s, np.array(per_s), np.array(cv), families)


class _Row:
    """One line, and where in it a cell is wrong."""

    def __init__(self, place: str, line_number: int, line: str, findings: Findings) -> None:
        self._place, self._line_number, self._findings = place, line_number, findings
        self.cells = line.split(",")

    def window(self) -> tuple[float, float, Family | None]:
        """Return rate, coefficient of variation and family of the window."""
        if self.cells[1:] == _IDLE:
            return 0.0, 0.0, None
        rate, cv = self.number(1, least=0.0), self.number(2, least=0.0)
        name = self.cells[3].strip()
        shape, scale = self.number(4), self.number(5)
        if not name:
            if rate > 0:
                self.wrong(3, f"family: missing, but the rate is {rate:g}: must be {' or '.join(FAMILIES)}")
            return rate, cv, None
        if name not in FAMILIES:
            self.wrong(3, f"family: must be {' or '.join(FAMILIES)}, got {shown(name)}")
            return rate, cv, None
        if scale <= 0:
            self.wrong(5, f"scale: must be > 0, got {shown(self.cells[5])}")
        if shape <= 0:
            self.wrong(4, f"shape: must be > 0, got {shown(self.cells[4])}")
            return rate, cv, None
        family = FAMILIES[name](shape)
        if not LEAST_CV <= family.cv <= MOST_CV:
            rule = f"must make gaps with a coefficient of variation between {LEAST_CV:g} and {MOST_CV:g}"
            self.wrong(4, f"shape: {rule}, got {shown(self.cells[4])} ({name}: {family.cv:.3g})")
        return rate, cv, family if rate > 0 else None

    def number(self, cell: int, least: float = -math.inf) -> float:
        """Return the number in a cell; 1.0 if it is none, which is then noted."""
        text = self.cells[cell].strip()
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value) and value >= least:
            return value
        rule = "a finite number" if least == -math.inf else f"a finite number >= {least:g}"
        self.wrong(
            cell, f"{_CELLS[cell]}: missing" if not text else f"{_CELLS[cell]}: must be {rule}, got {shown(text)}"
        )
        return 1.0

    def wrong(self, cell: int, message: str) -> None:
        column = 1 + sum(len(before) + 1 for before in self.cells[:cell])
        self._findings.add(self._place, self._line_number, column, message)
