"""Fault schema: what goes wrong, each line with one subject, at a date or at a rate."""

from typing import Annotated, Literal

from pydantic import Field

from simcore.study.spec import Natural, NotNegative, Positive, Spec

SUBJECTS = {
    "instance": (("at_s",), ("for_s",)),
    "link": (("factor", "at_s"), ("for_s",)),
    "straggler": (("slowdown", "at_s"), ("for_s",)),
    "every": (("mtbf_s", "mttr_s"), ("until_s",)),
    "router": (("at_s",), ("for_s",)),
}
"""What a line is about, and the keys it needs and may have besides."""


class FaultSpec(Spec):
    """One line: an `instance` goes down, a `link` keeps `factor` of its bandwidth, a `straggler`'s iterations take
    `slowdown` times as long, from `at_s` on, `for_s` seconds long; or `every` instance goes down again and again, up
    `mtbf_s` and down `mttr_s` in the mean, until `until_s`; or the `router` is down, and requests go round robin.
    """

    instance: Natural | None = None
    link: str | None = None
    straggler: Natural | None = None
    every: Literal["instance"] | None = None
    at_s: NotNegative | None = None
    for_s: Positive | None = None
    factor: Annotated[float, Field(ge=0, le=1)] | None = None
    slowdown: Annotated[float, Field(ge=1, le=1000)] | None = None
    mtbf_s: Positive | None = None
    mttr_s: Positive | None = None
    until_s: Positive | None = None
    router: Literal["down"] | None = None

    @property
    def written(self) -> tuple[str, ...]:
        """The keys that are given."""
        return tuple(name for name in FaultSpec.model_fields if getattr(self, name) is not None)
