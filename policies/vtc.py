"""VTC: the client that was served the fewest tokens is served next.

Source: Sheng et al., Fairness in Serving Large Language Models, OSDI 2024, arXiv:2401.00588, Algorithm 2: a virtual
counter per client, charged for a prompt when it starts and for each token that comes out; one that comes back is
lifted to the least of those who are there, so that being away saves nothing up.

Decides:  the order of the queue; with `switch_every`, who is switched out as well.
Leaves:   admission, chunking, and how KV moves.
Differs:  counters are read again when a request arrives, starts, or ends, not in every iteration. Requests of a client
          that wait are charged for one another, so that the order is that of picking them one by one. What a cancelled
          request was given is not charged.
"""

from collections.abc import Iterator
from typing import Any, Literal

from policies.fastswitch import FastSwitch
from simcore.contract import (
    Action,
    Actions,
    Arrived,
    Cancelled,
    Finished,
    FirstToken,
    LaneView,
    RequestId,
    RequestView,
    Stepped,
    WakeAfter,
)

Client = int | str


class Vtc(FastSwitch):
    """Args:
    client: whose tokens are counted: a "class" of requests, or a "program" (a request of none is a client of its own).
    prompt_weight, output_weight: what a token costs its client.
    switch_every: iterations after which the running are measured against the waiting; 0: never, as published.
    """

    def __init__(
        self,
        *,
        client: Literal["class", "program"] = "class",
        prompt_weight: float = 1.0,
        output_weight: float = 2.0,
        switch_every: int = 0,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        if client not in ("class", "program"):
            raise ValueError(f"client must be class or program, got {client!r}")
        if min(prompt_weight, output_weight) < 0:
            raise ValueError(f"weights must be >= 0, got {prompt_weight} and {output_weight}")
        if switch_every < 0:
            raise ValueError(f"switch_every must be >= 0, got {switch_every}")
        self.client, self.switch_every = client, switch_every
        self.prompt_weight, self.output_weight = prompt_weight, output_weight
        self.ended: dict[Client, float] = {}
        """What each client was charged for what has ended, and lifted by."""
        self.owners: dict[RequestId, tuple[Client, int]] = {}
        """Client and prompt tokens of each request here."""
        self.ranks: dict[RequestId, float] = {}

    def order(self, request: RequestView) -> Any:
        return self.ranks.get(request.id, 0.0), request.arrival_s, request.id

    # -- reactions ------------------------------------------------------------------------------------------------

    def on_start(self, view: LaneView) -> Actions:
        if self.switch_every:
            yield WakeAfter(self.switch_every)

    def on_arrived(self, view: LaneView, fact: Arrived) -> Actions:
        request = view.requests[fact.request]
        client = self.client_of(request)
        if all(owner != client for owner, _ in self.owners.values()):
            self.lift(view, client)
        self.owners[request.id] = client, request.prompt_tokens
        yield from self.count_again(view)

    def on_first_token(self, view: LaneView, fact: FirstToken) -> Actions:
        yield from self.count_again(view)

    def on_finished(self, view: LaneView, fact: Finished) -> Actions:
        if fact.request in self.owners:
            client, prompt_tokens = self.owners.pop(fact.request)
            charge = self.prompt_weight * prompt_tokens + self.output_weight * fact.output_tokens
            self.ended[client] = self.ended.get(client, 0.0) + charge
        yield from self.count_again(view)

    def on_cancelled(self, view: LaneView, fact: Cancelled) -> Actions:
        self.owners.pop(fact.request, None)
        yield from self.count_again(view)

    def on_stepped(self, view: LaneView, fact: Stepped) -> Actions:
        yield WakeAfter(self.switch_every)
        yield from self.count_again(view)
        yield from self.switch(view)

    # -- counters ---------------------------------------------------------------------------------------------------

    def client_of(self, request: RequestView) -> Client:
        if self.client == "class":
            return request.request_class
        return -1 - request.id if request.program is None else request.program

    def charged(self, request: RequestView) -> float:
        """Return what a live request has cost its client so far."""
        started = request.scheduled_s is not None
        return self.prompt_weight * request.prompt_tokens * started + self.output_weight * request.output_tokens

    def counters(self, view: LaneView) -> dict[Client, float]:
        """Return the counter of every client that has a request here."""
        here = {request: owner for request, (owner, _) in self.owners.items() if request in view.requests}
        counters = {client: self.ended.get(client, 0.0) for client in here.values()}
        for request, client in here.items():
            counters[client] += self.charged(view.requests[request])
        return counters

    def lift(self, view: LaneView, client: Client) -> None:
        """Raise the counter of a client that comes (back) to the least of those who are here."""
        counters = self.counters(view)
        if counters:
            self.ended[client] = max(self.ended.get(client, 0.0), min(counters.values()))

    def count_again(self, view: LaneView) -> Iterator[Action]:
        """Rank who runs by the client's counter, who waits by what the counter is when its turn comes."""
        requests, counters = view.requests, self.counters(view)
        self.ranks = {}
        for running in view.running:
            if running in self.owners:
                self.ranks[running] = counters[self.owners[running][0]]
        for request in sorted((requests[r] for r in view.waiting), key=lambda r: (r.arrival_s, r.id)):
            client = self.client_of(request)
            self.ranks[request.id] = counters.get(client, 0.0)
            if request.scheduled_s is None:
                counters[client] = self.ranks[request.id] + self.prompt_weight * request.prompt_tokens
        yield from self.read_again(view)
