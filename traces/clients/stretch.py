"""Stretch: which part of the recorded time is played, how long, and by what factor all rates are scaled."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from traces.clients.population import Population
from traces.parameters import Parameters
from traces.synthetic import MAX_SPAN_S

DAY_S = 86_400.0


@dataclass(frozen=True)
class Stretch:
    """The part from `from_s` to `to_s`, in the time of the files; it begins again where more requests are asked for.

    factor: of all rates. rate: mean requests per second that are asked for. lasts_s: expected time to the last request.
    """

    from_s: float
    to_s: float
    factor: float
    rate: float
    lasts_s: float


@dataclass(frozen=True, eq=False)
class _Curve:
    """Requests expected up to each edge of the windows, from the start of the first."""

    edges_s: NDArray[np.float64]
    expected: NDArray[np.float64]

    @classmethod
    def of(cls, population: Population) -> "_Curve":
        windows, per_s = population.windows, population.per_s
        edges_s = windows.start_s + windows.window_s * np.arange(len(per_s) + 1, dtype=np.float64)
        return cls(edges_s, np.concatenate(([0.0], np.cumsum(per_s * windows.window_s))))

    def between(self, from_s: float, to_s: float) -> float:
        low, high = np.interp([from_s, to_s], self.edges_s, self.expected)
        return float(high - low)

    def time_of(self, requests: float, from_s: float, to_s: float) -> float:
        """Return how long it takes until so many have come, if the part from `from_s` to `to_s` is repeated."""
        passes, rest = divmod(requests, self.between(from_s, to_s))
        first = float(np.interp(from_s, self.edges_s, self.expected))
        return passes * (to_s - from_s) + float(np.interp(first + rest, self.expected, self.edges_s)) - from_s


def choose(
    population: Population,
    *,
    rate: float | None,
    requests: int | None,
    from_s: float | None,
    for_s: float | None,
    problems: list[str],
) -> Stretch | None:
    """Return the stretch; None if `problems` now say what is wrong. `open_clients` says what the parameters mean."""
    curve = _Curve.of(population)
    parameters = Parameters("", {"rate": rate, "requests": requests, "from_s": from_s, "for_s": for_s}, problems)
    before = len(problems)
    wanted = parameters.integer("requests", least=1) if requests is not None else None
    per_s = parameters.positive("rate") if rate is not None else None
    start_s, end_s = float(curve.edges_s[0]), float(curve.edges_s[-1])
    first_s = parameters.number("from_s", least=start_s, most=end_s, default=start_s)
    if first_s >= end_s:
        parameters.add("from_s", f"must be below {end_s:g} s, where the data end, got {first_s:g}")
    long_s = parameters.positive("for_s") if for_s is not None else None
    if long_s is not None and first_s + long_s > end_s:
        parameters.add("for_s", f"must be at most {end_s - first_s:g} s from {first_s:g} s on, got {long_s:g}")
    if len(problems) > before:
        return None
    to_s = end_s if long_s is None else first_s + long_s
    if long_s is None and wanted is None:
        to_s = min(end_s, first_s + DAY_S)
    if not curve.between(first_s, to_s):
        parameters.add("from_s", f"must choose a time with requests, but none come from {first_s:g} s to {to_s:g} s")
        return None
    return _scaled(curve, first_s, to_s, per_s, wanted, long_s is None, parameters)


def _scaled(
    curve: _Curve,
    from_s: float,
    to_s: float,
    rate: float | None,
    requests: int | None,
    by_requests: bool,
    parameters: Parameters,
) -> Stretch | None:
    """Return the stretch at `rate`. by_requests: the rate is the mean until all have come, not of the whole part."""
    mean_s = to_s - from_s
    if requests is not None and by_requests:
        mean_s = min(mean_s, curve.time_of(requests, from_s, to_s) if rate is None else requests / rate)
    own = curve.between(from_s, from_s + mean_s) / mean_s
    if not own:
        parameters.add("rate", f"must have requests to scale, but none come in the first {mean_s:g} s; choose from_s")
        return None
    factor = 1.0 if rate is None else rate / own
    lasts_s = to_s - from_s if requests is None else curve.time_of(requests / factor, from_s, to_s)
    if not math.isfinite(lasts_s) or lasts_s > MAX_SPAN_S:
        parameters.add("requests", f"must arrive within 46 days, got {requests:,} at {own * factor:g} req/s")
        return None
    return Stretch(from_s, to_s, factor, own * factor, lasts_s)
