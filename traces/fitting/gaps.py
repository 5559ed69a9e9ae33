"""Gaps: kinds of arrivals fitted to the gaps of a trace, as parameters for `arrivals`.

Gamma and Weibull by maximum likelihood (location 0). Bursts and correlation look at how the gaps follow each other.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]
Kind = dict[str, Any]

_LAGS = 50


def gamma(gap_s: Seconds) -> Kind:
    """Return gamma gaps; those of 0 are left out."""
    from scipy import stats

    shape, _, _ = stats.gamma.fit(gap_s[gap_s > 0], floc=0)
    return {"kind": "gamma", "cv": round(float(shape) ** -0.5, 4)}


def weibull(gap_s: Seconds) -> Kind:
    """Return Weibull gaps; those of 0 are left out."""
    from scipy import stats

    shape, _, _ = stats.weibull_min.fit(gap_s[gap_s > 0], floc=0)
    return {"kind": "weibull", "shape": round(float(shape), 4)}


def table(gap_s: Seconds, probabilities: tuple[float, ...]) -> Kind:
    """Return independent gaps with the quantiles of these, in units of their mean."""
    gaps = np.quantile(gap_s / gap_s.mean(), probabilities)
    return {"kind": "quantiles", "probabilities": list(probabilities), "gaps": gaps.tolist()}


def on_off(gap_s: Seconds, silence_s: float, probabilities: tuple[float, ...]) -> Kind:
    """Return bursts: a gap above `silence_s` is one in which it is off, all others are the gaps while it is on.

    On and off each take their mean time; how the times vary about it is not fitted.
    """
    silent = gap_s > silence_s
    burst_gap_s = gap_s[~silent]
    on_s = burst_gap_s.sum() / silent.sum()
    off_s = gap_s[silent].mean() - burst_gap_s.mean()  # a gap holds what is left of the burst on either side
    duty = on_s / (on_s + off_s)
    return {
        "kind": "on_off",
        "duty": round(float(duty), 4),
        "on_s": round(float(on_s), 2),
        "gaps": table(burst_gap_s, probabilities),
    }


def correlated(gap_s: Seconds, probabilities: tuple[float, ...]) -> Kind:
    """Return gaps with the quantiles of these and with the correlation of their normal scores, over lags of 1 to 50.

    `correlation` and `run` are the least squares fit of correlation * (1 - 1 / run)^lag.
    """
    from scipy import optimize

    measured = _autocorrelation(gap_s)
    (correlation, run), _ = optimize.curve_fit(
        lambda lag, c, run: c * (1 - 1 / run) ** lag,
        np.arange(1, _LAGS + 1),
        measured,
        p0=(max(measured[0], 0.01), 20.0),
        bounds=((0, 1.01), (1, 1e6)),
    )
    return table(gap_s, probabilities) | {"correlation": round(float(correlation), 3), "run": round(float(run), 1)}


def _autocorrelation(gap_s: Seconds) -> Seconds:
    """Return [lags] correlations of the gaps' normal scores with those 1, 2, ... further on."""
    from scipy.special import ndtri

    scores = ndtri((gap_s.argsort(kind="stable").argsort() + 0.5) / len(gap_s))
    lags = range(1, _LAGS + 1)
    return np.array([np.corrcoef(scores[lag:], scores[:-lag])[0, 1] for lag in lags])


def states(gap_s: Seconds, window_s: float, levels: int, probabilities: tuple[float, ...]) -> Kind:
    """Return a rate that goes between states: none, and `levels` levels that as many windows of `window_s` have each.

    A window's state is known from its count. Sojourns and transitions are those counted; the gaps are those on a clock
    that runs at the rate of the states.
    """
    at_s = np.concatenate(([0.0], np.cumsum(gap_s)))
    counts = np.bincount((at_s // window_s).astype(int))
    edges = np.quantile(counts[counts > 0], np.arange(1, levels) / levels)
    state = np.where(counts == 0, 0, 1 + np.searchsorted(edges, counts, side="left"))
    n = levels + 1
    moves = np.zeros((n, n))
    np.add.at(moves, (state[:-1], state[1:]), 1)
    stays = np.diag(moves)
    sojourn_s = window_s * np.bincount(state[:-1], minlength=n) / (moves.sum(axis=1) - stays)
    np.fill_diagonal(moves, 0)
    rates = np.array([counts[state == each].mean() for each in range(n)]) / window_s
    steady = np.concatenate(([0.0], np.cumsum(rates[state] * window_s)))
    steady_at = np.interp(at_s, np.arange(len(steady)) * window_s, steady)
    return {
        "kind": "mmpp",
        "rates": rates.round(3).tolist(),
        "sojourn_s": sojourn_s.round(2).tolist(),
        "transitions": (moves / moves.sum(axis=1, keepdims=True)).tolist(),
        "gaps": table(np.diff(steady_at), probabilities),
    }
