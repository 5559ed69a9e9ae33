"""Cluster schema: the instances, what connects them, and how they do what policies ask."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict, TypeAdapter, ValidationInfo, model_validator

from simcore.contract import Role
from simcore.study.spec import (
    OFF,
    Count,
    Natural,
    NotNegative,
    Off,
    Percent,
    Positive,
    Share,
    Spec,
    or_else,
)

INSTANCES_MAX = 100_000

_ROLE_COUNTS = TypeAdapter(dict[Role, Annotated[int, Field(ge=0, le=INSTANCES_MAX)]])


def _spell_out(roles: Any) -> Any:
    """Read `{prefill: 1, decode: 2}` as the roles of three instances, in the order written."""
    if not isinstance(roles, dict):
        return roles
    counts = _ROLE_COUNTS.validate_python(roles, strict=True)
    return tuple(role for role, count in counts.items() for _ in range(count))


def _complete(roles: tuple[Role, ...], info: ValidationInfo) -> tuple[Role, ...]:
    instances = info.data.get("instances", len(roles))
    if roles and len(roles) != instances:
        raise ValueError(f"must be as many as there are instances ({instances}), got {len(roles)}")
    for work, role in (("prefills", "prefill"), ("decodes", "decode")):
        if roles and not {"mixed", role} & set(roles):
            raise ValueError(f"needs an instance that {work} (mixed or {role}), got {len(roles)} {roles[0]}")
    return roles


class ReportSpec(Spec):
    """Routers learn about instances every `period` seconds."""

    period: Positive


class TopologySpec(Spec):
    """Where the instances stand and what connects them; a rate or time left out is the hardware's.

    `nvlink_gbs`, `pcie_gbs`, `network_gbs`: 1e9 bytes per second and direction, of a GPU, a PCIe switch, a node; 0:
    there is none. `kv_layout`: whether a KV block is one piece of memory, or one of each layer's K and V, as vLLM's;
    a piece of `half_rate_bytes` reaches half the bandwidth; `launches: serial`: an instance launches one copy after the
    other.
    """

    gpus_per_node: Count | None = None
    gpus_per_pcie_switch: Count = 1
    nvlink_gbs: NotNegative | None = None
    pcie_gbs: Positive | None = None
    network_gbs: NotNegative | None = None
    nvlink_latency_us: NotNegative | None = None
    pcie_latency_us: NotNegative | None = None
    network_latency_us: NotNegative | None = None
    launch_us: NotNegative | None = None
    kv_layout: Literal["block_major", "layer_major"] = "block_major"
    half_rate_bytes: Annotated[int, Field(ge=0, le=10**9)] = 0
    launches: Literal["parallel", "serial"] = "parallel"


class ClusterSpec(Spec):
    """`instances` equal copies of the model, each over `tp` GPUs; `kv_blocks` of each, None: what fits the memory.

    `host_memory_gib` of each instance takes swapped KV. With `topology: none` copies take no time.
    """

    instances: Annotated[int, Field(ge=1, le=INSTANCES_MAX)] = 1
    tp: Count = 1
    kv_blocks: Count | None = None
    block_tokens: Count = 16
    memory_utilization: Share = 0.9
    report: Annotated[ReportSpec | Literal["boundary"], or_else(dict, ReportSpec, Literal["boundary"])] = "boundary"
    roles: Annotated[tuple[Role, ...], Strict(False), AfterValidator(_complete), BeforeValidator(_spell_out)] = ()
    topology: Annotated[TopologySpec | Literal["none"], or_else(str, Literal["none"], TopologySpec)] = TopologySpec()
    host_memory_gib: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    boot_s: NotNegative = 0.0

    @model_validator(mode="before")
    @classmethod
    def _count(cls, given: Any) -> Any:
        """Let `instances` be left out where `roles` says how many there are."""
        if not isinstance(given, dict) or "instances" in given:
            return given
        roles = given.get("roles")
        counts = roles.values() if isinstance(roles, dict) else (1,) * len(roles) if isinstance(roles, list) else ()
        known = all(type(count) is int and count >= 0 for count in counts)
        return {"instances": sum(counts), **given} if counts and known else given

    @property
    def report_s(self) -> float | None:
        """Period of the reports; None: every boundary is seen."""
        return self.report.period if isinstance(self.report, ReportSpec) else None


class MechanismSpec(Spec):
    """How the cluster does what policies ask: named variants; a key left out is the study's, else the default.

    Defaults, and what each means: `simcore.simulator.settings.Mechanisms`.
    """

    prefix_cache: Annotated[Literal["off", "cold", "warm"], OFF] | None = None
    preemption: Literal["recompute", "swap"] | None = None
    swap: Literal["sync", "async", "adaptive"] | None = None
    schedule_ahead: Annotated[int, Field(ge=0, le=1)] | None = None
    sm_split: Annotated[
        tuple[Percent, Percent] | Off | None,
        or_else((list, tuple), Annotated[tuple[Percent, Percent], Strict(False)], Off | None),
        OFF,
    ] = None
    contention: Literal["normalise", "none"] | None = None
    sm_switch_s: NotNegative | None = None
    lost: Literal["requeued", "failed"] | None = None
    max_waiting: Annotated[Natural | Off | None, or_else(str, Off, Natural | None), OFF] = None
    allocator: Literal["paged", "groups"] | None = None
    group_blocks: Count | None = None
    host_copy: Literal["drop", "keep"] | None = None
    host_prealloc_blocks: Annotated[int, Field(ge=0, le=10**9)] | None = None

    def over(self, other: "MechanismSpec") -> "MechanismSpec":
        """Return the keys of both; where both have one, this one's."""
        return MechanismSpec.model_validate(other.said | self.said)

    @property
    def said(self) -> dict[str, Any]:
        """The keys that are written, by name."""
        return {name: value for name in MechanismSpec.model_fields if (value := getattr(self, name)) is not None}
