"""Where: the range of values in which a search looks, from the user's limits, the study's sweep, or what it says."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, sqrt
from typing import Any

from simcore.capacity.keys import RATE, Key, is_number, written
from simcore.capacity.search import Field
from simcore.study.document import Document
from simcore.study.errors import Problem, StudyError
from simcore.study.resolve import Resolved, resolve
from simcore.study.traffic import open_workload

REACH = 1024.0
"""How far from its start a search goes at most, up and down, where the user sets no limit."""
STRIDE = 1.1
"""First step of a search whose place a scout, or another seed, has found."""
_OUT = 2.0
_ROUGH = 0.1
_NARROW = 1.05


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user allows."""

    low: float | None
    high: float | None

    @classmethod
    def read(cls, low: float | None, high: float | None, *, whole: bool) -> "Limits":
        """Return the limits. Raises StudyError unless they are above 0, in order, and whole where the key is."""
        for name, value in (("--low", low), ("--high", high)):
            if value is not None and not (isfinite(value) and value > 0):
                raise _wrong(name, f"must be above 0, got {value:g}")
            if value is not None and whole and not float(value).is_integer():
                raise _wrong(name, f"must be a whole number, got {value:g}")
        if low is not None and high is not None and low >= high:
            raise _wrong("--low", f"must be below --high, got {low:g} and {high:g}")
        kind: Any = int if whole else float
        return cls(*(None if value is None else kind(value) for value in (low, high)))

    @property
    def both(self) -> bool:
        return self.low is not None and self.high is not None


def field_of(document: Document, key: Key, limits: Limits, swept: Sequence[Any], tolerance: float) -> Field:
    """Return where to search `key`.

    Args:
        swept: values the study sweeps it over; a search begins in their middle, and may leave them.

    Raises StudyError if nothing says where to begin.
    """
    low, high, stride = limits.low, limits.high, _OUT
    values = sorted(value for value in swept if is_number(value) and value > 0)
    if low is not None and high is not None:
        start, stride = sqrt(low * high), sqrt(high / low)
    elif values:
        start, stride = sqrt(values[0] * values[-1]), sqrt(values[-1] / values[0])
    else:
        start = _said(document, key) or low or high or 0.0
    if not start > 0:
        raise _wrong(f"--vary {key.name}", "the study does not say where to begin; give --low and --high")
    least = 1 if key.whole else start / REACH
    field = Field(
        low=low or min(least, high or least),
        high=high or max(start, low or start) * REACH,
        start=start,
        stride=max(stride, _NARROW),
        tolerance=tolerance,
        harder=key.harder,
        whole=key.whole,
    )
    bounded = replace(field, low=int(field.low), high=int(field.high)) if key.whole else field
    return replace(bounded, start=bounded.within(start))


def rough(field: Field) -> Field:
    """Return the field for a scout, whose short runs only tell where to begin."""
    return replace(field, tolerance=max(_ROUGH, field.tolerance))


def nearby(field: Field, value: float, stride: float) -> Field:
    """Return the field for a search that is expected to end near `value`."""
    return replace(field, start=field.within(value), stride=stride)


def _said(document: Document, key: Key) -> float | None:
    """Return the value the study runs with: as written, or what it comes to."""
    value = written(document.data, key.name)
    if is_number(value) and value > 0:
        return float(value)
    resolved, problems = resolve(document)
    if resolved is None:
        raise StudyError(problems)
    return _comes_to(resolved, key)


def _comes_to(resolved: Resolved, key: Key) -> float | None:
    if key.name == RATE:
        rate = open_workload(resolved.spec, resolved.trace_file, 0).rate
        return rate if isfinite(rate) else None
    if key.name == "cluster.kv_blocks":
        return float(max(system.kv_blocks for system in resolved.systems.values()))
    here: Any = resolved.spec
    for step in key.name.split("."):
        here = getattr(here, step, None)
    return float(here) if is_number(here) else None


def _wrong(place: str, message: str) -> StudyError:
    return StudyError([Problem(place, "", message)])
