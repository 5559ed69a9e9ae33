"""Plain requests: where one stands, and which tokens it consists of."""

from dataclasses import dataclass, field
from typing import Any

from simcore.contract import Arrivals
from tests.property.cluster.groups import Blocks

UNROUTED, WAITING, RUNNING, SWAPPED, PAUSED = "unrouted", "waiting", "running", "swapped", "paused"
FINISHED, REJECTED, CANCELLED, FAILED = "finished", "rejected", "cancelled", "failed"
ENDED = (FINISHED, REJECTED, CANCELLED, FAILED)


@dataclass(eq=False)
class PlainRequest:
    """One request. `lane` is where it waits, runs or is paused; `held` are its blocks there.

    `kept` are its blocks on the instance that handed it on; `elsewhere` says that its KV stands there, or in host
    memory; `copies` are under way. `ending`: it gave its last token and is in its extra
    iteration.
    """

    id: int
    arrival: int
    prompt: int
    output: int
    request_class: int = 0
    program: int = -1
    turn: int = 0
    gap: int = 0
    tool: int = -1
    cancel: int = -1
    segments: tuple[tuple[int, int], ...] = ()
    stream: tuple[Any, ...] = ()
    state: str = "dormant"
    generated: int = 0
    computed: int = 0
    times: list[int] = field(default_factory=list)
    scheduled: int = -1
    first: int = -1
    last: int = -1
    preemptions: int = 0
    cached: int = 0
    lane: Any = None
    instance: int = -1
    number: int = -1
    key: Any = 0
    seen_from: int = 0
    prefilling: bool = False
    ending: bool = False
    elsewhere: bool = False
    held: Blocks = field(default_factory=Blocks)
    kept: Any = None
    copies: list[Any] = field(default_factory=list)
    chains: list[int] = field(default_factory=list)

    @property
    def target(self) -> int:
        return self.prompt + self.generated

    @property
    def decodes(self) -> bool:
        """All but its last token's KV stands, be it the last of a prefill that is done over."""
        return self.generated > 0 and self.computed == self.target - 1

    @property
    def ready(self) -> bool:
        """While it waits: its KV stands somewhere, so it needs a place and no prefill."""
        return self.elsewhere or (bool(self.held) and self.decodes)

    @property
    def conversation(self) -> int:
        return self.program if self.program >= 0 else -1 - self.id

    def token(self, position: int) -> tuple[Any, ...]:
        """What stands at a position, told apart from everything else that can stand there."""
        for key, end in self.segments:
            if position < end:
                return ("head", key, position)
        return (*self.stream, position)

    def chain(self, index: int, size: int, names: dict[Any, int]) -> int:
        """The name of all tokens up to the end of block `index`."""
        while len(self.chains) <= index:
            start = len(self.chains) * size
            tokens = tuple(self.token(p) for p in range(start, start + size))
            link = (self.chains[-1] if self.chains else -1, tokens)
            self.chains.append(names.setdefault(link, len(names)))
        return self.chains[index]


def read(pieces: list[Arrivals]) -> list[PlainRequest]:
    """All requests of a workload, turns that may never come among them."""
    requests: list[PlainRequest] = []
    for piece in pieces:
        columns = {
            "request_class": piece.request_class,
            "program": piece.program,
            "turn": piece.turn,
            "gap": piece.gap_ps,
            "tool": piece.tool,
            "cancel": piece.cancel_ps,
        }
        given = {name: column.tolist() for name, column in columns.items() if column is not None}
        for row in range(len(piece)):
            one = {name: column[row] for name, column in given.items()}
            number = len(requests)
            request = PlainRequest(
                number, int(piece.at_ps[row]), int(piece.prompt_tokens[row]), int(piece.output_tokens[row]), **one
            )
            if piece.head is not None:
                part = slice(int(piece.head.offsets[row]), int(piece.head.offsets[row + 1]))
                keys, ends = piece.head.keys[part].tolist(), piece.head.ends[part].tolist()
                request.segments = tuple(zip(keys, ends, strict=True))
            stream = None if piece.stream is None else int(piece.stream[row])
            if stream is not None and stream >= 0:
                request.stream = ("stream", stream)
            elif stream is None and request.program >= 0:
                request.stream = ("program", request.program)
            else:
                request.stream = ("own", number)
            requests.append(request)
    return requests
