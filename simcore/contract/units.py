"""Time inside simcore: whole picoseconds, so that sums are exact and do not depend on how a step is split.

Seconds (floats) appear only where people and policies look; 63 bits of picoseconds are 106 days.
"""

PS_PER_S = 10**12
PS_PER_MS = 10**9


def to_ps(seconds: float) -> int:
    """Return `seconds` rounded to the nearest whole picosecond.

    >>> to_ps(0.5)
    500000000000
    """
    return round(seconds * PS_PER_S)


def to_s(ps: int) -> float:
    """Return picoseconds as float seconds.

    >>> to_s(1_500_000_000_000)
    1.5
    """
    return ps / PS_PER_S
