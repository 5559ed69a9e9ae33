"""SM contention: what the shares of two lanes are worth while both work, and how much longer their iterations take."""

from simcore.simulator.settings import Mechanisms


class SmContention:
    """The rule of a run. Shares that fit beside each other are not touched, but by a measured table."""

    def __init__(self, mechanisms: Mechanisms) -> None:
        self._way = mechanisms.contention
        self._measured = mechanisms.sm_shares
        self._worth: dict[tuple[int, int], tuple[int, int]] = {}
        self.slowdown_permille = round(mechanisms.sm_interference * 1000)
        """How long an iteration beside a working lane takes, in thousandths of its time alone."""
        self.felt = self._way != "none" or self.slowdown_permille != 1000
        """A lane that begins or ceases to work changes the iterations of the lane beside."""

    def share(self, split: tuple[int, int], lane: int, *, beside: bool) -> int:
        """Return the percent of the SMs that an iteration of lane 0 or 1 has; beside: the other lane works."""
        if not beside or self._way == "none":
            return split[lane]
        if split not in self._worth:
            self._worth[split] = self._measure(split) if self._way == "table" else _normalised(split)
        return self._worth[split][lane]

    def _measure(self, split: tuple[int, int]) -> tuple[int, int]:
        """Return what the row of the table says that is fewest points away, the first of equals."""
        *_, prefill, decode = min(self._measured, key=lambda row: abs(row[0] - split[0]) + abs(row[1] - split[1]))
        return prefill, decode


def _normalised(split: tuple[int, int]) -> tuple[int, int]:
    """Return shares of 100 in the same proportion, rounded down but never to nothing.

    >>> _normalised((80, 100)), _normalised((60, 40)), _normalised((1, 100))
    ((44, 55), (60, 40), (1, 99))
    """
    prefill, decode = split
    total = prefill + decode
    return split if total <= 100 else (max(1, prefill * 100 // total), max(1, decode * 100 // total))
