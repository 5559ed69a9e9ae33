"""Fairness: how evenly users were served; a user is a program (a conversation) or, where there are none, a class.

Jain's index of x over n users: (sum x)^2 / (n sum x^2), 1 if all have the same, 1/n if one has everything (Jain, Chiu
and Hawe, DEC-TR-301, 1984).
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simcore.results.columns import RequestColumns
from simcore.results.schema import STATES
from simcore.results.slo import Slo
from simcore.results.totals import Metrics

JAIN = "user_service_jain"
LEAST_TO_MOST = "user_service_min_max"
UNLUCKY = "p10_user_slo_attainment"

Whose = Literal["program", "request_class"]


def fairness_metrics(columns: RequestColumns, slo: Slo) -> Metrics:
    """Return how evenly users were served; None where there are no two of them.

    A user's service: output tokens of its finished requests over the time these took, end to end. Its attainment: the
    share of all its requests that met the SLO.
    """
    whose: Whose = "program"
    users = _users(columns, whose)
    if not len(users):
        whose = "request_class"
        users = _users(columns, whose)
    if len(users) < 2:
        return dict.fromkeys((JAIN, LEAST_TO_MOST, UNLUCKY))
    size = len(users)
    arrived, good = np.zeros(size, np.int64), np.zeros(size, np.int64)
    tokens, seconds = np.zeros(size), np.zeros(size)
    for state in STATES:
        for (user,) in columns.pieces(whose, state=state):
            arrived += np.bincount(np.searchsorted(users, user[user >= 0]), minlength=size)
    for user, *rest in columns.pieces(whose, "request_class", "output_tokens", "e2el_s", "ttft_s", "tpot_s"):
        index, output, e2el, ttft, tpot = (column[user >= 0] for column in rest)
        place = np.searchsorted(users, user[user >= 0])
        tokens += np.bincount(place, output, size)
        seconds += np.bincount(place, e2el, size)
        if slo.given:
            good += np.bincount(place[slo.met(ttft, tpot, e2el, index)], minlength=size)
    service = np.divide(tokens, seconds, out=np.zeros(size), where=seconds > 0)
    return {
        JAIN: jain(service),
        LEAST_TO_MOST: float(service.min() / service.max()) if service.any() else None,
        UNLUCKY: float(np.percentile(good / arrived, 10)) if slo.given else None,
    }


def jain(shares: NDArray[np.float64]) -> float | None:
    """Return Jain's index; None if nobody has anything.

    >>> jain(np.array([3.0, 3.0])), jain(np.array([3.0, 0.0])), jain(np.zeros(2))
    (1.0, 0.5, None)
    """
    squares = float(np.square(shares).sum())
    return float(shares.sum()) ** 2 / (len(shares) * squares) if squares else None


def _users(columns: RequestColumns, whose: Whose) -> NDArray[np.int64]:
    """Return the numbers of all users, ascending."""
    pieces = [np.unique(user[user >= 0]) for (user,) in columns.pieces(whose, state=None)]
    return np.unique(np.concatenate(pieces)) if pieces else np.empty(0, np.int64)
