"""Cache aware: the longest cached prefix wins, unless the prefix is short or the loads have drifted apart.

Source: the cache-aware policy of the SGLang router (`sgl-router/src/policies/cache_aware.rs`, commit 026f853), with the
defaults of its command line.

Decides:  where a request goes.
Leaves:   everything else.
Differs:  what is cached is what the caches hold, not what a radix tree of past prompts suggests; instead of the
          smallest tree, the instance that was sent the fewest tokens it did not hold.
"""

from collections import Counter

from simcore.contract import Actions, ClusterView, InstanceDown, InstanceId, InstanceView, PlacingRouter, RequestId


class CacheAware(PlacingRouter):
    """Args:
    cache_threshold: share of the prompt that must be cached for the cache to decide, 0..1.
    balance_abs_threshold, balance_rel_threshold: while the most loaded instance has more than `abs` requests more, and
        more than `rel` times the requests, than the least loaded, the least loaded gets the request.
    """

    def __init__(
        self,
        *,
        cache_threshold: float = 0.3,
        balance_abs_threshold: int = 64,
        balance_rel_threshold: float = 1.5,
    ) -> None:
        if not 0 <= cache_threshold <= 1:
            raise ValueError(f"cache_threshold must be in 0..1, got {cache_threshold}")
        if balance_abs_threshold < 0:
            raise ValueError(f"balance_abs_threshold must be >= 0, got {balance_abs_threshold}")
        if not balance_rel_threshold >= 1:
            raise ValueError(f"balance_rel_threshold must be >= 1, got {balance_rel_threshold}")
        self.cache_threshold = cache_threshold
        self.balance_abs_threshold = balance_abs_threshold
        self.balance_rel_threshold = balance_rel_threshold
        self.new_tokens: Counter[InstanceId] = Counter()
        """Tokens an instance was sent that its cache did not hold."""

    def place(self, view: ClusterView, request: RequestId) -> InstanceId:
        up = view.up
        tokens = view.requests[request].prompt_tokens + view.requests[request].output_tokens
        cached = {instance.id: instance.cached_tokens(request) for instance in up}
        best = max(cached, key=lambda instance: (cached[instance], -instance))
        least, most = requests(min(up, key=requests)), requests(max(up, key=requests))
        if most - least > self.balance_abs_threshold and most > self.balance_rel_threshold * least:
            chosen = min(up, key=requests).id
        elif cached[best] > self.cache_threshold * tokens:
            chosen = best
        else:
            chosen = min(cached, key=lambda instance: (self.new_tokens[instance], instance))
        self.new_tokens[chosen] += tokens - cached[chosen]
        return chosen

    def on_instance_down(self, view: ClusterView, fact: InstanceDown) -> Actions:
        del self.new_tokens[fact.instance]
        return ()


def requests(instance: InstanceView) -> int:
    return instance.waiting + instance.running
