"""Shortest job first, by an oracle: the waiting request with the fewest tokens left to generate starts next.

Source: Schrage's rule (Operations Research 16, 1968) applied to output length; the upper bound that
length-predicting schedulers are compared with.

Decides:  the order of the waiting queue.
Leaves:   admission, chunking and preemption to the default scheduler.
Differs:  it knows the true output length, which no server does: a bound, not a proposal.
"""

from simcore.contract import RequestView, Scheduler


class ShortestJobFirstOracle(Scheduler):
    """Orders by true output length; the study must say `oracle: [output_tokens]`."""

    oracle = frozenset({"output_tokens"})

    def order(self, request: RequestView) -> int:
        return request.oracle.output_tokens - request.output_tokens
