"""Calls: what somebody asks of a run while it runs, and what comes back."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

End = Literal[
    "length", "stop", "too_long", "queue_full", "policy", "client", "timeout", "aborted", "failed", "shutdown"
]
"""Why a call is over: it got all its tokens; a token that ends texts; it can never fit; `max_waiting`; its router's
choice; its client hung up; its client lost patience; a policy's choice; its instance, or the run, failed; the door is
shut."""

GOOD_ENDS: tuple[End, ...] = ("length", "stop")
"""Those of a call that got its answer."""


class Call:
    """A request that comes from outside. Whoever makes it only reads `request_id` and `text` after its end was told.

    Args:
        prompt: its token ids, at least one.
        output_tokens: most tokens it may generate, >= 1.
        ends: tokens that end its text.
        min_tokens: before so many tokens nothing ends its text.
        program: the session or agent program it is a turn of; None: none.
        last_turn: its client says that no turn of its program follows.
    """

    __slots__ = (
        "ends",
        "given_up",
        "hashes",
        "last_turn",
        "min_tokens",
        "output_tokens",
        "over",
        "program",
        "prompt",
        "request_id",
        "text",
        "told",
    )

    def __init__(
        self,
        prompt: Sequence[int],
        output_tokens: int,
        *,
        ends: frozenset[int] = frozenset(),
        min_tokens: int = 0,
        program: str | None = None,
        last_turn: bool = False,
    ) -> None:
        if not prompt or output_tokens < 1:
            raise ValueError(f"a call needs a prompt and room for a token, got {len(prompt)} and {output_tokens}")
        self.prompt = prompt
        self.output_tokens = output_tokens
        self.ends = ends
        self.min_tokens = min_tokens
        self.program = program
        self.last_turn = last_turn
        self.hashes: Sequence[bytes] = ()
        """Of its prompt up to the end of each full block (`Contents.hashes`), in runs with a prefix cache."""
        self.request_id = -1
        """Its number in the run; -1: it has not come in."""
        self.text: list[int] = []
        """What it generated so far."""
        self.told = 0
        """How many tokens of it went out."""
        self.given_up = False
        self.over = False


class News(NamedTuple):
    """Something that happened to a call: it came in (no tokens, no end), generated tokens, is over."""

    call: Call
    tokens: list[int]
    end: End | None


Listener = Callable[[list[News]], None]
"""Hears news, several at a time, on the thread that drives the run; it must not wait."""
