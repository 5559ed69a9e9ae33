"""Host tier: host memory as a second prefix cache, to which what ends is copied, and from which it comes back.

The rules are on the page docs/mechanisms.md, "Host tier". A prefix cache of host blocks keeps what is found, and its
queue is the order in which it is forgotten.
"""

from typing import TYPE_CHECKING

from simcore.books.block_cache import BlockCache, BlockChain
from simcore.books.caches import Cache, Holder
from simcore.books.copies import Copy
from simcore.books.prefix_cache import PrefixCache
from simcore.books.request import CANCELLED, PAUSED, Request
from simcore.contract import decisions as log

if TYPE_CHECKING:
    from simcore.books.store import KvStore
    from simcore.books.tiered import TieredLane


class HostTier:
    """The host blocks of one instance, as a prefix cache."""

    __slots__ = ("cache",)

    def __init__(self, cache: Cache) -> None:
        self.cache = cache


class TierCopy(Copy):
    """A copy between the tier and the instance. It holds blocks on both sides until its end is booked.

    here: the holder of cached blocks here, for an "offload"; a "reload" holds blocks in its request's name.
    there: the holder on the host. host_ids: the host's blocks that it reads or fills, if they have ids.
    """

    __slots__ = ("here", "there")

    here: Holder
    there: Holder


def add_tier(store: "KvStore", blocks: int, identities: bool) -> None:
    """Make `blocks` of host memory a tier of the prefix cache of an instance."""
    size = store.pool.block_tokens
    store.tier = HostTier(BlockCache(blocks, size) if identities else PrefixCache(blocks, size))


def offload(lane: "TieredLane", request: Request) -> None:
    """Copy to the host what the cache has of a request that has finished, as far as the host lacks it."""
    store, held = lane.store, request.held
    assert store.tier is not None
    assert store.cache is not None
    assert held is not None
    host, size = store.tier.cache, store.pool.block_tokens
    tail, _ = store.match(held.content, request.computed // size)
    known, _ = host.match(held.content, tail)
    there = host.open(held.content)
    host.grow(there, known)
    missing = tail - known
    if not missing or missing > host.free:
        host.release(there, 0)
        return
    host.take(missing, there)
    copy = TierCopy("offload", request, missing)
    copy.there, copy.here = there, store.cache.open(held.content)
    store.pool.free -= store.cache.grow(copy.here, tail)
    lane.leaving += tail
    store.reserved += tail
    copy.ids, copy.host_ids = _ids(copy.here)[known:], _ids(there)[known:]
    lane.copies.append(copy)
    lane.counts["offloads"] += 1
    lane.counts["offloaded_blocks"] += missing


def to_reload(store: "KvStore", request: Request) -> int:
    """Return the tokens of a request that the host has, if that is more than the cache here has; else 0."""
    assert store.tier is not None
    assert request.held is not None
    size = store.pool.block_tokens
    most = (request.prompt + request.generated - 1) // size
    there = store.tier.cache.match(request.held.content, most)[0]
    return there * size if there > store.match(request.held.content, most)[0] else 0


def reload(lane: "TieredLane", request: Request) -> bool:
    """Have what the host has of a request copied here, if that is more than the cache has; return whether it is."""
    store, held = lane.store, request.held
    tokens = to_reload(store, request)
    if not tokens:
        return False
    assert store.tier is not None
    assert held is not None
    request.computed = tokens
    cached = store.reserve(request, tokens)
    copy = TierCopy("reload", request, request.blocks - cached)
    copy.there = store.tier.cache.open(held.content)
    store.tier.cache.grow(copy.there, request.blocks)
    copy.ids, copy.host_ids = store.ids(request)[cached:], _ids(copy.there)[cached:]
    lane.copies.append(copy)
    request.state = PAUSED
    lane.arriving[request] = None
    store.reserved += request.blocks
    lane.notes.append((log.FETCH, request, copy.blocks))
    lane.counts["reloads"] += 1
    lane.counts["reloaded_blocks"] += copy.blocks
    return True


def tier_copied(lane: "TieredLane", copy: TierCopy) -> None:
    """A copy has ended: what it filled can be found, and what it held is free to go."""
    store, request = lane.store, copy.request
    assert store.tier is not None
    assert store.cache is not None
    lane.refused = False
    host = store.tier.cache
    if copy.kind == "offload":
        tail = copy.here.blocks
        lane.leaving -= tail
        store.reserved -= tail
        store.pool.free += store.cache.release(copy.here, 0)
        host.grow(copy.there, tail, copy.blocks)
        host.release(copy.there, 0)
        return
    del lane.arriving[request]
    store.reserved -= request.blocks
    host.release(copy.there, 0)
    store.release(request)
    request.computed = 0
    if request.state != CANCELLED:
        lane.wait(request)


def _ids(chain: Holder) -> list[int]:
    return list(chain.ids) if isinstance(chain, BlockChain) else []
