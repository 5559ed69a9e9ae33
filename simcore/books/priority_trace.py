"""Priority trace: which priority each conversation has in each epoch, the same in every system.

Nothing is stored ahead: a level is a hash of (seed, conversation, epoch), so a trace costs nothing until it is read.
The patterns are those FastSwitch is judged by (arXiv:2411.18424), after Yin et al. 2024; its Markov matrix is not
published, two levels that stay with 0.8 are ours.
"""

from typing import Literal

from simcore.books.draw import uniform
from simcore.books.request import Request


class PriorityTrace:
    """Levels 0 to `levels` - 1, lower is more urgent.

    Args:
        seed: of all draws.
        stay: "markov": the chance to keep the level of the epoch before.
        every_iterations: iterations of a lane that make an epoch.

    >>> trace = PriorityTrace(seed=7, pattern="markov", levels=2, stay=0.5, every_iterations=25)
    >>> [trace.level(4, epoch) for epoch in range(8)]
    [0, 0, 0, 0, 0, 0, 0, 1]
    """

    def __init__(
        self, *, seed: int, pattern: Literal["random", "markov"], levels: int, stay: float, every_iterations: int
    ) -> None:
        self._seed = seed
        self._moves = pattern == "markov"
        self._levels = levels
        self._stay = stay
        self.every_iterations = every_iterations
        self._known: dict[int, tuple[int, int]] = {}
        """Of conversations that move: an epoch, and the level in it."""

    def epoch(self, iterations: int) -> int:
        """Return the epoch of a lane that has completed so many iterations."""
        return iterations // self.every_iterations

    def level(self, conversation: int, epoch: int) -> int:
        """Return the priority of a conversation in an epoch."""
        if not self._moves:
            return self._drawn(conversation, epoch)
        at, level = self._known.get(conversation, (epoch + 1, 0))
        if at > epoch:
            at, level = 0, self._drawn(conversation, 0)
        while at < epoch:
            at += 1
            if uniform(self._seed, (conversation, at, 0)) >= self._stay:
                other = int(uniform(self._seed, (conversation, at, 1)) * (self._levels - 1))
                level = other + (other >= level)
        self._known[conversation] = at, level
        return level

    def _drawn(self, conversation: int, epoch: int) -> int:
        return int(uniform(self._seed, (conversation, epoch, 0)) * self._levels)


def conversation_of(request: Request) -> int:
    """Return what a request is a part of: its program, or -1 - request."""
    program = -1 if request.client is None else request.client.program
    return program if program >= 0 else -1 - request.id
