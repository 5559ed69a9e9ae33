"""Count terms: the parts of a step that depend on a count of tokens or sequences, from tables."""

from bisect import bisect_left
from collections.abc import Callable, Sequence

from simcore.contract import to_ps
from simcore.cost.composite import CountTerm


class Measured:
    """A term with measured seconds, on all SMs; on fewer it takes as many times longer as the roofline's term does."""

    def __init__(self, roofline: CountTerm, seconds: Callable[[int], float]) -> None:
        self.name = roofline.name
        self._roofline = roofline
        self._seconds = seconds

    def ps(self, count: int, sm_pct: int) -> int:
        if not count:
            return 0
        ps = to_ps(self._seconds(count))
        if sm_pct == 100:
            return ps
        return round(ps * self._roofline.ps(count, sm_pct) / self._roofline.ps(count, 100))


class Padded:
    """A term under CUDA graphs: a count is padded to the next size a graph was captured for; larger ones are not."""

    def __init__(self, term: CountTerm, sizes: Sequence[int]) -> None:
        self.name = term.name
        self._term = term
        self._sizes = sorted(sizes)

    def ps(self, count: int, sm_pct: int) -> int:
        size = bisect_left(self._sizes, count)
        return self._term.ps(self._sizes[size] if count and size < len(self._sizes) else count, sm_pct)
