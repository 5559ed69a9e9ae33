"""Schema: the keys of a study, their types, units and defaults."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict

from simcore.study.errors import shown


class Spec(BaseModel):
    """A mapping of a study: unknown keys are errors, a string is not a number, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def short_for(key: str, default: str | None = None) -> BeforeValidator:
    """Let a bare string stand for `{key: string}`, and `default` for the key left out of a mapping."""

    def spell_out(value: Any) -> Any:
        if isinstance(value, str):
            return {key: value}
        return {key: default} | value if default and isinstance(value, dict) else value

    return BeforeValidator(spell_out)


def _slug(name: str) -> str:
    if not name or not all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in name):
        raise ValueError(f"must be letters, digits, - and _, got {shown(name)}: it names folders and columns")
    return name


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

Positive = Annotated[float, Field(gt=0, le=1e9)]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Natural = Annotated[int, Field(ge=0, lt=2**63)]
Dtype = Literal["bf16", "fp16", "fp8"]
Slug = Annotated[str, AfterValidator(_slug)]
Seeds = Annotated[
    tuple[Natural, ...], Strict(False), Field(min_length=1), AfterValidator(_distinct), BeforeValidator(_seeds)
]
SweepValues = Annotated[tuple[Any, ...], Strict(False), Field(min_length=1)]
Names = Annotated[tuple[str, ...], Strict(False)]


class ModelChoice(Spec):
    """The model: `name` of a known one, or a path to a Hugging Face `config.json`."""

    name: str
    weights_dtype: Dtype = "bf16"
    kv_dtype: Dtype | None = None


class ClusterSpec(Spec):
    """`instances` equal copies of the model, each over `tp` GPUs; `kv_blocks` of each, None: what fits the memory."""

    instances: Annotated[int, Field(ge=1, le=100_000)] = 1
    tp: Count = 1
    kv_blocks: Count | None = None
    block_tokens: Count = 16
    memory_utilization: Share = 0.9
    report: Literal["boundary"] = "boundary"


class WorkloadSpec(Spec):
    """The traffic: a catalogued workload or a file (`trace`), or requests drawn from distributions.

    What the distributions take is `traces.synthetic`'s to say. `rate` in requests per second rescales the times of a
    trace; `requests` takes its first N. `classes` shares the requests out, each class with a `share` and a `priority`.
    """

    trace: str | None = None
    format: Literal["azure", "mooncake"] | None = None
    time_unit: Literal["s", "ms"] | None = None
    arrivals: dict[str, Any] | None = None
    prompt_tokens: dict[str, Any] | None = None
    output_tokens: dict[str, Any] | None = None
    rate: Positive | None = None
    requests: Annotated[int, Field(ge=1, le=10**10)] | None = None
    classes: dict[Slug, dict[str, Any]] | None = None


class WarmUp(Spec):
    """What the metrics leave out: requests that arrive in the first `seconds`, and the first `requests`."""

    seconds: Annotated[float, Field(ge=0)] = 0.0
    requests: Natural = 0


class SloSpec(Spec):
    """Limits that a request must meet, all of them; `attainment` is the share of requests that should."""

    ttft_ms: Positive | None = None
    tpot_ms: Positive | None = None
    e2el_ms: Positive | None = None
    attainment: Share = 0.9

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, in milliseconds."""
        return self.model_dump(exclude={"attainment"}, exclude_none=True)


class PolicySpec(Spec):
    """A policy by name, `file.py:Class` or entry point; all other keys are its constructor's arguments."""

    model_config = ConfigDict(extra="allow")
    policy: str

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class MechanismSpec(Spec):
    """How the cluster does what policies ask: named variants, chosen once for the run."""

    preemption: Literal["recompute"] = "recompute"


class SystemSpec(Spec):
    """One column of the comparison: its policies, and its mechanisms where they are not the study's."""

    router: Annotated[PolicySpec, short_for("policy", ROUTER)] = PolicySpec(policy=ROUTER)
    scheduler: Annotated[PolicySpec, short_for("policy", SCHEDULER)] = PolicySpec(policy=SCHEDULER)
    mechanism: MechanismSpec | None = None


class StudySpec(Spec):
    """A question, asked of some systems, over a grid of points, each repeated over seeds.

    The first system is the one the others are compared with. `sample_s` is the time between rows of the instances'
    time series.
    """

    study: Slug
    question: str = ""
    model: Annotated[ModelChoice, short_for("name")]
    hardware: str
    cluster: ClusterSpec = ClusterSpec()
    workload: WorkloadSpec
    slo: SloSpec = SloSpec()
    systems: Annotated[dict[Slug, SystemSpec], Field(min_length=1)]
    mechanism: MechanismSpec = MechanismSpec()
    sweep: dict[str, SweepValues] = {}
    seeds: Seeds = (0,)
    oracle: Names = ()
    warm_up: WarmUp = WarmUp()
    sample_s: Annotated[float, Field(ge=0.001)] | None = 1.0


STAND_IN: dict[str, Any] = {
    "study": "study",
    "model": "model",
    "hardware": "hardware",
    "workload": {"trace": "trace"},
    "systems": {"system": {}},
}
"""Valid values of the required keys: where one is broken, the others can still be checked."""

_MECHANISMS = (
    "preemption.swap",
    "schedule_ahead",
    "allocator",
    "swap",
    "host_copy",
    "migration",
    "sm_switch",
    "contention",
    "kv_pool",
    "abort",
    "resume",
    "pin_expiry",
    "unpin_to",
    "report_age_s",
    "control_s",
)
LATER = (
    "rollout",
    "faults",
    "real",
    "claims",
    "cluster.roles",
    "cluster.topology",
    "cluster.report.period",
    "workload.tools",
    "systems.*.rollout",
    *(f"mechanism.{key}" for key in _MECHANISMS),
    *(f"systems.*.mechanism.{key}" for key in _MECHANISMS),
)
"""Keys (and `key.value`) of the design that this version knows but does not run."""
