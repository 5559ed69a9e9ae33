"""Continuum's bound: the same policy, told how long each tool will take and which turn is a program's last.

Source: the oracle that arXiv:2511.02230 is criticised for leaving out: KV is kept if the tool takes less than a hit
saves, and for just as long.

Decides:  what `continuum` does.
Leaves:   what it leaves.
Differs:  it reads the future: a bound, not a proposal. `continuum` with `ttl: oracle`; a file of its own, for a policy
          says by its class what it may read.
"""

from collections.abc import Sequence

from policies.continuum import Continuum, Order, Program
from simcore.contract import Actions, Arrived, Cancelled, LaneView, RequestId, TurnEnded

ROUNDING_S = 1e-6
"""The next turn arrives within the pin, whatever a date in seconds loses of a picosecond."""


class ContinuumOracle(Continuum):
    """The study must say `oracle: [tool_s, last_turn]`. Arguments as of `continuum`, but for `ttl` and `fixed_s`."""

    oracle = frozenset({"tool_s", "last_turn"})

    def __init__(
        self,
        *,
        order: Order = "paper",
        prefill_reload_s: Sequence[float] = (0.0, 1e-4, 0.0),
        window: int = 256,
        max_num_batched_tokens: int = 2048,
        max_num_seqs: int = 256,
        reserve_full_prompt: bool = True,
    ) -> None:
        super().__init__(
            order=order,
            prefill_reload_s=prefill_reload_s,
            window=window,
            max_num_batched_tokens=max_num_batched_tokens,
            max_num_seqs=max_num_seqs,
            reserve_full_prompt=reserve_full_prompt,
        )
        self.returns_in_s: dict[RequestId, float | None] = {}
        """By turn under way: the duration of the tool it will call; None: it is its program's last."""

    def on_arrived(self, view: LaneView, fact: Arrived) -> Actions:
        request = view.requests[fact.request]
        if request.program is not None:
            truth = request.oracle
            self.returns_in_s[request.id] = None if truth.last_turn else truth.tool_s
        yield from super().on_arrived(view, fact)

    def on_turn_ended(self, view: LaneView, fact: TurnEnded) -> Actions:
        yield from super().on_turn_ended(view, fact)
        self.returns_in_s.pop(fact.request, None)

    def on_cancelled(self, view: LaneView, fact: Cancelled) -> Actions:
        self.returns_in_s.pop(fact.request, None)
        yield from super().on_cancelled(view, fact)

    def time_to_live(self, program: Program) -> float:
        tool_s = self.returns_in_s.get(program.request)
        if tool_s is None or tool_s >= self.benefit_s(program):
            return 0.0
        return tool_s + ROUNDING_S
