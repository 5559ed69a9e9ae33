"""Workload: a server's requests as the simulator takes them, with prompts that make its prefix cache find the same.

Which tokens the prompts shared is not known, only how many the cache found. So the prompt of each request with hits
begins as an earlier, longer one does, for exactly so many tokens. Several may begin as the same one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from simcore.contract import Arrivals, Heads, Patience, to_ps
from simcore.validation.server_run import ServerRun


@dataclass(frozen=True)
class RunWorkload:
    """The requests of `run`, in one class."""

    run: ServerRun
    with_hits: bool = True
    name: str = field(init=False, default="a server's run")
    classes: tuple[str, ...] = ("default",)
    priorities: tuple[int, ...] = (0,)
    tools: tuple[str, ...] = ()
    patience: tuple[Patience, ...] = ()

    @property
    def source(self) -> str:
        return f"{self.run.name}: {len(self.run)} requests of vLLM {self.run.engine.version}"

    @property
    def rate(self) -> float:
        return (len(self.run) - 1) / float(self.run.arrival_s[-1]) if len(self.run) > 1 else 1.0

    def pieces(self) -> Iterator[Arrivals]:
        run = self.run
        at_ps = np.array([to_ps(date) for date in run.arrival_s.tolist()], dtype=np.int64)
        heads = shared_heads(run) if self.with_hits and run.hits.any() else None
        yield Arrivals(at_ps, run.prompt, run.output, head=heads)


def shared_heads(run: ServerRun) -> Heads:
    """Return beginnings of prompts that give each request its hits, and no other any.

    Raises ValueError when there is no earlier prompt to share with, or hits that are not whole blocks.
    """
    size = run.engine.block_tokens
    lenders: dict[int, list[int]] = {}
    lender_of: dict[int, int] = {}
    for i in np.flatnonzero(run.hits).tolist():
        hits = int(run.hits[i])
        if hits % size:
            raise ValueError(f"request {i}: hits must be whole blocks of {size} tokens, got {hits}")
        free = (j for j in range(i) if not run.hits[j] and j not in lenders)
        lender = next((j for j in (*lenders, *free) if j < i and run.prompt[j] // size * size >= hits), None)
        if lender is None:
            raise ValueError(f"request {i}: no earlier prompt has the {hits} tokens it found in the cache")
        lenders.setdefault(lender, []).append(hits)
        lender_of[i] = lender
    offsets, keys, ends = [0], [], []
    for i in range(len(run)):
        lender = lender_of.get(i, i if i in lenders else -1)
        most = int(run.hits[i]) or max(lenders.get(i, [0]))
        # One segment up to each length at which somebody stops sharing with this lender.
        for end in sorted({hits for hits in lenders.get(lender, []) if hits <= most}):
            keys.append(lender * (1 << 24) + end)
            ends.append(end)
        offsets.append(len(keys))
    return Heads(*(np.array(column, dtype=np.int64) for column in (offsets, keys, ends)))
