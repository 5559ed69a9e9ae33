"""Numbers: means and differences as the page writes them: as many digits as the interval is worth, thousands apart."""

from collections.abc import Mapping
from typing import Any

from simcore.results.stats import Interval
from simcore.results.wording import change, decimals

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
"""What stands where there is no number."""


def with_interval(found: Interval, factor: float = 1.0, *, counts: bool = False) -> str:
    """Return a mean and half of its interval, both to the same place.

    Args:
        counts: whether each seed's value is a whole number.

    >>> with_interval(Interval(3, 12345.6, 12111.0, 12580.2))
    '12,346 ± 235'
    >>> with_interval(Interval(3, 0.9876, 0.9776, 0.9976), 100.0)
    '98.8 ± 1.0'
    >>> with_interval(Interval(1, 0.5, None, None))
    '0.500'
    """
    mean = found.mean * factor
    places = _count_places(mean) if counts else decimals(mean)
    if found.half_width is None:
        return f"{mean:,.{places}f}"
    half = found.half_width * factor
    places = 0 if half >= 10 else places
    return f"{mean:,.{places}f} ± {half:,.{places}f}"


def _count_places(mean: float) -> int:
    return 0 if mean >= 100 or mean == int(mean) else 1


def difference_text(difference: Mapping[str, Any], metric: str) -> str:
    """Return a paired difference, of a share in points; `~` where it is not certain.

    >>> difference_text({"difference": -0.03, "verdict": "undecided"}, "slo_attainment")
    '~ −3.0 pt'
    """
    return change(difference, metric).replace("-", MINUS).replace("~", "~ ").replace("pt", " pt")
