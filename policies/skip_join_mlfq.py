"""Skip-join MLFQ: requests sink through queues of doubling quanta as they are served; long prompts start lower.

Source: Wu et al., FastServe, arXiv:2305.05920, section 4.1: a multi-level feedback queue in which a request joins the
queue whose quantum covers its first iteration, is demoted when its quantum is used up, and is promoted to the first
queue when it has starved.

Decides:  the order of the queue, and every `switch_every` iterations who is switched out.
Leaves:   how KV moves: swap it ahead of time, as FastServe does, or not.
Differs:  service is counted in iterations (one a token, and a prompt as many as it is worth `prompt_tokens`), not in
          measured time. KV comes back when its request is admitted, not ahead of that.
"""

from typing import Any

from policies.fastswitch import FastSwitch
from simcore.contract import (
    Actions,
    Arrived,
    Cancelled,
    Finished,
    LaneView,
    Preempted,
    RequestId,
    RequestView,
    Stepped,
    WakeAfter,
)


class SkipJoinMlfq(FastSwitch):
    """Args:
    quantum: iterations that the first queue grants; each further queue twice as many.
    queues: how many there are; the last grants any number.
    prompt_tokens: tokens of a prompt that take as long as an iteration of decodes.
    starved_s: seconds without service after which a request is in the first queue again.
    switch_every: iterations after which who runs is measured against who waits.
    """

    def __init__(
        self,
        *,
        quantum: int = 16,
        queues: int = 8,
        prompt_tokens: int = 256,
        starved_s: float = 30.0,
        switch_every: int = 16,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        for name, least, value in (
            ("quantum", 1, quantum),
            ("queues", 1, queues),
            ("prompt_tokens", 1, prompt_tokens),
            ("switch_every", 1, switch_every),
            ("starved_s", 0, starved_s),
        ):
            if not value >= least:
                raise ValueError(f"{name} must be >= {least}, got {value}")
        self.quantum, self.queues, self.prompt_tokens = quantum, queues, prompt_tokens
        self.starved_s, self.switch_every = starved_s, switch_every
        self.waits_since_s: dict[RequestId, float] = {}
        self.now_s = 0.0
        """When starvation was last looked at."""

    def order(self, request: RequestView) -> Any:
        return self.level(request), request.arrival_s, request.id

    def level(self, request: RequestView) -> int:
        """Return the queue a request is in, from 0."""
        if self.now_s - self.waits_since_s.get(request.id, self.now_s) >= self.starved_s > 0:
            return 0
        served = request.output_tokens + request.prompt_tokens / self.prompt_tokens
        level, granted = 0, float(self.quantum)
        while served > granted and level < self.queues - 1:
            level += 1
            granted += self.quantum * 2**level
        return level

    # -- reactions ------------------------------------------------------------------------------------------------

    def on_start(self, view: LaneView) -> Actions:
        yield WakeAfter(self.switch_every)

    def on_arrived(self, view: LaneView, fact: Arrived) -> Actions:
        self.waits_since_s[fact.request] = view.now_s
        return super().on_arrived(view, fact)

    def on_preempted(self, view: LaneView, fact: Preempted) -> Actions:
        self.waits_since_s[fact.request] = view.now_s
        return ()

    def on_finished(self, view: LaneView, fact: Finished) -> Actions:
        self.waits_since_s.pop(fact.request, None)
        return ()

    def on_cancelled(self, view: LaneView, fact: Cancelled) -> Actions:
        self.waits_since_s.pop(fact.request, None)
        return ()

    def on_stepped(self, view: LaneView, fact: Stepped) -> Actions:
        yield WakeAfter(self.switch_every)
        self.now_s = view.now_s
        for running in view.running:
            self.waits_since_s[running] = view.now_s
        yield from self.read_again(view)
        yield from self.switch(view)
