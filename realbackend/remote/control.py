"""Control: what the two ends of a migration tell each other; the KV goes over a wire."""

from multiprocessing.connection import Connection
from typing import NamedTuple


class Reserve(NamedTuple):
    """Have room for so many blocks in all; the answer is `Reserved`."""

    blocks: int


class Reserved(NamedTuple):
    """Whether there is room."""

    there: bool


class Sent(NamedTuple):
    """Blocks first .. until - 1 are on the wire."""

    first: int
    until: int


class Commit(NamedTuple):
    """All of it is sent: go on with this text, until it has so many tokens; the answer is `GoesOn`."""

    text: list[int]
    until: int


class GoesOn(NamedTuple):
    """The next token is there: the source can forget the request."""


class CalledOff(NamedTuple):
    """It stays where it is."""

    why: str


Message = Reserve | Reserved | Sent | Commit | GoesOn | CalledOff


class Control:
    """This end of a connection.

    Args:
        timeout_s: how long to wait for an answer.

    Both methods raise ConnectionError when the other end is gone, `take` TimeoutError when it says nothing.
    """

    def __init__(self, connection: "Connection[Message, Message]", timeout_s: float = 60.0) -> None:
        self._connection = connection
        self._timeout_s = timeout_s

    def give(self, message: Message) -> None:
        try:
            self._connection.send(message)
        except OSError as error:
            raise ConnectionError(f"the other process is gone: {error}") from error

    def take(self) -> Message:
        try:
            if not self._connection.poll(self._timeout_s):
                raise TimeoutError(f"the other process said nothing for {self._timeout_s:g} s")
            return self._connection.recv()
        except (EOFError, ConnectionError) as error:
            raise ConnectionError("the other process is gone") from error
