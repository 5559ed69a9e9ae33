"""Prefix aware: a request goes where the prompt left to compute and the KV in use cost least together.

Source: the KV router of NVIDIA Dynamo (`lib/llm/src/kv_router/scheduler.rs`, commit db19bd2): cost = overlap_weight
x prefill blocks + active blocks, both as they would be with the request there; the lowest wins, or a softmax draws.

Decides:  where a request goes.
Leaves:   everything else.
Differs:  KV in use is what the instance reports and has queued, not the router's own count of it; ties are drawn.
"""

from bisect import bisect
from collections import Counter
from itertools import accumulate
from math import exp

from simcore.contract import (
    Actions,
    Cancelled,
    ClusterView,
    FirstToken,
    InstanceDown,
    InstanceId,
    InstanceView,
    PlacingRouter,
    Rejected,
    RequestId,
    RequestView,
)


class PrefixAware(PlacingRouter):
    """Args:
    overlap_weight: what a block of prompt to compute costs, in blocks of KV in use; >= 0. 0 looks at KV alone.
    temperature: 0 takes the lowest cost; above, an instance is drawn with weight exp(-cost / temperature), costs
        scaled to a range of 1.
    """

    def __init__(self, *, overlap_weight: float = 1.0, temperature: float = 0.0) -> None:
        for name, value in (("overlap_weight", overlap_weight), ("temperature", temperature)):
            if not value >= 0:
                raise ValueError(f"{name} must be >= 0, got {value}")
        self.overlap_weight = overlap_weight
        self.temperature = temperature
        self.prefilling: dict[RequestId, tuple[InstanceId, int]] = {}
        """Where a request without its first token is, and the tokens it had to compute there when it was sent."""
        self.prefill_tokens: Counter[InstanceId] = Counter()
        """The same, summed by instance."""

    def place(self, view: ClusterView, request: RequestId) -> InstanceId:
        asked = view.requests[request]
        costs = [self.cost(instance, asked) for instance in view.up]
        chosen = view.up[self.pick(costs, view.draw(request))]
        if asked.first_token_s is None:
            tokens = tokens_to_compute(chosen, asked)
            self.prefilling[request] = chosen.id, tokens
            self.prefill_tokens[chosen.id] += tokens
        return chosen.id

    def cost(self, instance: InstanceView, request: RequestView) -> float:
        prefill_tokens = self.prefill_tokens[instance.id] + tokens_to_compute(instance, request)
        blocks_in_use = instance.kv_blocks - instance.free_blocks + instance.waiting_blocks
        return self.overlap_weight * prefill_tokens / instance.block_tokens + blocks_in_use

    def pick(self, costs: list[float], draw: float) -> int:
        """Return an index into `costs`, by a uniform number in [0, 1)."""
        least, most = min(costs), max(costs)
        if self.temperature == 0 or most == least:
            weights = [float(cost == least) for cost in costs]
        else:
            weights = [exp((least - cost) / (most - least) / self.temperature) for cost in costs]
        shares = list(accumulate(weights))
        return bisect(shares, draw * shares[-1], hi=len(shares) - 1)

    def forget(self, request: RequestId) -> None:
        instance, tokens = self.prefilling.pop(request, (0, 0))
        self.prefill_tokens[instance] -= tokens

    def on_through(self, view: ClusterView, fact: FirstToken | Cancelled | Rejected) -> Actions:
        self.forget(fact.request)
        return ()

    on_first_token = on_cancelled = on_rejected = on_through

    def on_instance_down(self, view: ClusterView, fact: InstanceDown) -> Actions:
        for request in [request for request, (where, _) in self.prefilling.items() if where == fact.instance]:
            self.forget(request)
        return ()


def tokens_to_compute(instance: InstanceView, request: RequestView) -> int:
    return request.prompt_tokens + request.output_tokens - instance.cached_tokens(request.id)
