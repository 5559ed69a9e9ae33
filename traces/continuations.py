"""Continuations: which requests of a trace go on with an earlier one, found in the hash ids of their prompts.

Published traces name no conversations. A request whose prompt begins with the whole prompt of an earlier one, but for
the last block, which may be partial, is taken for its next turn.
"""

from dataclasses import dataclass

import numpy as np

from simcore.contract.traffic import Arrivals, Column


@dataclass(frozen=True)
class Continuations:
    """before: [n] int64, the request that each one continues, -1: none. turn: [n] int64, how many came before it."""

    before: Column
    turn: Column

    @property
    def turns(self) -> Column:
        """Of each conversation; one that forks counts as one for each of its ends."""
        ends = np.ones(len(self.turn), bool)
        ends[self.before[self.before >= 0]] = False
        return self.turn[ends] + 1


def continuations(requests: Arrivals) -> Continuations:
    """Return who continues whom: the latest request with the longest prompt to go on from.

    A first block alone does not count: it is the system prompt, the same for everybody. Raises ValueError if the
    requests have no hash ids.
    """
    if requests.head is None:
        raise ValueError("hash_ids: must be in the trace to find conversations in it, got a trace without")
    latest: dict[int, int] = {}
    before: list[int] = []
    turn: list[int] = []
    offsets, keys = requests.head.offsets.tolist(), requests.head.keys.tolist()
    for row in range(len(requests)):
        ids = keys[offsets[row] : offsets[row + 1]]
        found = next((latest[key] for key in reversed(ids[1:]) if key in latest), -1)
        before.append(found)
        turn.append(turn[found] + 1 if found >= 0 else 0)
        if len(ids) > 2:
            latest[ids[-2]] = row
    return Continuations(np.array(before, np.int64), np.array(turn, np.int64))
