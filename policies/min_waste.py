"""Min waste: keep the KV of a program that calls a tool for as long as keeping wastes less memory than giving it up.

Source: InferCept, arXiv:2402.01869 (minimum waste). Keeping C tokens wastes C x T; giving them up wastes C x F, the
memory of the request while it is computed again, and R x F, that of the R tokens of those who wait for it meanwhile.

Decides:  for how long the KV of a turn that ended in a tool call is pinned; the order of the queue, by the arrival of
          the program; who yields, the last of them; which pin is broken when nothing can run.
Leaves:   everything else to the default scheduler; swapping to the host tier, which copies beside the computation
          whatever ends ("Host tier", docs/mechanisms.md).
Differs:  the paper asks at every iteration, with T the time since the call; keeping turns out worse at
          T = F (1 + R / C), so that is the date of the pin, with R as of the call. No budget for swaps.
"""

from collections.abc import Sequence

from policies.continuum import Continuum, Program
from simcore.contract import Actions, LaneView, TurnEnded


class MinWaste(Continuum):
    """Args:
    prefill_reload_s: (a, b, c): F of n tokens is a + b n + c n^2 seconds, computed anew or copied from the host.
    """

    def __init__(
        self,
        *,
        prefill_reload_s: Sequence[float] = (0.0, 1e-4, 0.0),
        max_num_batched_tokens: int = 2048,
        max_num_seqs: int = 256,
        reserve_full_prompt: bool = True,
    ) -> None:
        super().__init__(
            order="program",
            prefill_reload_s=prefill_reload_s,
            max_num_batched_tokens=max_num_batched_tokens,
            max_num_seqs=max_num_seqs,
            reserve_full_prompt=reserve_full_prompt,
        )
        self.running_tokens = 0

    def on_turn_ended(self, view: LaneView, fact: TurnEnded) -> Actions:
        self.running_tokens = sum(view.requests[running].computed_tokens for running in view.running)
        yield from super().on_turn_ended(view, fact)

    def time_to_live(self, program: Program) -> float:
        a, b, c = self.prefill_reload_s
        n = program.tokens
        return (a + b * n + c * n * n) * (1 + self.running_tokens / n)
