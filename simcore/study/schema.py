"""Schema: the keys of a study, their types, units and defaults."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, Strict

from simcore.study.schema_claims import ClaimSpec
from simcore.study.schema_cluster import ClusterSpec, MechanismSpec
from simcore.study.schema_faults import FaultSpec
from simcore.study.schema_real import RealSpec
from simcore.study.schema_rollout import RolloutSpec
from simcore.study.schema_workload import SloSpec, WarmUp, WorkloadSpec
from simcore.study.spec import Natural, Slug, Spec, short_for


def _seeds(value: Any) -> Any:
    """Read a count N as the seeds 0 to N-1."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= 10_000:
            raise ValueError(f"must be a count from 1 to 10000 or a list of seeds, got {value}")
        return tuple(range(value))
    return value


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) != len(seeds):
        raise ValueError("names a seed twice")
    return seeds


ROUTER = "round_robin"
SCHEDULER = "vllm_v1"
ROLLOUT = "synchronous_rollout"
ROOFLINE = "roofline"

Dtype = Literal["bf16", "fp16", "fp8"]
Seeds = Annotated[
    tuple[Natural, ...], Strict(False), Field(min_length=1), AfterValidator(_distinct), BeforeValidator(_seeds)
]
SweepValues = Annotated[tuple[Any, ...], Strict(False), Field(min_length=1)]
Names = Annotated[tuple[str, ...], Strict(False)]
Faults = Annotated[tuple[FaultSpec, ...], Strict(False)]
Claims = Annotated[tuple[ClaimSpec, ...], Strict(False)]


class ModelChoice(Spec):
    """The model: `name` of a known one, or a path to a Hugging Face `config.json`."""

    name: str
    weights_dtype: Dtype = "bf16"
    kv_dtype: Dtype | None = None


class CostChoice(Spec):
    """How long iterations take: by the roofline, or by a profile file.

    `prefill_step_overhead_ms`: what each iteration with a prompt in it takes longer than a profile of layers says.
    """

    profile: str = ROOFLINE
    prefill_step_overhead_ms: Annotated[float, Field(ge=0, le=1000)] = 0.0


class PolicySpec(Spec):
    """A policy by name, `file.py:Class` or entry point; all other keys are its constructor's arguments."""

    model_config = ConfigDict(extra="allow")
    policy: str

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class SystemSpec(Spec):
    """One column of the comparison: its policies, and its mechanisms where they are not the study's."""

    router: Annotated[PolicySpec, short_for("policy", ROUTER)] = PolicySpec(policy=ROUTER)
    scheduler: Annotated[PolicySpec, short_for("policy", SCHEDULER)] = PolicySpec(policy=SCHEDULER)
    mechanism: MechanismSpec = MechanismSpec()
    rollout: Annotated[PolicySpec, short_for("policy", ROLLOUT)] | None = None


class StudySpec(Spec):
    """A question, asked of some systems, over a grid of points, each repeated over seeds.

    The first system is the one the others are compared with. `cost`: how long iterations take: by the roofline of model
    and hardware, or by a profile file. `sample_s` is the time between rows of the instances' time series.
    """

    study: Slug
    question: str = ""
    model: Annotated[ModelChoice, short_for("name")]
    hardware: str
    cost: Annotated[CostChoice, short_for("profile", ROOFLINE)] = CostChoice()
    cluster: ClusterSpec = ClusterSpec()
    workload: WorkloadSpec
    slo: SloSpec = SloSpec()
    systems: Annotated[dict[Slug, SystemSpec], Field(min_length=1)]
    mechanism: MechanismSpec = MechanismSpec()
    faults: Faults = ()
    sweep: dict[str, SweepValues] = Field(default_factory=dict)
    seeds: Seeds = (0,)
    oracle: Names = ()
    warm_up: WarmUp = WarmUp()
    sample_s: Annotated[float, Field(ge=0.001)] | None = 1.0
    claims: Claims = ()
    real: RealSpec = RealSpec()
    rollout: RolloutSpec | None = None


STAND_IN: dict[str, Any] = {
    "study": "study",
    "model": "model",
    "hardware": "hardware",
    "workload": {"trace": "trace"},
    "systems": {"system": {}},
}
"""Valid values of the required keys: where one is broken, the others can still be checked."""

_MECHANISMS = (
    "swap.adaptive",
    "allocator",
    "host_copy",
    "migration",
    "kv_pool",
    "abort",
    "resume",
    "pin_expiry",
    "unpin_to",
    "control_s",
)
LATER = (
    "workload.tools",
    *(f"mechanism.{key}" for key in _MECHANISMS),
    *(f"systems.*.mechanism.{key}" for key in _MECHANISMS),
)
"""Keys (and `key.value`) of the design that this version knows but does not run."""
