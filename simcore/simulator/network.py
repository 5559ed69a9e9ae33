"""Network: copies of bytes over shared links, as events; one alarm for the next thing that happens to any of them.

A transfer first serves a fixed delay, the latencies of its links and its launches, and takes no bandwidth; then its
bytes flow at their max-min fair rate (`simcore.books.links`), which changes only when a flow comes or goes or a link
is scaled. Starting transfers in another order at one instant changes no time, only the order of `done`.
"""

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from heapq import heappop, heappush

from simcore.books.links import Flow, Link, fair_rates, tied
from simcore.simulator.clock import COPIES, Alarm, Clock


class Transfer(Flow):
    """A copy under way. `due_ps`: when it starts to flow or ends, as things stand; None: stalled, or over."""

    __slots__ = ("done", "due_ps", "flowing", "serial")

    def __init__(self, path: tuple[Link, ...], bytes_: int, done: Callable[[], None], serial: int, due_ps: int) -> None:
        super().__init__(path, bytes_)
        self.done = done
        self.serial = serial
        self.due_ps: int | None = due_ps
        self.flowing = False


class Network:
    """The links of a cluster and the transfers on them.

    Args:
        clock: whose picoseconds count.
        links: what paths may cross; `ensure` adds more.
        launch_ps: time to launch one copy.
    """

    def __init__(self, clock: Clock, links: Iterable[Link] = (), launch_ps: int = 0) -> None:
        self.links: dict[str, Link] = {}
        self.transfers: dict[Transfer, None] = {}
        """Those in flight, in the order in which they were started."""
        self._clock = clock
        self._launch_ps = launch_ps
        self._started = 0
        self._due: list[tuple[int, int, Transfer]] = []
        """Heap of (due, serial, transfer); an entry counts while the transfer is still due then."""
        self._changed: dict[Link, None] = {}
        self._alarm: Alarm | None = None
        """The alarm, while it is set."""
        self._alarm_ps = 0
        self._ringing = False
        self.ensure(links)

    @property
    def moving(self) -> bool:
        """Some transfer will end, or begin to flow, by itself."""
        return any(transfer.due_ps is not None for transfer in self.transfers)

    def ensure(self, links: Iterable[Link]) -> None:
        """Add those of `links` whose names are new."""
        for link in links:
            self.links.setdefault(link.name, link)

    def start(
        self, path: Sequence[str], bytes_: int, launches: int, done: Callable[[], None], wait_ps: int = 0
    ) -> Transfer:
        """Copy `bytes_` over the links named in `path` in `launches` copies, after a wait, then call `done`.

        `done` is called in an event of its own, also for no bytes and for an empty path, which take the fixed delay
        only; transfers that end at one instant call it in the order they were started.

        Raises ValueError for an unknown link, a link crossed twice, and negative bytes or launches.
        """
        if bytes_ < 0:
            raise ValueError(f"bytes must not be negative, got {bytes_}")
        if launches < 0:
            raise ValueError(f"launches must not be negative, got {launches}")
        links = tuple([self.links.get(name) or self._link(name) for name in path])
        if len(set(links)) < len(links):
            raise ValueError(f"a path must cross a link once, got {', '.join(path)}")
        delay_ps = wait_ps + launches * self._launch_ps
        for link in links:
            delay_ps += link.latency_ps
        self._started += 1
        transfer = Transfer(links, bytes_, done, self._started, self._clock.now + delay_ps)
        self.transfers[transfer] = None
        self._await(transfer)
        if not self._ringing:
            self._set_alarm()
        return transfer

    def cancel(self, transfer: Transfer) -> bool:
        """Stop a transfer, whose `done` is then never called; return False if it was over already."""
        if transfer not in self.transfers:
            return False
        self._drop(transfer, transfer.moved_bytes(self._clock.now))
        self._settle()
        return True

    def scale(self, link: str, permille: int) -> None:
        """Leave a link `permille` thousandths of its bandwidth; on one that is down (0) all flows stall.

        Raises ValueError for an unknown link or a permille out of 0 to 1000.
        """
        scaled = self._link(link)
        scaled.scale(permille)
        self._changed[scaled] = None
        self._settle()

    def _ring(self, _: Alarm) -> None:
        """Handle all that is due now, whatever `done` adds to it, then share the links out anew, once."""
        self._alarm = None
        self._ringing = True
        now = self._clock.now
        due = self._due
        while due and due[0][0] <= now:
            at, _serial, transfer = heappop(due)
            if transfer.due_ps != at:
                continue
            if transfer.bytes and transfer.path and not transfer.flowing:
                transfer.due_ps = None
                transfer.flowing = True
                transfer.enter(now)
                self._changed.update(dict.fromkeys(transfer.path))
            else:
                self._drop(transfer, transfer.bytes)
                transfer.done()
        self._ringing = False
        self._settle()

    def _drop(self, transfer: Transfer, moved_bytes: int) -> None:
        del self.transfers[transfer]
        transfer.due_ps = None
        if transfer.flowing:
            transfer.leave(self._clock.now)
        for link in transfer.path:
            link.carried_bytes += moved_bytes
            if link.flows:
                self._changed[link] = None

    def _settle(self) -> None:
        """Bring rates and the alarm up to date; within `_ring`, this waits until all of the instant is known."""
        if self._ringing:
            return
        if self._changed:
            now = self._clock.now
            for flow, rate in fair_rates(tied(self._changed)).items():
                if rate != flow.rate:
                    assert isinstance(flow, Transfer), "only the network puts flows on its links"
                    flow.set_rate(rate, now)
                    flow.due_ps = flow.end_ps()
                    self._await(flow)
            self._changed.clear()
        self._set_alarm()

    def _await(self, transfer: Transfer) -> None:
        if transfer.due_ps is not None:
            heappush(self._due, (transfer.due_ps, transfer.serial, transfer))

    def _set_alarm(self) -> None:
        """See to it that the alarm goes off at the next due date; too early is harmless, and cheaper than anew."""
        due = self._due
        while due and due[0][2].due_ps != due[0][0]:
            heappop(due)
        if not due:
            return
        at = due[0][0]
        if self._alarm is not None:
            if self._alarm_ps <= at:
                return
            self._alarm.cancel()
        self._alarm = Alarm(self._clock, at - self._clock.now, self._ring, COPIES)
        self._alarm_ps = at

    def _link(self, name: str) -> Link:
        link = self.links.get(name)
        if link is None:
            near = get_close_matches(name, self.links, n=1)
            hint = f" (did you mean {near[0]}?)" if near else f"; have {', '.join(self.links) or 'none'}"
            raise ValueError(f"unknown link {name!r}{hint}")
        return link
