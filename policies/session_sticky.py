"""Session sticky: the turns of a program go where its first turn went, so that they find its KV.

Source: session affinity of load balancers, as in the session router of the vLLM production stack
(`src/vllm_router/routers/routing_logic.py`: the session's id is hashed; without one, the least busy engine).

Decides:  where a request goes.
Leaves:   everything else.
Differs:  a program's home is chosen by load and remembered, instead of hashed.
"""

from collections import OrderedDict
from typing import get_args

from simcore.contract import ClusterView, InstanceId, Load, PlacingRouter, RequestId


class SessionSticky(PlacingRouter):
    """A request that is no turn, a first turn, and one whose home takes no prompts any more go to the least loaded.

    Args:
        load: what counts there, as in `least_loaded`.
        programs: homes remembered, >= 1. Nobody knows which turn was the last, so the program that has sent nothing for
            longest is forgotten first; if it comes back, it finds a new home.
    """

    def __init__(self, *, load: Load = "requests", programs: int = 100_000) -> None:
        if load not in get_args(Load):
            raise ValueError(f"load must be one of {', '.join(get_args(Load))}, got {load!r}")
        if programs < 1:
            raise ValueError(f"programs must be >= 1, got {programs}")
        self.load: Load = load
        self.programs = programs
        self.homes: OrderedDict[int, InstanceId] = OrderedDict()
        """Program to its instance, the longest silent first."""

    def place(self, view: ClusterView, request: RequestId) -> InstanceId:
        program = view.requests[request].program
        if program is None:
            return view.least(self.load)
        home = self.homes.pop(program, None)
        if home is None or not takes_prompts(view, home):
            home = view.least(self.load)
        self.homes[program] = home
        if len(self.homes) > self.programs:
            self.homes.popitem(last=False)
        return home


def takes_prompts(view: ClusterView, instance: InstanceId) -> bool:
    """Return whether new requests may go to an instance."""
    return view.instances[instance].state == "up" and view.instances[instance].role != "decode"
