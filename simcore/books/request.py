"""Request: one row of the books, from its arrival to its end."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simcore.books.client import Client
    from simcore.books.store import Held

UNROUTED, WAITING, RUNNING, SWAPPED, PAUSED, FINISHED, REJECTED, CANCELLED, FAILED = range(9)
STATES = ("unrouted", "waiting", "running", "swapped", "paused", "finished", "rejected", "cancelled", "failed")
NEVER = -1


class Request:
    """A request and its place in the cluster. `output` is the hidden truth; views never show it.

    While a request decodes (`ends` >= 0) nothing of it is touched per token: with its lane at iteration `it`
    it has `offset + it` tokens in the KV cache and finishes when the lane's counter reaches `ends`.
    Otherwise `computed`, `generated` and `blocks` say where it stands.
    """

    __slots__ = (
        "arrival_ps",
        "blocks",
        "client",
        "computed",
        "ends",
        "enqueued",
        "first_ps",
        "generated",
        "held",
        "id",
        "lane",
        "last_ps",
        "offset",
        "output",
        "preemptions",
        "prompt",
        "request_class",
        "scheduled_ps",
        "seq",
        "spans",
        "state",
    )

    enqueued: int
    """Its number on its lane; set when it joins the queue."""
    seq: int
    """Order of admission; set whenever it starts to run."""
    offset: int
    """Set while it decodes."""

    def __init__(self, request_id: int, arrival_ps: int, prompt: int, output: int, request_class: int = 0) -> None:
        self.id = request_id
        self.arrival_ps = arrival_ps
        self.prompt = prompt
        self.output = output
        self.request_class = request_class
        self.generated = self.computed = self.blocks = self.preemptions = 0
        self.ends = NEVER
        self.scheduled_ps = self.first_ps = self.last_ps = NEVER
        self.state = UNROUTED
        self.lane: int | None = None
        self.client: Client | None = None
        """What its client does next, if anything."""
        self.held: Held | None = None
        """Where its KV is, in runs where it can be elsewhere."""
        self.spans: list[tuple[int, int, int]] | None = None
        """(lane, first iteration, last iteration) of each unbroken run of tokens, when the run keeps them."""

    def __repr__(self) -> str:
        return f"Request({self.id}, {STATES[self.state]}, prompt={self.prompt}, generated={self.generated})"
