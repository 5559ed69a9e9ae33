"""Warming: what prompts leave behind in prefix caches before a run begins, as if the same traffic had passed before."""

from collections.abc import Iterable, Iterator

from simcore.books.prefix_cache import Content
from simcore.books.request import Request
from simcore.books.store import KvStore
from simcore.contract import Workload
from simcore.simulator.clients import with_clients


def warm(stores: Iterable[KvStore], workload: Workload) -> None:
    """Let the prompts of all requests go through each cache, one by one, in order; nothing stays held."""
    caches = [store.cache for store in stores if store.cache is not None and store.cached]
    for content, prompt_tokens in _prompts(workload):
        for cache in caches:
            blocks = prompt_tokens // cache.block_tokens
            if blocks <= cache.total:  # else no instance could ever hold it
                chain = cache.open(content)
                cache.grow(chain, blocks)
                cache.release(chain, anonymous=0)
    for cache in caches:
        cache.evicted = 0


def _prompts(workload: Workload) -> Iterator[tuple[Content, int]]:
    """Yield the content and the length of each prompt, later turns of programs among them."""
    read = 0
    for piece in workload.pieces():
        rows = zip(piece.at_ps.tolist(), piece.prompt_tokens.tolist(), piece.output_tokens.tolist(), strict=True)
        requests = [Request(read + row, *lengths) for row, lengths in enumerate(rows)]
        read += len(requests)
        for _ in with_clients(iter(requests), piece, contents=True):
            pass  # gives each its content
        for request in requests:
            assert request.held is not None
            yield request.held.content, request.prompt
