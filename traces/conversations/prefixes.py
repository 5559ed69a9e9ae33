"""Prefixes: block ids of many prompts as a tree of branches, so that a prompt is a few segments, not a thousand blocks.

Prompts of a conversation mostly extend each other: they are one branch, cut where they end. Where two prompts part, the
later one goes on in a branch of its own. A segment ends where a prompt leaves its branch, and sharing a branch up to
there is sharing every block up to there.
"""

from dataclasses import dataclass, field

import numpy as np

from simcore.contract.traffic import Column


@dataclass(slots=True)
class Branch:
    """Blocks `start`.. of some prompts. children: by the block they leave at, and the id they go on with."""

    key: int
    start: int
    ids: Column
    children: "dict[tuple[int, int], Branch]" = field(default_factory=dict)


class Prefixes:
    """The tree of one conversation."""

    def __init__(self) -> None:
        self._root = Branch(-1, 0, np.empty(0, np.int64))
        self._begun = 0

    def knows(self, first_id: int) -> bool:
        """Whether some prompt began with this block."""
        return (0, first_id) in self._root.children

    def place(self, ids: Column) -> list[tuple[int, int]]:
        """Remember a prompt's blocks; return the branches it runs along, and the block it leaves each at.

        >>> tree = Prefixes()
        >>> tree.place(np.array([7, 8, 9])), tree.place(np.array([7, 8, 9, 10])), tree.place(np.array([7, 5]))
        ([(0, 3)], [(0, 4)], [(0, 1), (1, 2)])
        >>> tree.place(np.array([7, 8])), tree.place(np.array([7, 5, 6])), tree.place(np.array([1]))
        ([(0, 2)], [(0, 1), (1, 3)], [(2, 1)])
        """
        path: list[tuple[int, int]] = []
        branch, here, end = self._root, 0, len(ids)
        while here < end:
            child = branch.children.get((here, int(ids[here])))
            if child is None:
                child = branch.children[here, int(ids[here])] = Branch(self._begun, here, ids[here:])
                self._begun += 1
            rest = ids[here:]
            here += _common(rest, child.ids)
            if here - child.start == len(child.ids) and here < end and (here, int(ids[here])) not in child.children:
                child.ids = rest
                here = end
            path.append((child.key, here))
            branch = child
        return path


def _common(one: Column, other: Column) -> int:
    """Return with how many equal numbers both begin."""
    length = min(len(one), len(other))
    different = one[:length] != other[:length]
    first = int(different.argmax()) if length else 0
    return first if length and different[first] else length
