"""Check: one thing that was looked at, what was found, and what mends it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "absent", "problem"]


@dataclass(frozen=True, slots=True)
class Check:
    """A finding.

    Args:
        name: what was looked at.
        state: `absent` is something optional that is not there; a `problem` keeps the simulator from working.
        says: what was found, in one line.
        fix: the command or change that mends it, where there is one.
    """

    name: str
    state: State
    says: str
    fix: str = ""
