"""Cluster: what a study says of KV blocks, host memory and links, in the simulator's units."""

from typing import TYPE_CHECKING

from simcore.contract import Migrate, Policy, SetRole
from simcore.cost import Hardware, ModelSpec
from simcore.study.schema import StudySpec
from simcore.study.schema_cluster import ClusterSpec, TopologySpec

if TYPE_CHECKING:
    from simcore.simulator.topology import Topology


def block_bytes(model: ModelSpec, cluster: ClusterSpec) -> int:
    """Return the bytes of one KV block over all GPUs of an instance.

    With more GPUs than KV heads, each head is there more than once, and is copied as often.
    """
    return cluster.block_tokens * model.kv_bytes_per_token(cluster.tp) * cluster.tp


def host_blocks(model: ModelSpec, cluster: ClusterSpec) -> int:
    """Return the whole KV blocks that the host memory of an instance holds."""
    return int(cluster.host_memory_gib * 2**30) // block_bytes(model, cluster)


def copies(spec: StudySpec, router: type[Policy]) -> bool:
    """Return whether KV may ever cross a link, or a fault hits one."""
    moved = {Migrate, SetRole} & router.emits
    return bool(
        moved
        or spec.cluster.host_memory_gib
        or set(spec.cluster.roles) - {"mixed"}
        or any(fault.link is not None for fault in spec.faults)
        or (spec.rollout is not None and spec.rollout.weights.bytes)
    )


def topology(cluster: ClusterSpec, hardware: Hardware) -> "Topology | None":
    """Return the links of a cluster; None: there are none, and a copy takes no time.

    Raises ValueError for links that cannot be.
    """
    from simcore.simulator.topology import Topology

    if not isinstance(cluster.topology, TopologySpec):
        return None
    return Topology.of(hardware, instances=cluster.instances, tp=cluster.tp, **cluster.topology.model_dump())
