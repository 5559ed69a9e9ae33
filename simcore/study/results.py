"""Results: a result folder as tidy frames, for notebooks; one row an observation, metrics with vLLM's names."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.study.run import Failure

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Results:
    """What a run of a study left in the folder `out`.

    Args:
        failures: cells that are missing, and why.
        computed: cells that this run computed; the others were finished before.
    """

    out: Path
    failures: tuple[Failure, ...] = ()
    computed: int = 0

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

    def requests(self, system: str | None = None, **point: Any) -> "pd.DataFrame":
        """Return one row per request: `results.requests("jsq", rate=8)`. Raises ValueError for what no run has."""
        from simcore.results import requests_frame

        return requests_frame(self.out, system, **point)

    def instances(self, system: str | None = None, **point: Any) -> "pd.DataFrame":
        """Return one row per instance and sample; arguments as in `requests`."""
        from simcore.results import instances_frame

        return instances_frame(self.out, system, **point)

    def show(self) -> None:
        """Print the systems side by side, the verdict, and where the files are."""
        from simcore.results.table import print_summary

        print_summary(self.data)
        print(f"\n{self.out}:")
        for path in sorted(self.out.iterdir()):
            inside = f"/ ({len(list(path.iterdir()))} files)" if path.is_dir() else ""
            print(f"  {path.name}{inside}")
