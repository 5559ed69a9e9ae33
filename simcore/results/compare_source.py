"""Sources of a comparison: results of `simcore run`, `vllm bench serve`, AIPerf and guidellm, in one form.

Metrics have vLLM's keys and formulas; what another tool defines differently is left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.results.claims_metrics import full_key, place

if TYPE_CHECKING:
    from simcore.results.compare_rows import Rows


class ResultError(ValueError):
    """A result cannot be read, or it is not clear which run of it is meant."""


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """One run.

    Args:
        system: empty where the tool knows none.
        point: what was varied.
        metrics: numbers by vLLM's keys; a metric without data is not there.
        setup: `model`, `request_rate`, `num_prompts`, … as far as the file tells; None: not known.
        rows: reads the requests one by one; None where the file has none.
    """

    system: str
    point: Mapping[str, Any]
    seed: int
    metrics: Mapping[str, float]
    setup: Mapping[str, Any] = field(default_factory=dict)
    rows: "Callable[[], Rows] | None" = None

    @property
    def name(self) -> str:
        """System and point, without the seed."""
        return f"{self.system}{place(self.point)}".strip()


@dataclass(frozen=True, slots=True)
class Source:
    """What a path holds.

    Args:
        label: how to call it.
        tool: what wrote it.
        study: name of the study; empty if it is none.
    """

    label: str
    tool: str
    runs: Sequence[MeasuredRun]
    study: str = ""

    def chosen(self, system: str | None, at: Mapping[str, str], seed: int | None) -> "Source":
        """Return the source with only the runs asked for, where it has several.

        Keys that no run of it was varied in are another source's. Raises ResultError, with what there is, if none fits.
        """
        if len(self.runs) == 1:
            return self
        known = {name: value for name, value in at.items() if any(full_key(name, run.point) for run in self.runs)}
        runs = [run for run in self.runs if _fits(run, system, known) and seed in (None, run.seed)]
        if not runs:
            raise ResultError(f"{self.label}: no such run; it has\n{self.listing(self.runs)}")
        return Source(self.label, self.tool, runs, self.study)

    def groups(self) -> dict[str, list[MeasuredRun]]:
        """Return the runs of each system and point, which differ by their seed, by their name."""
        groups: dict[str, list[MeasuredRun]] = {}
        for run in self.runs:
            groups.setdefault(run.name, []).append(run)
        return groups

    def only(self) -> list[MeasuredRun]:
        """Return the runs of the only system and point. Raises ResultError if there are several."""
        groups = list(self.groups().values())
        if len(groups) > 1:
            hint = "it has several runs; choose with --system, --at key=value, --seed:"
            raise ResultError(f"{self.label}: {hint}\n{self.listing(self.runs)}")
        return groups[0]

    def listing(self, runs: Sequence[MeasuredRun]) -> str:
        """Return a line per system and point, with the seeds."""
        lines: dict[str, list[int]] = {}
        for run in runs:
            lines.setdefault(run.name, []).append(run.seed)
        return "\n".join(f"  {name or 'a run'}, seed {', '.join(map(str, seeds))}" for name, seeds in lines.items())


def open_source(path: Path) -> Source:
    """Read a result folder, or a file of one of the tools. Raises ResultError if it is neither."""
    from simcore.results.compare_files import read_file, read_folder

    if path.is_dir():
        return read_folder(path)
    if not path.exists():
        raise ResultError(f"{path}: no such file or folder")
    return read_file(path)


def choose(
    sources: Sequence[Source], systems: Sequence[str], at: Mapping[str, str], seed: int | None
) -> tuple[Source, Source]:
    """Return two sources with the runs asked for; `systems`: one for both, or one for each.

    Raises ResultError for more systems, a key that neither varied, or where no run fits.
    """
    if len(systems) > 2:
        raise ResultError(f"--system may be given once, or twice: A's, then B's; got {len(systems)}")
    runs = [run for source in sources for run in source.runs]
    for name in at:
        if not any(full_key(name, run.point) for run in runs):
            keys = sorted({key for run in runs for key in run.point})
            raise ResultError(f"--at: '{name}' was not varied; {', '.join(keys) or 'nothing'} was")
    of_each = [systems[-1] if systems else None for _ in sources]
    if len(systems) == 2:
        of_each = list(systems)
    first, second = (source.chosen(system, at, seed) for source, system in zip(sources, of_each, strict=True))
    return first, second


def _fits(run: MeasuredRun, system: str | None, at: Mapping[str, str]) -> bool:
    if system is not None and run.system != system:
        return False
    for name, text in at.items():
        key = full_key(name, run.point)
        if key is None or not same_value(run.point[key], text):
            return False
    return True


def same_value(value: Any, text: str) -> bool:
    """Return whether a value is what a user typed.

    >>> same_value(8.0, "8"), same_value("inf", "inf"), same_value(True, "1")
    (True, True, False)
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value) == float(text)
        except ValueError:
            return False
    return str(value).lower() == text.lower()
