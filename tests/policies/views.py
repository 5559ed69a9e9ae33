"""Views: a cluster or a lane at one instant, said by hand, to ask a policy what it would do there."""

from dataclasses import dataclass, field
from typing import Any

from simcore.books.draw import uniform
from simcore.contract import Action, Actions, Arrived, Dispatch, IllegalAction, Load, Role, Router
from simcore.contract.view import InstanceState, RequestState


@dataclass
class Ask:
    """A `RequestView`. What is not said is that of a fresh prompt that nobody has routed."""

    id: int
    prompt_tokens: int = 100
    output_tokens: int = 0
    computed_tokens: int = 0
    kv_blocks: int = 0
    state: RequestState = "unrouted"
    instance: int | None = None
    program: int | None = None
    turn: int = 0
    cached_tokens: int = 0
    arrival_s: float = 0.0
    priority: int = 0
    request_class: str = "default"
    preemptions: int = 0
    scheduled_s: float | None = None
    first_token_s: float | None = None
    oracle: Any = None
    host_tokens: int = 0
    group: int | None = None
    max_new_tokens: int | None = None


@dataclass
class Server:
    """An `InstanceView`. `cached` says how many tokens of which request its prefix cache holds."""

    id: int
    state: InstanceState = "up"
    role: Role = "mixed"
    running: int = 0
    waiting: int = 0
    waiting_tokens: int = 0
    waiting_blocks: int = 0
    kv_blocks: int = 1000
    block_tokens: int = 16
    free_blocks: int = 1000
    cached: dict[int, int] = field(default_factory=dict)
    as_of_s: float = 0.0
    preempted: int = 0
    head_blocks: int = 0
    pinned_blocks: int = 0
    reserved_blocks: int = 0
    host_free_blocks: int = 0
    sm_split: tuple[int, int] | None = None
    sm_switching: bool = False
    weights_version: int = 0

    def cached_tokens(self, request: int) -> int:
        return self.cached.get(request, 0)


LOADS = {
    "requests": lambda server: server.running + server.waiting,
    "waiting": lambda server: server.waiting,
    "running": lambda server: server.running,
    "waiting_tokens": lambda server: server.waiting_tokens,
}


class Cluster:
    """A `ClusterView` of servers and of requests, both by their ids."""

    now_s = 0.0

    def __init__(self, servers: list[Server], *requests: Ask) -> None:
        self.instances: Any = servers
        self.requests: Any = {request.id: request for request in requests}

    @property
    def up(self) -> Any:
        return [server for server in self.instances if server.state == "up" and server.role != "decode"]

    def least(self, load: Load, role: Role | None = None) -> int:
        up = [server for server in self.instances if server.state == "up"]
        fitting = self.up if role is None else [server for server in up if server.role == role]
        if not fitting:
            raise IllegalAction(f"least: no instance is up with role {role}")
        chosen: Server = min(fitting, key=lambda server: (LOADS[load](server), server.id))
        return chosen.id

    def draw(self, *key: int) -> float:
        return uniform(0, key)


class Lane:
    """A `LaneView` at a boundary, of requests in admission order, then in queue order."""

    now_s = 0.0
    instance = 0
    lane = 0
    role: Role = "mixed"
    iteration = 0
    host_free_blocks = 0

    def __init__(self, *requests: Ask, free_blocks: int, kv_blocks: int = 100, block_tokens: int = 10) -> None:
        self.requests: Any = {request.id: request for request in requests}
        self.pins: dict[int, float] = {}
        self.free_blocks, self.kv_blocks, self.block_tokens = free_blocks, kv_blocks, block_tokens

    @property
    def running(self) -> list[int]:
        return [request.id for request in self.requests.values() if request.state == "running"]

    @property
    def waiting(self) -> list[int]:
        return [request.id for request in self.requests.values() if request.state == "waiting"]

    def draw(self, *key: int) -> float:
        return uniform(0, key)


def answer(actions: Actions) -> list[Action]:
    """Return what a hook asks for."""
    return list(actions)


def sent(router: Router, view: Cluster, request: int) -> int:
    """Return the instance that a router sends a request to when it arrives."""
    (dispatch,) = answer(router.on_arrived(view, Arrived(request)))
    assert isinstance(dispatch, Dispatch)
    assert dispatch.request == request
    return dispatch.instance
