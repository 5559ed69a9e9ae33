"""Topology: which links a copy crosses between instances and their hosts, from where the instances stand.

Instances fill nodes in the order of their ids. Each direction is a link of its own (full duplex):

- `pcie_out:S`, `pcie_in:S`: from and to what hangs below PCIe switch S; with one GPU a switch, S is the instance;
- `nvlink_out:I`, `nvlink_in:I`: between instance I and the NVSwitches of its node, which never bind;
- `network_out:nodeN`, `network_in:nodeN`: all NICs of node N together; the fabric between nodes never binds.

Between nodes, a copy from GPU to GPU goes through the NICs without touching host memory (GPUDirect RDMA), but over
PCIe on both sides, where it contends with swaps. Without NVLink, so does a copy to another GPU of the node.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from simcore.books.links import Link
from simcore.contract import to_ps

GB = 10**9
_GPUS_PER_NODE = 8


class Host(NamedTuple):
    """The memory of the host that `instance` runs on; an instance's own, as an end of a copy, is its id."""

    instance: int


class CopyRates(Protocol):
    """What one GPU's hardware file says of copies: rates that large ones reach, per direction, and fixed times."""

    @property
    def nvlink_copy_bytes_per_s(self) -> float: ...
    @property
    def pcie_copy_bytes_per_s(self) -> float: ...
    @property
    def network_copy_bytes_per_s(self) -> float: ...
    @property
    def nvlink_latency_s(self) -> float: ...
    @property
    def pcie_latency_s(self) -> float: ...
    @property
    def network_latency_s(self) -> float: ...
    @property
    def copy_launch_s(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Equal instances of `tp` GPUs on equal nodes.

    instances: those there from the start; more may follow (`links_of`).
    gpus_per_node: at least tp. GPUs of a node that make no whole instance stay idle.
    gpus_per_pcie_switch: GPUs that share one PCIe link to the host.
    nvlink_bytes_per_s: of one GPU, each direction; 0 without NVLink. An instance has tp times that.
    pcie_bytes_per_s: of one PCIe switch, each direction. An instance over several switches has all of them.
    network_bytes_per_s: of one node, each direction; 0 if there is only one node.
    nvlink_latency_ps, pcie_latency_ps, network_latency_ps: of one crossing, out or in.
    launch_ps: time to launch one copy.
    block_pieces: pieces a block is copied in: 1 where it is one piece of memory, 2 x layers where layers lie apart.
    half_rate_bytes: a piece of this size reaches half the bandwidth; 0: all pieces reach all of it.
    serial_launches: an instance launches one copy after the other.
    """

    instances: int
    tp: int = 1
    gpus_per_node: int = _GPUS_PER_NODE
    gpus_per_pcie_switch: int = 1
    nvlink_bytes_per_s: int
    pcie_bytes_per_s: int
    network_bytes_per_s: int
    nvlink_latency_ps: int = 0
    pcie_latency_ps: int = 0
    network_latency_ps: int = 0
    launch_ps: int = 0
    block_pieces: int = 1
    half_rate_bytes: int = 0
    serial_launches: bool = False

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.gpus_per_node < self.tp:
            raise ValueError(f"gpus_per_node must be at least tp ({self.tp}), got {self.gpus_per_node}")
        switch = self.gpus_per_pcie_switch
        if self.gpus_per_node % switch or (self.tp % switch and switch % self.tp):
            rule = f"must divide gpus_per_node ({self.gpus_per_node}), and tp ({self.tp}) or be divided by it"
            raise ValueError(f"gpus_per_pcie_switch {rule}, got {switch}")
        if not self.network_bytes_per_s and self.node(self.instances - 1):
            nodes = self.node(self.instances - 1) + 1
            raise ValueError(f"network_bytes_per_s must be at least 1 between {nodes} nodes, got 0")

    @classmethod
    def of(
        cls,
        hardware: CopyRates,
        *,
        instances: int,
        tp: int = 1,
        gpus_per_node: int | None = None,
        gpus_per_pcie_switch: int = 1,
        nvlink_gbs: float | None = None,
        pcie_gbs: float | None = None,
        network_gbs: float | None = None,
        nvlink_latency_us: float | None = None,
        pcie_latency_us: float | None = None,
        network_latency_us: float | None = None,
        launch_us: float | None = None,
        block_pieces: int = 1,
        half_rate_bytes: int = 0,
        serial_launches: bool = False,
    ) -> "Topology":
        """Return a topology from settings; what is None is the hardware's, and `gpus_per_node` 8, or tp if more.

        Args:
            hardware: one GPU; its share of the node's network counts for each GPU of the node.
            nvlink_gbs, pcie_gbs, network_gbs: what large copies reach, in GB (1e9 bytes) per second and direction: of
                a GPU, a PCIe switch, a node.
            nvlink_latency_us, pcie_latency_us, network_latency_us: of one crossing, out or in.
            launch_us: time to launch one copy.

        Raises ValueError for numbers out of bounds.
        """
        gpus = max(_GPUS_PER_NODE, tp) if gpus_per_node is None else gpus_per_node

        def rate(gbs: float | None, default: float) -> int:
            return round(default if gbs is None else gbs * GB)

        def time(us: float | None, default_s: float) -> int:
            return to_ps(default_s if us is None else us / 1e6)

        return cls(
            instances=instances,
            tp=tp,
            gpus_per_node=gpus,
            gpus_per_pcie_switch=gpus_per_pcie_switch,
            nvlink_bytes_per_s=rate(nvlink_gbs, hardware.nvlink_copy_bytes_per_s),
            pcie_bytes_per_s=rate(pcie_gbs, hardware.pcie_copy_bytes_per_s),
            network_bytes_per_s=rate(network_gbs, gpus * hardware.network_copy_bytes_per_s),
            nvlink_latency_ps=time(nvlink_latency_us, hardware.nvlink_latency_s),
            pcie_latency_ps=time(pcie_latency_us, hardware.pcie_latency_s),
            network_latency_ps=time(network_latency_us, hardware.network_latency_s),
            launch_ps=time(launch_us, hardware.copy_launch_s),
            block_pieces=block_pieces,
            half_rate_bytes=half_rate_bytes,
            serial_launches=serial_launches,
        )

    def node(self, instance: int) -> int:
        """Return the node that an instance stands on."""
        return instance // (self.gpus_per_node // self.tp)

    def pcie_switch(self, instance: int) -> int:
        """Return the PCIe switch of an instance; the switches of an instance that spans several count as one."""
        return instance // max(1, self.gpus_per_pcie_switch // self.tp)

    def path(self, src: int | Host, dst: int | Host) -> tuple[str, ...]:
        """Return the names of the links that a copy from `src` to `dst` crosses, none within one memory.

        Raises ValueError if they are on two nodes and there is no network.
        """
        from_gpu, to_gpu = not isinstance(src, Host), not isinstance(dst, Host)
        out = src.instance if isinstance(src, Host) else src
        into = dst.instance if isinstance(dst, Host) else dst
        if from_gpu and to_gpu and out == into:
            return ()
        here, there = self.node(out), self.node(into)
        if from_gpu and to_gpu and here == there and self.nvlink_bytes_per_s:
            return (f"nvlink_out:{out}", f"nvlink_in:{into}")
        if here != there and not self.network_bytes_per_s:
            raise ValueError(f"instances {out} and {into} are on two nodes, and network_bytes_per_s is 0")
        leave = (f"pcie_out:{self.pcie_switch(out)}",) if from_gpu else ()
        travel = () if here == there else (f"network_out:node{here}", f"network_in:node{there}")
        arrive = (f"pcie_in:{self.pcie_switch(into)}",) if to_gpu else ()
        return leave + travel + arrive

    def make_links(self) -> tuple[Link, ...]:
        """Return new links for the instances that are there from the start, each link once."""
        links = {link.name: link for instance in range(self.instances) for link in self.links_of(instance)}
        return tuple(links.values())

    def links_of(self, instance: int) -> tuple[Link, ...]:
        """Return new links for all that an instance may use; it may be one that was added later."""
        switch, node = self.pcie_switch(instance), self.node(instance)
        switches = max(1, self.tp // self.gpus_per_pcie_switch)
        kinds = (
            (f"nvlink_%s:{instance}", self.nvlink_bytes_per_s * self.tp, self.nvlink_latency_ps),
            (f"pcie_%s:{switch}", self.pcie_bytes_per_s * switches, self.pcie_latency_ps),
            (f"network_%s:node{node}", self.network_bytes_per_s, self.network_latency_ps),
        )
        return tuple(
            Link(name % way, bytes_per_s, latency_ps)
            for name, bytes_per_s, latency_ps in kinds
            if bytes_per_s
            for way in ("out", "in")
        )


_LEAST = {
    "instances": 1,
    "tp": 1,
    "gpus_per_node": 1,
    "gpus_per_pcie_switch": 1,
    "nvlink_bytes_per_s": 0,
    "pcie_bytes_per_s": 1,
    "network_bytes_per_s": 0,
    "nvlink_latency_ps": 0,
    "pcie_latency_ps": 0,
    "network_latency_ps": 0,
    "launch_ps": 0,
    "block_pieces": 1,
    "half_rate_bytes": 0,
}
"""What each number must at least be."""
