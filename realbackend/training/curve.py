"""Curve: how well a model does, training step by training step, and what that took."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from realbackend.training.report import StepReport


class Lesson(NamedTuple):
    """Where a run stands after a training step.

    trained: training steps so far. accuracy: share of the held-out prompts answered right, where it was measured.
    reward: mean over all samples scored since the step before, `scored` of them, those of rejected groups included.
    virtual_s: of the cluster's clock, when the step's groups were complete. cpu_s: seconds of CPU since the run began.
    """

    trained: int
    accuracy: float | None
    reward: float | None
    scored: int
    virtual_s: float
    cpu_s: float
    report: StepReport | None

    @classmethod
    def first(cls, accuracy: float, cpu_s: float) -> "Lesson":
        """Return where a run stands before its first training step."""
        return cls(0, accuracy, None, 0, 0.0, cpu_s, None)

    def row(self) -> dict[str, Any]:
        """Return columns of a table."""
        own = {name: value for name, value in self._asdict().items() if name != "report"}
        report = StepReport.empty() if self.report is None else self.report
        named = {f"step_{name}": value for name, value in report._asdict().items() if name != "step"}
        return own | named


def rows_of(lessons: Sequence[Lesson]) -> list[dict[str, Any]]:
    return [lesson.row() for lesson in lessons]
