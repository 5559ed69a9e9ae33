"""Host blocks: which blocks of an instance's host memory hold the KV of which swapped request."""

from collections import deque

from simcore.books.request import RUNNING, Request


class HostBlocks:
    """Ids 0 to `total` - 1. How many a request has is in the books (`Held.host_blocks`); here is which."""

    def __init__(self, total: int) -> None:
        self._free = deque(range(total))
        self._of: dict[Request, list[int]] = {}
        self._epoch = 0

    def take(self, request: Request, blocks: int, epoch: int) -> list[int]:
        """Return blocks for the KV of a request that has none here.

        epoch: how often the instance went down; what was kept before is gone.
        """
        for each in [each for each in self._of if self._epoch != epoch or _is_gone(each)]:
            self.give_back(each)
        self._epoch = epoch
        assert request not in self._of, f"{request} has host blocks already"
        assert len(self._free) >= blocks, f"{blocks} host blocks wanted, {len(self._free)} are free"
        taken = self._of[request] = [self._free.popleft() for _ in range(blocks)]
        return taken

    def of(self, request: Request) -> list[int]:
        """Return the blocks that hold the KV of a request, in the order of its tokens."""
        return self._of[request]

    def give_back(self, request: Request) -> None:
        """Take the blocks of a request back: its KV has been copied in, or is not wanted any more."""
        self._free.extend(self._of.pop(request))


def _is_gone(request: Request) -> bool:
    """Return whether nobody wants the KV of a request any more; one that runs is about to have it copied in."""
    return request.held is None or (not request.held.host_blocks and request.state != RUNNING)
