"""Clock: times as traces write them, made exact: (whole seconds, picoseconds within the second).

Two integers, because picoseconds since 1970 do not fit 64 bits. Dates count from 1970 (UTC unless they say
otherwise), plain numbers from their own zero.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

import numpy as np

from simcore.contract.traffic import Column
from simcore.contract.units import PS_PER_MS, PS_PER_S

TimeUnit = Literal["s", "ms", "us", "ns"]
UNIT_NAMES: dict[TimeUnit, str] = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
UNIT_PS: dict[TimeUnit, int] = {"s": PS_PER_S, "ms": PS_PER_MS, "us": 10**6, "ns": 10**3}

Instant = tuple[int, int]

_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,12}))?(Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_NUMBER = re.compile(r"\d{1,19}(\.\d{0,15})?([eE][+-]?\d{1,2})?", re.ASCII)
_DECIMALS = re.compile(r"\d{1,14}\.\d{1,12}(,\d{1,14}\.\d{1,12})*", re.ASCII)
_FARTHEST: dict[TimeUnit, int] = {"s": 10**14, "ms": 10**14, "us": 10**17, "ns": 9 * 10**18}
"""In each unit: dates of this century fit, and so does the number in 63 bits."""


def instant(text: str, unit: TimeUnit) -> Instant:
    """Return the instant a date or a number (in `unit`) names; ValueError says what was expected.

    >>> instant("1970-01-02 00:00:00.0000001", "s")
    (86400, 100000)
    >>> instant("1500.25", "ms")
    (1, 500250000000)
    """
    text = text.strip()
    date = _DATE.fullmatch(text)
    if date:
        day, time, fraction, zone = date.groups()
        when = datetime.fromisoformat(f"{day} {time}{zone or ''}")
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return int(when.timestamp()), int((fraction or "").ljust(12, "0"))
    if _NUMBER.fullmatch(text):
        return instant_of(Decimal(text), unit)
    limit = f"{_FARTHEST[unit]:.0e}"
    raise ValueError(f"must be a date like 2023-11-16 18:15:46.6805900, or a number >= 0 and below {limit}")


def instant_of(value: int | Decimal, unit: TimeUnit) -> Instant:
    """Return the instant of a number in `unit`, rounded to the picosecond; ValueError if out of range."""
    if not 0 <= value < _FARTHEST[unit]:
        raise ValueError(f"must be >= 0 and below {_FARTHEST[unit]:.0e}")
    return divmod(round(value * UNIT_PS[unit]), PS_PER_S)


def columns_of(instants: Sequence[Instant]) -> tuple[Column, Column]:
    """Return [n] seconds and [n] picoseconds within the second."""
    both = np.array(instants, dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def numbers(values: Sequence[int | Decimal], unit: TimeUnit) -> tuple[Column, Column]:
    """Return `columns_of` the instants of numbers in `unit`; ValueError if one is no number or out of range."""
    kinds = set(map(type, values))
    if kinds == {int}:
        column = np.array(values)
        if column.dtype != np.int64 or column.min() < 0 or column.max() >= _FARTHEST[unit]:
            raise ValueError("time out of range")
        per_second = PS_PER_S // UNIT_PS[unit]
        return column // per_second, column % per_second * UNIT_PS[unit]
    if kinds <= {int, Decimal}:
        return columns_of([instant_of(value, unit) for value in values])
    raise ValueError("a time is not a number")


def instants(texts: Sequence[str], unit: TimeUnit) -> tuple[Column, Column]:
    """Return `columns_of` what `instant` says of each text; ValueError if it refuses one, or may.

    >>> seconds, ps = instants(["0.5", "12.25"], "s")
    >>> seconds.tolist(), ps.tolist()
    ([0, 12], [500000000000, 250000000000])
    """
    if "-" in texts[0]:
        return uniform_dates(texts)
    joined = ",".join(texts)
    if joined.replace(",", "").isdigit() and joined.isascii():
        return numbers(list(map(int, texts)), unit)
    if _DECIMALS.fullmatch(joined):
        return _decimals(texts, unit)
    return columns_of([instant(text, unit) for text in texts])


def _decimals(texts: Sequence[str], unit: TimeUnit) -> tuple[Column, Column]:
    """Return `columns_of` numbers with a point in `unit`: 12 decimals of a second are picoseconds, and so on."""
    places = len(str(UNIT_PS[unit])) - 1
    parts = [text.split(".") for text in texts]
    if max(len(decimals) for _, decimals in parts) > places:
        return columns_of([instant(text, unit) for text in texts])
    whole = np.array([int(digits) for digits, _ in parts])
    rest = np.array([int(decimals.ljust(places, "0")) for _, decimals in parts])
    per_second = PS_PER_S // UNIT_PS[unit]
    return whole // per_second, whole % per_second * UNIT_PS[unit] + rest


def uniform_dates(texts: Sequence[str]) -> tuple[Column, Column]:
    """Return `columns_of` the instants of UTC dates that are all written alike; ValueError if they are not.

    This is the fast road for a piece of a file: what it takes, `instant` reads the same.
    """
    width = len(texts[0])
    joined = "".join(texts).encode("ascii")
    if len(joined) != width * len(texts) or set(map(len, texts)) != {width}:
        raise ValueError("dates of different widths")
    letters = np.frombuffer(joined, np.uint8).reshape(-1, width)
    template = letters[0].tobytes().decode("ascii")
    date = _DATE.fullmatch(template)
    if not date or date[4] not in (None, "Z", "+00:00"):
        raise ValueError("not a UTC date")
    digits = slice(20, 20 + len(date[3] or ""))
    is_digit = (letters >= ord("0")) & (letters <= ord("9"))
    end = digits.stop if date[3] else 19
    pattern = is_digit[0].copy()
    pattern[end:] = False
    if not is_digit[:, pattern].all() or (letters[:, ~pattern] != letters[0, ~pattern]).any():
        raise ValueError("dates written in different ways")
    seconds = np.ascontiguousarray(letters[:, :19]).view("S19").ravel().astype("datetime64[s]").astype(np.int64)
    weights = 10 ** np.arange(11, 11 - (digits.stop - digits.start), -1, dtype=np.int64)
    return seconds, (letters[:, digits].astype(np.int64) - ord("0")) @ weights
