"""Bench: what real runs are made on, as this package sees it; `realbackend.run.Bench` is one."""

from collections.abc import Mapping
from typing import Literal, Protocol

from simcore.contract import Workload
from simcore.simulator.settings import Outcome, Settings, Sink

RealClock = Literal["model", "measured", "wall"]
PROBE_EVERY = 2
"""Iterations between two probes: four times as often as in a plain run, for half as much time again and less drift."""


class Ran(Protocol):
    """A real run: totals, and by request what each that finished generated, and its prompt if that was asked for."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def generated(self) -> Mapping[int, list[int]]: ...
    @property
    def prompts(self) -> Mapping[int, list[int]]: ...


class Bench(Protocol):
    """A model on a device. Durations that it measures in several runs are relative to one probe."""

    def run(
        self, settings: Settings, workload: Workload, sink: Sink, *, clock: RealClock, keep_prompts: bool = False
    ) -> Ran:
        """Run a workload on engines."""

    def most_likely(self, prompts: Mapping[int, list[int]], generated: Mapping[int, list[int]]) -> dict[int, list[int]]:
        """Return the token most likely behind the prompt of each request and each beginning of what it generated.

        Computed request by request, on an engine that does nothing else.
        """
