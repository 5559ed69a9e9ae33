"""Workload schema: the traffic, what it is promised, and what of it the metrics leave out."""

from typing import Annotated, Any, Literal

from pydantic import Field

from simcore.study.spec import Natural, NotNegative, Positive, Share, Slug, Spec


class PrioritiesSpec(Spec):
    """Priorities of conversations that change every so many iterations of a lane: docs/mechanisms.md."""

    pattern: Literal["random", "markov"]
    levels: Annotated[int, Field(ge=2, le=10**6)] = 2
    stay: Annotated[float, Field(ge=0, le=1)] = 0.8
    every_iterations: Annotated[int, Field(ge=1, le=10**9)] = 25


class WorkloadSpec(Spec):
    """The traffic: a catalogued workload, a file or a ServeGen folder (`trace`), or requests drawn from distributions.

    What the distributions, `sessions`, `programs`, `groups` and `clients` take is `traces`' to say, and so is what a
    trace needs beside it. `rate` in requests per second rescales the times of a trace; `requests` takes its first N.
    `classes` shares the requests out, each class with a `share`, a `priority` and time-outs of its own;
    `ttft_timeout_s` and `timeout_s` are those of the others. `priorities` are in place of those of classes.
    """

    trace: str | None = None
    format: str | None = None
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    columns: dict[str, Any] | None = None
    bad_rows: Literal["stop", "skip"] = "stop"
    block_tokens: Annotated[int, Field(ge=1, le=10**6)] | None = None
    order: Literal["file", "shuffled"] = "file"
    from_s: NotNegative | None = None
    for_s: Positive | None = None
    arrivals: dict[str, Any] | None = None
    prompt_tokens: dict[str, Any] | None = None
    output_tokens: dict[str, Any] | None = None
    rate: Positive | None = None
    requests: Annotated[int, Field(ge=1, le=10**10)] | None = None
    classes: dict[Slug, dict[str, Any]] | None = None
    sessions: dict[str, Any] | None = None
    programs: dict[str, Any] | None = None
    groups: dict[str, Any] | None = None
    clients: dict[str, Any] | None = None
    ttft_timeout_s: Positive | None = None
    timeout_s: Positive | None = None
    priorities: PrioritiesSpec | None = None


class WarmUp(Spec):
    """What the metrics leave out: requests that arrive in the first `seconds`, and the first `requests`."""

    seconds: Annotated[float, Field(ge=0)] = 0.0
    requests: Natural = 0


class ClassSlo(Spec):
    """Limits in milliseconds; one left out is the study's, if that has it."""

    ttft_ms: Positive | None = None
    tpot_ms: Positive | None = None
    e2el_ms: Positive | None = None

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are written."""
        return {name: limit for name in ClassSlo.model_fields if (limit := getattr(self, name)) is not None}


class SloSpec(ClassSlo):
    """Limits that a request must meet, all of them, those of its class first; `attainment`: the share that should."""

    attainment: Share = 0.9
    classes: dict[Slug, ClassSlo] = Field(default_factory=dict)

    @property
    def class_limits(self) -> dict[str, dict[str, float]]:
        """The limits of each class that has its own, with those it takes over from the study."""
        return {name: self.limits | own.limits for name, own in self.classes.items()}
