"""Latency errors: statistics of TTFT, TPOT and E2EL, and how far those of one run are from those of another."""

from collections.abc import Mapping, Sequence

import numpy as np

from simcore.fidelity.kept import LATENCIES, Seconds

STATISTICS = ("mean", "median", "p90", "p99")


def statistics_ms(latencies: Mapping[str, Seconds]) -> dict[str, float]:
    """Return mean, median, p90 and p99 of each latency in milliseconds, by vLLM's names; those without data left out.

    >>> found = statistics_ms({"ttft": np.array([0.1, 0.3]), "tpot": np.array([np.nan]), "e2el": np.array([])})
    >>> [(name, round(value)) for name, value in found.items()]
    [('mean_ttft_ms', 200), ('median_ttft_ms', 200), ('p90_ttft_ms', 280), ('p99_ttft_ms', 298)]
    """
    found: dict[str, float] = {}
    for name in LATENCIES:
        values = 1000 * latencies[name][~np.isnan(latencies[name])]
        if len(values):
            numbers = (values.mean(), *np.percentile(values, (50, 90, 99)))
            found |= {f"{which}_{name}_ms": float(v) for which, v in zip(STATISTICS, numbers, strict=True)}
    return found


def relative(simulated: Mapping[str, float], measured: Mapping[str, float]) -> dict[str, float]:
    """Return simulated over measured, less 1, of each statistic that both have and that is not 0.

    >>> relative({"a": 3.0, "b": 1.0}, {"a": 2.0, "c": 1.0})
    {'a': 0.5}
    """
    return {name: simulated[name] / value - 1 for name, value in measured.items() if value and name in simulated}


def medians(errors: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median over repetitions of each statistic that all have."""
    names = [name for name in errors[0] if all(name in each for each in errors)]
    return {name: float(np.median([each[name] for each in errors])) for name in names}


def worst(errors: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the error of the largest size, with its sign, of each statistic that all have."""
    names = [name for name in errors[0] if all(name in each for each in errors)]
    return {name: max((each[name] for each in errors), key=abs) for name in names}
