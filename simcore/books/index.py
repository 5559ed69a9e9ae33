"""Index: which of n has the least key, in O(log n) per change."""

from heapq import heapify, heappop, heappush


class Least:
    """Argmin over integer keys; ties go to the lowest position. Stale heap entries are skipped when met.

    >>> least = Least(3)
    >>> least.set(0, 5); least.set(2, -1); least.argmin()
    2
    >>> least.set(2, 7); least.argmin()
    1
    """

    __slots__ = ("_heap", "_keys", "_most")

    def __init__(self, size: int) -> None:
        self._keys = [0] * size
        self._heap = [(0, position) for position in range(size)]
        self._most = 8 * size + 64

    def set(self, position: int, key: int) -> None:
        keys = self._keys
        if keys[position] == key:
            return
        keys[position] = key
        heap = self._heap
        heappush(heap, (key, position))
        if len(heap) > self._most:
            heap[:] = [(key, position) for position, key in enumerate(keys)]
            heapify(heap)

    def key(self, position: int) -> int:
        return self._keys[position]

    def add(self, key: int) -> None:
        """Add one position more."""
        self._keys.append(key)
        heappush(self._heap, (key, len(self._keys) - 1))
        self._most += 8

    def argmin(self) -> int:
        heap, keys = self._heap, self._keys
        while heap[0][0] != keys[heap[0][1]]:
            heappop(heap)
        return heap[0][1]
