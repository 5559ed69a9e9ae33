"""Capacity: `simcore capacity STUDY --vary KEY`, how far a load can go within the SLO. Exit 1: a run failed."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from simcore.commands.errors import complain, user_errors


def capacity(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study: one YAML file.", show_default=False)],
    vary: Annotated[str, typer.Option(metavar="KEY", help="Key of a number: what is asked for.")] = "workload.rate",
    low: Annotated[float | None, typer.Option(help="Where the search ends; default: 1/1024 of its begin.")] = None,
    high: Annotated[float | None, typer.Option(help="Where it ends above; default: 1024 times its begin.")] = None,
    tolerance: Annotated[str, typer.Option(metavar="SHARE", help="How near each seed's value is closed in on.")] = "1%",
    find: Annotated[
        Literal["highest", "lowest"] | None, typer.Option(help="Default: lowest of instances and memory, else highest.")
    ] = None,
    system: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only these; may be given often.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Replications; default: the study's, or 3.")] = None,
    slo: Annotated[
        list[str] | None, typer.Option(metavar="LIMIT", help="Such as 'p99_ttft_ms<=500'; may be given often.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="Metric with a target; default: slo_attainment.")
    ] = None,
    target: Annotated[float | None, typer.Option(help="Its bound; default: the study's slo.attainment.")] = None,
    check_length: Annotated[
        bool, typer.Option("--check-length/--no-check-length", help="Repeat the answer with twice the requests.")
    ] = True,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the study; may be given often."),
    ] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Processes; default: one a core.")] = None,
    out: Annotated[Path | None, typer.Option(help="Result folder; default: runs/<study>-capacity-<UTC>.")] = None,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw the figure.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Find the highest rate (or the fewest instances, …) that meets the SLO, and check it with other seeds."""
    with user_errors():
        from simcore.study.api import Study

        chosen = Study.load(study)
        for assignment in assignments or ():
            chosen = chosen.override(assignment)
        if system:
            chosen = chosen.only(*system)
        found = chosen.capacity(
            vary,
            low=low,
            high=high,
            tolerance=_share(tolerance),
            find=find,
            seeds=seeds,
            slo=slo or (),
            metric=metric,
            target=target,
            check_length=check_length,
            jobs=jobs,
            out=out,
            plots=plots,
            quiet=quiet,
            command=sys.argv,
        )
        if not quiet:
            found.show()
    for failure in found.failures:
        complain(failure)
    if found.failures:
        raise typer.Exit(1)


def _share(text: str) -> float:
    """Return a share written as a percentage or a number. Raises StudyError for anything else.

    >>> _share("1%"), _share("0.01")
    (0.01, 0.01)
    """
    from simcore.study.errors import Problem, StudyError

    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise StudyError([Problem("--tolerance", "", f"must be a share such as 1% or 0.01, got '{text}'")]) from None
