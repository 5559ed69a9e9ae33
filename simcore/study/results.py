"""Results: a result folder as tidy frames and figures, for notebooks; one row an observation, vLLM's metric names."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.study.errors import Problem, StudyError
from simcore.study.folder import FAILED
from simcore.study.plan import cell_label
from simcore.study.run import Failure

if TYPE_CHECKING:
    import pandas as pd

    from simcore.results.figures import Figures


@dataclass(frozen=True, repr=False)
class Results:
    """What a run of a study left in the folder `out`; in a notebook it shows the table of the terminal.

    Args:
        failures: cells that are missing, and why.
        computed: cells that this run computed; the others were finished before.
    """

    out: Path
    failures: tuple[Failure, ...] = ()
    computed: int = 0

    @classmethod
    def open(cls, folder: Path | str) -> "Results":
        """Return what an earlier run left in `folder`. Raises StudyError if that holds no results."""
        out = Path(folder)
        if not (out / "summary.json").is_file():
            raise StudyError([Problem(str(folder), "", "no results here: it has no summary.json")])
        return cls(out, read_failures(out))

    @cached_property
    def data(self) -> dict[str, Any]:
        """`summary.json`: runs, comparisons, breaking points, provenance."""
        from simcore.results.frames import read_summary

        return read_summary(self.out)

    @cached_property
    def summary(self) -> "pd.DataFrame":
        """One row per run: system, a column per sweep key, seed, state, then every metric."""
        from simcore.results import summary_frame

        return summary_frame(self.out)

    @cached_property
    def classes(self) -> "pd.DataFrame":
        """One row per run and request class: system, sweep keys, seed, class, then its metrics."""
        from simcore.results import classes_frame

        return classes_frame(self.out)

    @cached_property
    def breaking(self) -> "pd.DataFrame":
        """One row per system: the rate up to which it keeps the SLO, with its interval, and the ratio to the first."""
        from simcore.results.intervals import breaking_frame

        return breaking_frame(self.data)

    @cached_property
    def claims(self) -> "pd.DataFrame":
        """One row per claim of the study: whether it holds, the number here and the paper's, and why."""
        from simcore.results.intervals import claims_frame

        return claims_frame(self.data)

    def ci(self, *metrics: str) -> "pd.DataFrame":
        """Return mean and 95% interval over the seeds: one row per system, point and metric.

        Raises ValueError for a metric that no run has.
        """
        from simcore.results.intervals import mean_frame

        return mean_frame(self.data, metrics)

    def compare(self, *metrics: str, baseline: str | None = None) -> "pd.DataFrame":
        """Return each system's difference to `baseline` (None: the first), paired by seed, with its 95% interval.

        One row per system, point and metric; `verdict` is better, worse or undecided. Raises ValueError for a metric
        or system that no run has.
        """
        from simcore.results.intervals import difference_frame

        return difference_frame(self.data, metrics, baseline)

    def requests(self, system: str | None = None, **point: Any) -> "pd.DataFrame":
        """Return one row per request: `results.requests("jsq", rate=8)`. Raises ValueError for what no run has."""
        from simcore.results import requests_frame

        return requests_frame(self.out, system, **point)

    def instances(self, system: str | None = None, **point: Any) -> "pd.DataFrame":
        """Return one row per instance and sample; arguments as in `requests`."""
        from simcore.results import instances_frame

        return instances_frame(self.out, system, **point)

    @property
    def plot(self) -> "Figures":
        """Figures, on matplotlib Axes that are yours: `plot.load("p99_ttft_ms")`, `plot.cdf("ttft")`, …"""
        from simcore.results.figures import Figures

        return Figures(self.out)

    def show(self) -> None:
        """Print the systems side by side, the verdict, and where the files are."""
        from simcore.results.table import print_summary

        print_summary(self.data)
        print(f"\n{self.out}:")
        for path in sorted(self.out.iterdir()):
            files = len(list(path.iterdir())) if path.is_dir() else 0
            inside = f"/ ({files} file{'' if files == 1 else 's'})" if path.is_dir() else ""
            print(f"  {path.name}{inside}")

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"<Results of {self.data['study']}: {len(self.data['runs'])} runs{failed}, in {self.out}>"

    def _repr_html_(self) -> str:
        from simcore.study.notebook import results_html

        return results_html(self.data, self.failures)


def read_failures(out: Path) -> tuple[Failure, ...]:
    """Return the cells that failed, as a result folder tells."""
    path = out / FAILED
    entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return tuple(
        Failure(cell_label(entry["system"], entry["point"], entry["seed"]), entry["traceback"]) for entry in entries
    )
