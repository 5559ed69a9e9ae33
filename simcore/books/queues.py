"""Waiting queues: first come first served, or by a scheduler's `order`; preempted requests keep their place.

Every request gets a number when it first joins a lane and keeps it. FCFS is the order of these numbers, and
`order` breaks its ties by them, so a preempted request goes back where it came from.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from operator import attrgetter
from typing import Any

from simcore.books.request import Request

_by_number = attrgetter("enqueued")


class Fifo(deque[Request]):
    """By number alone. Everything is O(1), but for a request put back between others."""

    def add(self, request: Request) -> bool:
        """Queue a request; return whether it is now the head."""
        if not self:
            self.append(request)
            return True
        if request.enqueued > self[-1].enqueued:
            self.append(request)
            return False
        if request.enqueued < self[0].enqueued:
            self.appendleft(request)
            return True
        insort(self, request, key=_by_number)
        return False

    def head(self) -> Request:
        return self[0]

    take = deque.popleft

    def touch(self, request: Request) -> None:
        """FCFS has no key to read again."""

    def touch_all(self) -> None:
        """FCFS has no keys to read again."""

    def among(self, others: list[Request]) -> list[Request]:
        """Return the queue as it would be with `others` in it."""
        return sorted([*self, *others], key=_by_number)


class Ordered:
    """By `key(request)`, read at `add` and `touch`, ties by number. A heap; removed entries are skipped later."""

    __slots__ = ("_heap", "_key", "_live")

    def __init__(self, key: Callable[[Request], Any]) -> None:
        self._key = key
        self._heap: list[tuple[Any, int, Request]] = []
        self._live: dict[int, tuple[Any, int, Request]] = {}

    def add(self, request: Request) -> bool:
        """Queue a request; return whether it is now the head."""
        entry = (self._key(request), request.enqueued, request)
        self._live[request.id] = entry
        heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._live) + 64:  # mostly entries that are not live any more
            self._heap = sorted(self._live.values(), key=lambda live: live[:2])
        return self.head() is request

    def head(self) -> Request:
        heap, live = self._heap, self._live
        while live.get(heap[0][2].id) is not heap[0]:
            heappop(heap)
        return heap[0][2]

    def take(self) -> Request:
        request = self.head()
        heappop(self._heap)
        del self._live[request.id]
        return request

    def remove(self, request: Request) -> None:
        del self._live[request.id]

    def touch(self, request: Request) -> None:
        self.remove(request)
        self.add(request)

    def touch_all(self) -> None:
        """Read the key of everybody again."""
        waiting = [entry[2] for entry in self._live.values()]
        self._heap, self._live = [], {}
        for request in waiting:
            self.add(request)

    def among(self, others: list[Request]) -> list[Request]:
        """Return the queue as it would be with `others` in it."""
        entries = [*self._live.values(), *((self._key(request), request.enqueued, request) for request in others)]
        return [entry[2] for entry in sorted(entries, key=lambda entry: entry[:2])]

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[Request]:
        return (entry[2] for entry in sorted(self._live.values(), key=lambda entry: entry[:2]))


Queue = Fifo | Ordered
