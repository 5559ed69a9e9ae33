"""Prompts: the groups of a workload as questions: how long each is, how often it is asked, how long answers may be."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, islice

import numpy as np

from simcore.contract import Arrivals, Patience, Workload


class Prompts:
    """A workload of groups whose samples have no length of their own: an answer ends where the model ends it.

    Args:
        workload: of groups, the same number of samples in each.
        cap: length cap of answers; None: the lengths of the workload are the caps.

    Raises ValueError for a workload that is not made of groups.
    """

    def __init__(self, workload: Workload, cap: int | None = None) -> None:
        first = next(iter(workload.pieces()), None)
        if first is None or first.group is None:
            raise ValueError("training needs a workload of groups, as with workload.groups of a study")
        groups = first.group.tolist()
        self.samples = groups.count(groups[0])
        """Of each group."""
        self._lengths: list[int] = first.prompt_tokens[:: self.samples].tolist()
        self._workload = workload
        self._cap = cap

    def lengths(self, count: int) -> list[int]:
        """Return the tokens of the first prompts, again from the beginning where there are not so many."""
        return list(islice(cycle(self._lengths), count))

    def pieces(self) -> Iterator[Arrivals]:
        for piece in self._workload.pieces():
            if self._cap is None:
                yield piece
            else:
                yield replace(piece, output_tokens=np.full(len(piece), self._cap, np.int64))

    @property
    def name(self) -> str:
        return self._workload.name

    @property
    def source(self) -> str:
        return self._workload.source

    @property
    def classes(self) -> tuple[str, ...]:
        return self._workload.classes

    @property
    def priorities(self) -> tuple[int, ...]:
        return self._workload.priorities

    @property
    def tools(self) -> tuple[str, ...]:
        return self._workload.tools

    @property
    def patience(self) -> tuple[Patience, ...]:
        return self._workload.patience

    @property
    def rate(self) -> float:
        return self._workload.rate
