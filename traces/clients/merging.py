"""Merging: the requests of many clients in the order of time, a slice of time at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from simcore.contract.traffic import Column
from simcore.contract.units import PS_PER_S
from traces.clients.renewal import Flow

SLICE_REQUESTS = 32_768
"""Expected requests of a slice: what stands in memory at once. It changes nothing but the size of the pieces."""


@dataclass(frozen=True, slots=True)
class Merged:
    """at_ps, prompt_tokens, output_tokens: [n] int64, in the order of time. client: [n] int64, who sent them."""

    at_ps: Column
    prompt_tokens: Column
    output_tokens: Column
    client: Column

    def __len__(self) -> int:
        return len(self.at_ps)


def merged(flows: Sequence[Flow], lasts_s: float) -> Iterator[Merged]:
    """Yield all requests of flows that start now, for `lasts_s` seconds (infinite: without end).

    Equal times stand in the order of the flows.
    """
    whole = Merged(*(np.zeros(0, np.int64) for _ in range(4)))
    for start_ps, end_s, end_ps in _slices(sum(flow.per_s for flow in flows), lasts_s):
        parts = [whole]
        for flow in flows:
            at_s = flow.times(end_s)
            if len(at_s):
                # A time a rounding error beyond its slice must not come before or after those of the next.
                at_ps = np.rint(at_s * PS_PER_S).astype(np.int64).clip(start_ps, end_ps)
                parts.append(Merged(at_ps, *flow.lengths(len(at_s)), np.full(len(at_s), flow.client)))
        yield _in_order(parts)


def counted(flows: Sequence[Flow], lasts_s: float) -> int:
    """Return how many requests `merged` would yield, without their lengths."""
    return sum(
        len(flow.times(end_s)) for _, end_s, _ in _slices(sum(flow.per_s for flow in flows), lasts_s) for flow in flows
    )


def _slices(per_s: float, lasts_s: float) -> Iterator[tuple[int, float, int]]:
    """Yield start in picoseconds, end in seconds and in picoseconds."""
    start_ps, number = 0, 0
    end_s = 0.0
    while end_s < lasts_s and per_s:
        number += 1
        end_s = min(number * SLICE_REQUESTS / per_s, lasts_s)
        end_ps = round(end_s * PS_PER_S)
        yield start_ps, end_s, end_ps
        start_ps = end_ps


def _in_order(parts: Sequence[Merged]) -> Merged:
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in Merged.__slots__]
    order = np.argsort(columns[0], kind="stable")
    return Merged(*(column[order] for column in columns))
