"""In flight: which blocks the copies under way read or write, so that who needs one waits for just those copies."""

from collections.abc import Iterable
from threading import Lock

from realbackend.completion import Completion


class InFlight:
    """Blocks of one pool, by their ids. Two lanes may ask at once, each from a thread of its own.

    The books free a block that is being copied only when they have heard that the copy ended, but for two: one that a
    synchronous swap has emptied, and one of an instance that went down. Both may be handed out while they are read.

    >>> from realbackend.completion import DONE
    >>> blocks = InFlight()
    >>> blocks.add([3, 4], DONE)
    >>> blocks.touching([4, 5])  # it has ended meanwhile
    []
    """

    def __init__(self) -> None:
        self._copies: list[tuple[frozenset[int], Completion]] = []
        self._lock = Lock()

    def __bool__(self) -> bool:
        return bool(self._copies)

    def add(self, blocks: Iterable[int], copy: Completion) -> None:
        """Note a copy that reads or writes these blocks."""
        with self._lock:
            self._copies.append((frozenset(blocks), copy))

    def touching(self, blocks: Iterable[int]) -> list[Completion]:
        """Return the copies under way that read or write any of these blocks."""
        with self._lock:
            self._copies = copies = [(touched, copy) for touched, copy in self._copies if not copy.done()]
        if not copies:
            return []
        wanted = frozenset(blocks)
        return [copy for touched, copy in copies if not wanted.isdisjoint(touched)]
