"""SLO: the limits that requests must meet, per class, and which requests met them."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from math import inf

import numpy as np
from numpy.typing import NDArray

from simcore.results.schema import SLO_KEYS

MS_PER_S = 1000

Limits = Mapping[str, float]
"""Bounds in milliseconds by `SLO_KEYS`."""
Seconds = NDArray[np.float64]


def check_slo(limits: Limits) -> None:
    """Raise ValueError unless every key is one of `SLO_KEYS` and every bound is >= 0."""
    for key, bound in limits.items():
        if key not in SLO_KEYS:
            near = get_close_matches(key, SLO_KEYS, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"slo: unknown key {key!r}; have {', '.join(SLO_KEYS)}{hint}")
        if not bound >= 0:
            raise ValueError(f"slo.{key} must be >= 0, got {bound}")


class Slo:
    """What each class of requests was promised.

    Args:
        limits: of every class that has none of its own.
        of_class: the limits of the others, complete, by name.
        classes: names of all classes, by index.

    Raises ValueError for a bound that cannot be, or a class that is not there.
    """

    def __init__(self, limits: Limits, of_class: Mapping[str, Limits], classes: Sequence[str]) -> None:
        for each in (limits, *of_class.values()):
            check_slo(each)
        for name in of_class:
            if name not in classes:
                raise ValueError(f"slo.classes: unknown class {name!r}; have {', '.join(classes)}")
        self.by_class = [of_class.get(name, limits) for name in classes]
        self.differs = bool(of_class)

    @property
    def given(self) -> bool:
        """Whether any class was promised anything."""
        return any(self.by_class)

    def alone(self, index: int) -> "Slo":
        """Return what one class was promised, for requests that are all of it."""
        return Slo(self.by_class[index], {}, ("",))

    def met(self, ttft_s: Seconds, tpot_s: Seconds, e2el_s: Seconds, classes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of n finished requests met all limits; all arrays are [n], and TPOT may be NaN.

        vLLM's rule: a response of one token has no TPOT and meets every bound on it.
        """
        good = ttft_s <= self._bound("ttft_ms", classes)
        good &= np.nan_to_num(tpot_s) <= self._bound("tpot_ms", classes)
        good &= e2el_s <= self._bound("e2el_ms", classes)
        return good

    def _bound(self, key: str, classes: NDArray[np.int64]) -> Seconds | float:
        bounds = [limits.get(key, inf) / MS_PER_S for limits in self.by_class]
        return np.array(bounds)[classes] if self.differs else bounds[0]
