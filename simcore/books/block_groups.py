"""Block groups: blocks by their ids, handed out in stretches of neighbours, so that few copies move them.

The rules are on the page docs/mechanisms.md. What can be had is what is free, room included: an allocator of single
blocks takes the same decisions. After FastSwitch's dynamic block groups (arXiv:2411.18424); details are ours.
"""

from bisect import bisect_left, insort
from itertools import pairwise

from simcore.books.prefix_cache import Content


class GroupChain:
    """A holder of blocks: `ids` in the order of its tokens; behind the last of them `room` more are kept for it."""

    __slots__ = ("blocks", "content", "ids", "room")

    def __init__(self, content: Content) -> None:
        self.content = content
        self.blocks = 0
        """Those that are full, as a cache counts them; nothing is found by it here."""
        self.ids: list[int] = []
        self.room = range(0)


class BlockGroups:
    """The blocks of one memory, 0 to `blocks` - 1; a `simcore.books.caches.Cache` in which nothing is ever found.

    Args:
        group_blocks: blocks of a new group, if it takes no more.
        spare_blocks: blocks of a new group beyond those.

    >>> groups = BlockGroups(10, 16, group_blocks=4)
    >>> one, two = groups.open(()), groups.open(())
    >>> groups.take(2, one), groups.take(3, two), groups.take(1, one)  # `one` has room for it
    (None, None, None)
    >>> one.ids, two.ids, groups.free
    ([0, 1, 2], [4, 5, 6], 4)
    """

    __slots__ = ("_rooms", "_runs", "block_tokens", "evicted", "free", "group_blocks", "spare_blocks", "total")

    def __init__(self, blocks: int, block_tokens: int, *, group_blocks: int = 1, spare_blocks: int = 0) -> None:
        self.total = blocks
        self.block_tokens = block_tokens
        self.group_blocks = group_blocks
        self.spare_blocks = spare_blocks
        self.evicted = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything: all blocks are free, and chains opened before are void."""
        self.free = self.total
        """Blocks that nobody holds, those of rooms among them."""
        self._runs: list[range] = [range(self.total)] if self.total else []
        """Free neighbours that are nobody's room, in order; no two touch."""
        self._rooms: dict[int, GroupChain] = {}
        """Holders that have room, by where it begins."""

    def match(self, content: Content, blocks: int) -> tuple[int, int]:
        """Return that nothing is found."""
        return 0, 0

    def open(self, content: Content) -> GroupChain:
        """Return a holder of nothing yet."""
        return GroupChain(content)

    def take(self, blocks: int, chain: GroupChain) -> None:
        """Give a holder so many free blocks."""
        assert 0 <= blocks <= self.free, f"{blocks} blocks to take, {self.free} free"
        self.free -= blocks
        while blocks:
            if not chain.room:
                self._open_group(blocks, chain)
            room = chain.room
            taken = min(blocks, len(room))
            chain.ids += room[:taken]
            self._set_room(chain, room[taken:])
            blocks -= taken

    def grow(self, chain: GroupChain, blocks: int, own: int = 0) -> int:
        """Count the first `blocks` blocks of a holder as full, `own` more than before are there; take the others."""
        more = blocks - chain.blocks - own
        self.take(more, chain)
        chain.blocks = blocks
        return more

    def release(self, chain: GroupChain, anonymous: int) -> int:
        """Free all that a holder has; return how many became free."""
        assert len(chain.ids) == chain.blocks + anonymous, f"{chain.ids}, {chain.blocks} full, {anonymous} more"
        freed = len(chain.ids)
        chain.blocks = 0
        self.give(freed, chain)
        return freed

    def give(self, blocks: int, chain: GroupChain) -> None:
        """Free the last so many blocks of a holder, and its room."""
        room = chain.room
        self._set_room(chain, range(0))
        self._put(room)
        kept = len(chain.ids) - blocks
        for run in stretches(chain.ids[kept:]):
            self._put(run)
        del chain.ids[kept:]
        self.free += blocks

    # -- groups --------------------------------------------------------------------------------------------

    def _open_group(self, blocks: int, chain: GroupChain) -> None:
        """Give a holder without room a new one."""
        wanted = max(blocks, self.group_blocks) + self.spare_blocks
        runs = self._runs
        if not runs:
            self._split(chain)
            return
        fit = [run for run in runs if len(run) >= wanted]
        chosen = min(fit, key=len) if fit else max(runs, key=len)
        runs.remove(chosen)
        if len(chosen) > wanted:
            insort(runs, chosen[wanted:], key=_start)
        self._set_room(chain, chosen[:wanted])

    def _split(self, chain: GroupChain) -> None:
        """Take the back half of the longest room."""
        start = min(self._rooms, key=lambda start: (-len(self._rooms[start].room), start))
        owner = self._rooms[start]
        half = len(owner.room) // 2
        back = owner.room[half:]
        self._set_room(owner, owner.room[:half])
        self._set_room(chain, back)

    def _set_room(self, chain: GroupChain, room: range) -> None:
        if chain.room:
            del self._rooms[chain.room.start]
        chain.room = room
        if room:
            self._rooms[room.start] = chain

    def _put(self, run: range) -> None:
        """Let neighbours be free, and one run with those they touch."""
        if not run:
            return
        runs = self._runs
        at = bisect_left(runs, run.start, key=_start)
        if at < len(runs) and runs[at].start == run.stop:
            run = range(run.start, runs.pop(at).stop)
        if at and runs[at - 1].stop == run.start:
            run = range(runs.pop(at - 1).start, run.stop)
            at -= 1
        runs.insert(at, run)

    # -- for tests ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert that runs are in order and apart, and that they and the rooms are what is free."""
        runs, rooms = self._runs, [chain.room for chain in self._rooms.values()]
        assert all(run for run in runs)
        assert all(a.stop < b.start for a, b in pairwise(runs)), f"runs touch: {runs}"
        free = [block for stretch in (*runs, *rooms) for block in stretch]
        assert len(set(free)) == len(free) == self.free, f"{len(free)} blocks in runs and rooms, {self.free} counted"


def _start(run: range) -> int:
    return run.start


def stretches(ids: list[int]) -> list[range]:
    """Return the longest stretches of neighbours, in the order given.

    >>> stretches([4, 5, 6, 9])
    [range(4, 7), range(9, 10)]
    """
    found: list[range] = []
    for block in ids:
        if found and found[-1].stop == block:
            found[-1] = range(found[-1].start, block + 1)
        else:
            found.append(range(block, block + 1))
    return found
