"""Result: what a search has left in its folder, as frames, a table and a figure."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.capacity.report import REPORT
from simcore.study.errors import Problem, StudyError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Capacity:
    """How far each system of a study carries; in a notebook it shows the table of the terminal.

    Args:
        out: the result folder.
        computed: runs that this search did; the others were finished before.
    """

    out: Path
    computed: int = 0

    @classmethod
    def open(cls, folder: Path | str) -> "Capacity":
        """Return what an earlier search left in `folder`. Raises StudyError if that holds none."""
        out = Path(folder)
        if not (out / REPORT).is_file():
            raise StudyError([Problem(str(folder), "", f"no capacity here: it has no {REPORT}")])
        return cls(out)

    @cached_property
    def data(self) -> dict[str, Any]:
        """`capacity.json`: results with seeds and checks, all runs, provenance."""
        read: dict[str, Any] = json.loads((self.out / REPORT).read_text(encoding="utf-8"))
        return read

    @property
    def failures(self) -> list[str]:
        """Why systems have no answer, where a run of theirs failed."""
        return [entry["reason"] for entry in self.data["results"] if entry["outcome"] == "failed"]

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """One row per system: outcome, value, interval over the seeds, ratio to the first system, whether confirmed."""
        import pandas as pd

        rows = []
        for entry in self.data["results"]:
            compared = entry["against"] or {}
            row = {"system": entry["system"], **entry["point"]}
            row |= {name: entry[name] for name in ("outcome", "value", "n", "mean", "ci_low", "ci_high")}
            row |= {name: compared.get(name) for name in ("ratio", "ratio_ci_low", "ratio_ci_high")}
            rows.append({**row, "confirmed": entry["check"]["confirmed"] if entry["check"] else None})
        return pd.DataFrame(rows)

    @cached_property
    def runs(self) -> "pd.DataFrame":
        """One row per run: system, the key varied, seed, purpose, requests, margin, met, state, then its metrics."""
        import pandas as pd

        own = ("seed", "purpose", "requests", "margin", "met", "state")
        rows = [
            {"system": run["system"], **run["point"], **{name: run[name] for name in own}, **run["metrics"]}
            for run in self.data["runs"]
        ]
        return pd.DataFrame(rows)

    def show(self) -> None:
        """Print the systems side by side, what the check says, and where the files are."""
        from simcore.capacity.table import print_capacity

        print_capacity(self.data)
        print(f"\n{self.out}: {', '.join(path.name for path in sorted(self.out.iterdir()))}")

    def __repr__(self) -> str:
        return f"<Capacity of {self.data['study']}: {self.data['find']} {self.data['vary']}, in {self.out}>"

    def _repr_html_(self) -> str:
        from simcore.capacity.table import capacity_html

        return capacity_html(self.data)
