"""SM curve: how many times as long an iteration takes on a share of the SMs, by a measured table or the paper's fit.

Prompts and decodes have a curve each. The paper's form is `a x 100/share + b` (semi-PD, arXiv:2504.19867, section 4.3);
its numbers are those of the public code (infinigence/Semi-PD@17bbab4, `distserve/single_stage_engine.py`), divided by
what they say at 100, where the code jumps to 1. That code uses them from 80 on; below, they are carried on.
"""

import csv
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("sm_pct", "prefill", "decode")
PREFILL_FIT = (0.7324350, 0.3185253)
DECODE_FIT = (0.6099164, 0.4153061)


@dataclass(frozen=True, slots=True)
class SmCurve:
    """Factors of an iteration's time, by percent of the SMs.

    Args:
        source: where they come from.
        prefill, decode: [101] factors of iterations with a prompt in them, and of those without; 1 at 100, 0 unused.
    """

    source: str
    prefill: tuple[float, ...]
    decode: tuple[float, ...]


def paper_curve() -> SmCurve:
    """Return the curve of the paper's form with the numbers of its code."""
    return SmCurve(
        "arXiv:2504.19867, fits of infinigence/Semi-PD@17bbab4", _inverse(*PREFILL_FIT), _inverse(*DECODE_FIT)
    )


def _inverse(slope: float, rest: float) -> tuple[float, ...]:
    whole = slope + rest
    return (0.0, *((slope * 100 / share + rest) / whole for share in range(1, 101)))


def read_curve(path: Path) -> SmCurve:
    """Return the curve of a table: CSV with the columns sm_pct, prefill, decode.

    Between two rows it is straight over 100/share; below the first, time goes as 1/share. Raises ValueError with place
    and rule.
    """
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from None
    points = [_point(path, number, row) for number, row in enumerate(rows, 2)]
    shares = [share for share, _, _ in points]
    if not points or shares != sorted(set(shares)) or shares[-1] != 100:
        raise ValueError(f"{path}: sm_pct must ascend, each once, and end with 100, got {shares}")
    curves = [[point[which] / points[-1][which] for point in points] for which in (1, 2)]
    return SmCurve(path.name, _between(shares, curves[0]), _between(shares, curves[1]))


def _point(path: Path, number: int, row: dict[str, str]) -> tuple[int, float, float]:
    try:
        share, prefill, decode = (float(row[name]) for name in COLUMNS)
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path}:{number}: must have numbers under {', '.join(COLUMNS)}, got {row}") from None
    if not (1 <= share <= 100 and share == int(share) and prefill > 0 and decode > 0):
        raise ValueError(f"{path}:{number}: sm_pct must be a whole 1..100 and factors > 0, got {row}")
    return int(share), prefill, decode


def _between(shares: Sequence[int], factors: Sequence[float]) -> tuple[float, ...]:
    return (0.0, *(_at(share, shares, factors) for share in range(1, 101)))


def _at(share: int, shares: Sequence[int], factors: Sequence[float]) -> float:
    place = bisect_left(shares, share)
    if shares[place] == share:
        return factors[place]
    if place == 0:
        return factors[0] * shares[0] / share
    low, high = shares[place - 1], shares[place]
    part = (100 / share - 100 / high) / (100 / low - 100 / high)
    return factors[place] + part * (factors[place - 1] - factors[place])
