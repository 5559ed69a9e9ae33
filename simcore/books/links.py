"""Links: one-way pipes, and the max-min fair rates of the flows that cross them, in whole bytes per second.

All is integer: work is counted in bytes times 10**12, so that a rate in bytes per second times a time in picoseconds
is exact, and an update that changes no rate changes no end. What does not divide evenly among the flows of a link
stays unused: less than one byte per second for each of them.
"""

from collections.abc import Iterable

from simcore.contract import PS_PER_S


class Link:
    """A pipe of `bytes_per_s` in one direction; what enters it comes out `latency_ps` later.

    capacity: bytes per second that faults leave; 0 while it is down, and the flows on it stall.
    flows: those that cross it now.
    carried_bytes: of the transfers that ended or were cancelled.
    """

    __slots__ = ("_busy_ps", "_since_ps", "bytes_per_s", "capacity", "carried_bytes", "flows", "latency_ps", "name")

    def __init__(self, name: str, bytes_per_s: int, latency_ps: int = 0) -> None:
        if bytes_per_s < 1:
            raise ValueError(f"{name}: bandwidth must be at least 1 byte per second, got {bytes_per_s}")
        if latency_ps < 0:
            raise ValueError(f"{name}: latency must not be negative, got {latency_ps} ps")
        self.name = name
        self.bytes_per_s = self.capacity = bytes_per_s
        self.latency_ps = latency_ps
        self.flows: dict[Flow, None] = {}
        self.carried_bytes = 0
        self._busy_ps = 0
        self._since_ps = 0

    def scale(self, permille: int) -> None:
        """Leave `permille` thousandths of the bandwidth, 0 to 1000, and at least 1 byte per second unless it is 0."""
        if not 0 <= permille <= 1000:
            raise ValueError(f"{self.name}: capacity must be 0 to 1000 permille of its bandwidth, got {permille}")
        self.capacity = max(1, self.bytes_per_s * permille // 1000) if permille else 0

    def busy_ps(self, now_ps: int) -> int:
        """Return for how long there was at least one flow on it, stalled ones too."""
        return self._busy_ps + (now_ps - self._since_ps if self.flows else 0)

    def join(self, flow: "Flow", now_ps: int) -> None:
        if not self.flows:
            self._since_ps = now_ps
        self.flows[flow] = None

    def leave(self, flow: "Flow", now_ps: int) -> None:
        del self.flows[flow]
        if not self.flows:
            self._busy_ps += now_ps - self._since_ps


class Flow:
    """So many bytes on their way over all links of `path` at once, at `rate` bytes per second."""

    __slots__ = ("_left", "_since_ps", "bytes", "path", "rate")

    def __init__(self, path: tuple[Link, ...], bytes_: int) -> None:
        self.path = path
        self.bytes = bytes_
        self.rate = 0
        self._left = bytes_ * PS_PER_S
        self._since_ps = 0

    def enter(self, now_ps: int) -> None:
        """Join the links of the path; nothing moves before a rate is set."""
        self._since_ps = now_ps
        for link in self.path:
            link.join(self, now_ps)

    def leave(self, now_ps: int) -> None:
        """Leave the links of the path."""
        for link in self.path:
            link.leave(self, now_ps)

    def set_rate(self, rate: int, now_ps: int) -> None:
        """Go on at `rate` bytes per second from now."""
        # The last picosecond may carry more than was left.
        self._left = max(0, self._left - self.rate * (now_ps - self._since_ps))
        self._since_ps = now_ps
        self.rate = rate

    def end_ps(self) -> int | None:
        """Return the first picosecond by which all bytes have moved at this rate; None if it stalls."""
        if not self._left:
            return self._since_ps
        return self._since_ps - (-self._left // self.rate) if self.rate else None

    def moved_bytes(self, now_ps: int) -> int:
        """Return the whole bytes that have moved."""
        left = max(0, self._left - self.rate * (now_ps - self._since_ps))
        return self.bytes - -(-left // PS_PER_S)


def fair_rates(links: Iterable[Link]) -> dict[Flow, int]:
    """Return the max-min fair rates of all flows on `links`, by progressive filling.

    Again and again, the link with the least to give each of its flows that has no rate yet gives them that, in whole
    bytes per second, and at least 1 unless it is down. Ties go by name. No flow on these links may cross any other
    link (see `tied`).

    >>> wide, narrow = Link("wide", 10), Link("narrow", 4)
    >>> both, one = Flow((wide, narrow), 1), Flow((wide,), 1)
    >>> for flow in (both, one):
    ...     flow.enter(now_ps=0)
    >>> list(fair_rates([wide, narrow]).values())
    [4, 6]
    """
    left = {link: link.capacity for link in links if link.flows}
    waiting = {link: len(link.flows) for link in left}
    rates: dict[Flow, int] = {}
    while waiting:
        rate, _, bottleneck = min(
            [(left[link] // flows or min(1, link.capacity), link.name, link) for link, flows in waiting.items()]
        )
        for flow in bottleneck.flows:
            if flow in rates:
                continue
            rates[flow] = rate
            for link in flow.path:
                # A link with more flows than bytes per second gives out more than it has.
                left[link] = max(0, left[link] - rate)
                waiting[link] -= 1
                if not waiting[link]:
                    del waiting[link]
    return rates


def tied(links: Iterable[Link]) -> list[Link]:
    """Return `links` and every link that shares a flow with one of them, directly or through others."""
    found = dict.fromkeys(links)
    queue = list(found)
    for link in queue:
        for flow in link.flows:
            for crossed in flow.path:
                if crossed not in found:
                    found[crossed] = None
                    queue.append(crossed)
    return queue
