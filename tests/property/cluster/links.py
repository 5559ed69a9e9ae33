"""Plain links: all flows and all rates worked out anew whenever one begins or ends."""

from collections.abc import Callable
from typing import Any

PS = 10**12


class Flow:
    """One copy on its way: first a fixed delay, then its bytes."""

    def __init__(self, number: int, path: tuple[str, ...], work: int, ended: Callable[[], None]) -> None:
        self.number, self.path, self.left, self.ended = number, path, work, ended
        self.rate = 0
        self.event: Any = None


class Network:
    """Links by name and the flows that cross them. `cluster` keeps the time."""

    def __init__(self, cluster: Any, topology: Any) -> None:
        self.cluster, self.topology = cluster, topology
        self.whole: dict[str, int] = {}
        self.latency: dict[str, int] = {}
        self.factor: dict[str, int] = {}
        self.flows: list[Flow] = []
        self.through: dict[int, int] = {}
        """When an instance has launched all it was asked for."""
        self.since = 0
        self.started = 0
        if topology is not None:
            self.know(topology.make_links())

    def know(self, links: Any) -> None:
        for link in links:
            self.whole.setdefault(link.name, link.bytes_per_s)
            self.latency[link.name] = link.latency_ps
            self.factor.setdefault(link.name, 1000)

    def add_instance(self, instance: int) -> None:
        if self.topology is not None:
            self.know(self.topology.links_of(instance))

    def start(self, src: Any, dst: Any, size: int, launches: int, ended: Callable[[], None], by: int) -> Flow:
        """Start a copy of `size` bytes that instance `by` launches; call `ended` when it has."""
        path = () if self.topology is None else self.topology.path(src, dst)
        fixed = 0 if self.topology is None else launches * self.topology.launch_ps
        if self.topology is not None and self.topology.serial_launches:
            self.through[by] = max(self.cluster.now, self.through.get(by, 0)) + fixed
            fixed = self.through[by] - self.cluster.now
        fixed += sum(self.latency[name] for name in path)
        flow = Flow(self.started, path, size * PS if path else 0, ended)
        self.started += 1
        flow.event = self.cluster.at(self.cluster.now + fixed, "copies", flow.number, lambda: self._begin(flow))
        return flow

    def stop(self, flow: Flow) -> None:
        """End a copy before its time, in silence."""
        self.cluster.cancel_event(flow.event)
        if flow in self.flows:
            self._move_on()
            self.flows.remove(flow)
            self._share()

    def scale(self, name: str, factor: int) -> None:
        self._move_on()
        self.factor[name] = factor
        self._share()

    def _begin(self, flow: Flow) -> None:
        flow.event = None
        if flow.left == 0:
            flow.ended()
            return
        self._move_on()
        self.flows.append(flow)
        self._share()

    def _end(self, flow: Flow) -> None:
        flow.event = None
        self._move_on()
        assert flow.left == 0
        self.flows.remove(flow)
        self._share()
        flow.ended()

    def _move_on(self) -> None:
        """What has flowed until now has flowed."""
        elapsed = self.cluster.now - self.since
        self.since = self.cluster.now
        for flow in self.flows:
            flow.left = max(0, flow.left - flow.rate * elapsed)

    def _share(self) -> None:
        """Give each flow its max-min fair rate, and set its end."""
        left = {name: whole * self.factor[name] // 1000 for name, whole in self.whole.items()}
        unfixed = sorted(self.flows, key=lambda flow: flow.number)
        while unfixed:
            crossing = {name: [f for f in unfixed if name in f.path] for f in unfixed for name in f.path}
            tightest = min(crossing, key=lambda name: (left[name] // len(crossing[name]), name))
            rate = left[tightest] // len(crossing[tightest])
            for flow in crossing[tightest]:
                flow.rate = rate
                for name in flow.path:
                    left[name] -= rate
            unfixed = [flow for flow in unfixed if flow not in crossing[tightest]]
        for flow in self.flows:
            self.cluster.cancel_event(flow.event)
            flow.event = None
            if flow.left == 0 or flow.rate > 0:
                wait = -(-flow.left // flow.rate) if flow.left else 0
                end = lambda flow=flow: self._end(flow)  # noqa: E731
                flow.event = self.cluster.at(self.cluster.now + wait, "copies", flow.number, end)
