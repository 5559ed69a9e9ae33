"""What policies see of the plain cluster: the views of the contract, read off its books one by one."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from simcore.books.draw import seed_of, uniform
from simcore.contract import to_s
from tests.property.cluster.requests import PlainRequest

ROUTER_DRAWS, SCHEDULER_DRAWS = 1, 2


class RequestSight:
    """A `RequestView`."""

    def __init__(self, cluster: Any, request: PlainRequest) -> None:
        workload = cluster.workload
        self.id = request.id
        self.arrival_s = to_s(request.arrival)
        self.prompt_tokens, self.output_tokens = request.prompt, request.generated
        self.computed_tokens, self.kv_blocks = request.computed, len(request.held)
        self.state = request.state
        self.instance = None if request.instance < 0 else request.instance
        self.priority = cluster.priority(request)
        self._host = None if request.lane is None else request.lane.instance.host
        self._request = request
        self.request_class = workload.classes[request.request_class]
        self.program = None if request.program < 0 else request.program
        self.turn = request.turn
        self.cached_tokens = request.cached
        self.preemptions = request.preemptions
        self.scheduled_s = None if request.scheduled < 0 else to_s(request.scheduled)
        self.first_token_s = None if request.first < 0 else to_s(request.first)
        self.oracle = SimpleNamespace(output_tokens=request.output)

    @property
    def host_tokens(self) -> int:
        return 0 if self._host is None else int(self._host.valid(self._request))


class Views:
    """Makes views of requests."""

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster

    def request(self, request: PlainRequest) -> RequestSight:
        return RequestSight(self.cluster, request)


class Requests(Mapping[int, RequestSight]):
    """Requests by id, as of now."""

    def __init__(self, cluster: Any, requests: list[PlainRequest]) -> None:
        self._cluster = cluster
        self._requests = {request.id: request for request in requests}

    def __getitem__(self, number: int) -> RequestSight:
        return RequestSight(self._cluster, self._requests[number])

    def __iter__(self) -> Iterator[int]:
        return iter(self._requests)

    def __len__(self) -> int:
        return len(self._requests)


def to_prefill(request: PlainRequest) -> int:
    return 1 if request.ready else request.target - request.computed


class Report:
    """The loads of an instance as they are now; the router's dispatches are added later."""

    def __init__(self, instance: Any) -> None:
        waiting = instance.waiting
        self.instance = instance
        self.as_of_s = to_s(max(lane.started for lane in instance.lanes))
        self.running, self.waiting = len(instance.running), len(waiting)
        self.preempted = sum(request.preemptions > 0 for request in waiting)
        self.free_blocks = instance.pool.free
        self.head_blocks = instance.needs(waiting[0]) if waiting else 0
        self.waiting_blocks = sum(instance.needs(request) for request in waiting)
        self.waiting_tokens = sum(to_prefill(request) for request in waiting)
        self.pinned_blocks = sum(len(pin.blocks) for pin in instance.pins.values())
        self.reserved_blocks = instance.reserved
        self.host_free_blocks = instance.host_free

    def dispatched(self, request: PlainRequest) -> None:
        if not self.waiting:
            self.head_blocks = self.instance.needs(request)
        self.waiting += 1
        self.waiting_blocks += self.instance.needs(request)
        self.waiting_tokens += to_prefill(request)


class InstanceSight:
    """An `InstanceView`: state, role and caches as they are, loads as reported."""

    def __init__(self, cluster: Any, instance: Any) -> None:
        self._cluster, self._instance = cluster, instance
        self.id, self.state, self.role = instance.id, instance.state, instance.role
        self.kv_blocks = cluster.settings.kv_blocks
        self._report: Report | None = None

    def __getattr__(self, name: str) -> Any:
        if self._report is None:
            periodic = self._cluster.settings.report_s is not None
            self._report = self._cluster.reports[self.id] if periodic else Report(self._instance)
        return getattr(self._report, name)

    def cached_tokens(self, number: int) -> int:
        pool = self._instance.pool
        return len(pool.hits(self._cluster.live[number])) * int(pool.size)


class ClusterSight:
    """A `ClusterView`."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster

    @property
    def now_s(self) -> float:
        return to_s(self._cluster.now)

    @property
    def requests(self) -> Requests:
        return Requests(self._cluster, list(self._cluster.live.values()))

    @property
    def instances(self) -> list[InstanceSight]:
        return [InstanceSight(self._cluster, instance) for instance in self._cluster.instances]

    @property
    def up(self) -> list[InstanceSight]:
        return [instance for instance in self.instances if instance.state == "up"]

    def least(self, load: str, role: str | None = None) -> int:
        def key(instance: InstanceSight) -> tuple[int, int]:
            if load == "requests":
                return instance.running + instance.waiting, instance.id
            return getattr(instance, load), instance.id

        return int(min((i for i in self.up if role is None or i.role == role), key=key).id)

    def draw(self, *key: int) -> float:
        settings = self._cluster.settings
        return uniform(seed_of(settings.seed, settings.replication, ROUTER_DRAWS), key)


class LaneSight:
    """A `LaneView`."""

    def __init__(self, lane: Any) -> None:
        self._lane = lane
        self.instance, self.lane = lane.instance.id, lane.position
        self.block_tokens = lane.cluster.settings.block_tokens
        self.kv_blocks = lane.cluster.settings.kv_blocks

    @property
    def now_s(self) -> float:
        return to_s(self._lane.cluster.now)

    @property
    def role(self) -> str:
        return str(self._lane.instance.role)

    @property
    def iteration(self) -> int:
        return int(self._lane.iterations)

    @property
    def free_blocks(self) -> int:
        return int(self._lane.instance.pool.free)

    @property
    def host_free_blocks(self) -> int:
        return int(self._lane.instance.host_free)

    @property
    def pins(self) -> dict[int, float]:
        return {key: to_s(pin.until) for key, pin in self._lane.instance.pins.items()}

    @property
    def running(self) -> list[int]:
        return [request.id for request in self._lane.running]

    @property
    def waiting(self) -> list[int]:
        return [request.id for request in self._lane.waiting]

    @property
    def requests(self) -> Requests:
        lane = self._lane
        return Requests(lane.cluster, [*lane.running, *lane.waiting, *lane.copying, *lane.come])

    def draw(self, *key: int) -> float:
        settings = self._lane.cluster.settings
        return uniform(seed_of(settings.seed, settings.replication, SCHEDULER_DRAWS, self._lane.index), key)
