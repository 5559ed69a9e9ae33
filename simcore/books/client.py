"""Client: who sent a request, when it gives up, and which turn it sends next."""

from simcore.books.request import Request


class Client:
    """What is known of a request beyond its lengths; made only where a workload says more.

    Args:
        program: the session or agent program it is a turn of, -1: none.
        turn: number of the turn, from 0.
        gap_ps: think or tool time before this turn, picoseconds.
        tool: what the turn ends in, by index, -1: nothing.
        cancel_ps: the client gives up so long after the arrival, -1: never.
    """

    __slots__ = ("cancel_ps", "gap_ps", "next", "program", "tool", "turn")

    def __init__(self, program: int = -1, turn: int = 0, gap_ps: int = 0, tool: int = -1, cancel_ps: int = -1) -> None:
        self.program = program
        self.turn = turn
        self.gap_ps = gap_ps
        self.tool = tool
        self.cancel_ps = cancel_ps
        self.next: Request | None = None
        """The program's next turn; hidden from policies."""
