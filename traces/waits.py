"""Waits: what lies between two turns of a program: a person thinks, or one of several tools runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from simcore.contract.traffic import Column
from traces import durations
from traces.draws import BLOCK, blocks
from traces.durations import Durations
from traces.kinds import read_kind
from traces.parameters import Parameters

TOOL_S: Mapping[str, object] = {
    "kind": "mixture",
    "weights": [0.631, 0.102, 0.267],
    "mu": [-3.828, -0.491, 2.126],
    "sigma": [0.560, 2.252, 0.242],
}
"""All 6,641 tool calls of AgentCgroup (arXiv:2602.09345; maximum likelihood, KS 0.042): milliseconds for what reads and
edits files, seconds for commands. A single lognormal misses both (KS 0.257)."""


@dataclass(frozen=True)
class Waits:
    """Kinds of wait, by index: how often each is (relative to the others) and how long it takes.

    names: of the tools; none where people think.
    """

    names: tuple[str, ...]
    shares: tuple[float, ...]
    durations: tuple[Durations, ...]

    @classmethod
    def of_people(cls, think_s: Durations) -> "Waits":
        return cls((), (1.0,), (think_s,))

    def drawn(self, seed: int, replication: int) -> Iterator[Column]:
        """Yield blocks of waits, [BLOCK, 2] each: the tool (-1: none) and the duration in picoseconds.

        Each kind draws a duration for every wait, so another kind or share leaves those of the rest alone.
        """
        edges = np.array(list(accumulate(self.shares)))
        kinds = [blocks(seed, replication, "wait", index) for index in range(len(self.durations))]
        for chooser in blocks(seed, replication, "tool"):
            chosen = np.searchsorted(edges[:-1] / edges[-1], chooser.random(BLOCK), side="right").astype(np.int64)
            lasting = np.stack([each.draw(next(kind)) for each, kind in zip(self.durations, kinds, strict=True)])
            tool = chosen if self.names else np.full(BLOCK, -1, np.int64)
            yield np.stack([tool, lasting[chosen, np.arange(BLOCK)]], axis=1)


def read_tools(parameters: Parameters, problems: list[str]) -> Waits | None:
    """Take `tool_s` and `tools`: `{name: share}`, or `{name: {share, tool_s}}` for one with durations of its own."""
    where, common = parameters.where, parameters.raw("tool_s")
    shared = read_kind(f"{where}.tool_s", TOOL_S if common is None else common, durations.KINDS, problems)
    given = parameters.raw("tools")
    if given is None:
        return Waits(("tool",), (1.0,), (shared,)) if shared is not None else None
    if not isinstance(given, Mapping) or not given:
        parameters.add("tools", f"must be a mapping from names of tools to their shares, got {given!r}")
        return None
    shares, lasting = [], []
    for name, value in given.items():
        at = f"{where}.tools.{name}"
        tool = Parameters(at, value if isinstance(value, Mapping) else {"share": value}, problems)
        shares.append(tool.positive("share"))
        own = tool.raw("tool_s")
        lasting.append(shared if own is None else read_kind(f"{at}.tool_s", own, durations.KINDS, problems))
        tool.finish()
    known = tuple(each for each in lasting if each is not None)
    return Waits(tuple(map(str, given)), tuple(shares), known) if len(known) == len(lasting) else None
