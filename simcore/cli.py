"""Command line: a thin layer on `simcore.study.api`. Exit 0: done; 1: some cells failed; 2: the user's mistake."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from simcore import __version__
from simcore.commands import profile, trace
from simcore.commands.agents import agents
from simcore.commands.capacity import capacity
from simcore.commands.compare import compare
from simcore.commands.doctor import doctor
from simcore.commands.errors import complain, user_errors
from simcore.commands.fidelity import fidelity
from simcore.commands.profile_import import import_profile
from simcore.commands.report import report
from simcore.commands.serve import serve
from simcore.commands.why import why

if TYPE_CHECKING:
    from simcore.study.plan import Cell

app = typer.Typer(
    name="simcore",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Which scheduling policy should run on my LLM cluster, for my traffic and my SLO?",
)

StudyFile = Annotated[str, typer.Argument(metavar="STUDY", help="A study: one YAML file.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the study; may be given often."),
]


def main() -> None:
    """Entry point of the command `simcore`."""
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"simcore {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


@app.command()
def run(
    study: StudyFile,
    backend: Annotated[Literal["sim", "real"], typer.Option(help="What runs the policies.")] = "sim",
    device: Annotated[Literal["cpu", "cuda"] | None, typer.Option(help="Device of the real engine.")] = None,
    clock: Annotated[
        Literal["model", "measured", "wall"] | None, typer.Option(help="Where durations come from. Simulated: model.")
    ] = None,
    assignments: Assignments = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Processes; default: one a core.")] = None,
    engine: Annotated[Literal["local", "ray"], typer.Option(help="Where processes run.")] = "local",
    out: Annotated[Path | None, typer.Option(help="Result folder; default: runs/<study>-<UTC>.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Count the study's seeds from here.")] = None,
    exact: Annotated[
        Literal["per-iteration"] | None, typer.Option(help="One event per iteration: slow, and the same result.")
    ] = None,
    decisions: Annotated[bool, typer.Option("--decisions", help="Keep every fact and action.")] = False,
    iterations: Annotated[bool, typer.Option("--iterations", help="Keep the iteration log.")] = False,
    timeline: Annotated[bool, typer.Option("--timeline", help="Write a Perfetto trace of each run.")] = False,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw the figures.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, and say what would run.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Run a study and print its systems side by side."""
    with user_errors():
        from simcore.study.api import Study

        chosen = Study.load(study)
        for assignment in assignments or ():
            chosen = chosen.override(assignment)
        if seed is not None:
            chosen = chosen.with_seeds_from(seed)
        how: dict[str, Any] = {"per_iteration": exact is not None, "decisions": decisions, "iterations": iterations}
        how |= {"backend": backend, "device": device, "clock": clock}
        if dry_run:
            _print_plan(chosen.plan(**how | {"decisions": decisions or timeline}))
            return
        shown: dict[str, Any] = {"timeline": timeline, "plots": plots, "quiet": quiet, "command": sys.argv}
        results = chosen.run(jobs=jobs, engine=engine, out=out, **shown, **how)
        if not quiet:
            results.show()
    for failure in results.failures:
        complain(f"{failure.label}: {failure.reason}")
    if results.failures:
        complain(f"{_cells(len(results.failures))} failed; tracebacks in {results.out / 'failed.json'}")
        raise typer.Exit(1)


@app.command()
def validate(study: StudyFile, assignments: Assignments = None) -> None:
    """Check a study and its trace: every mistake at once."""
    with user_errors():
        from simcore.study.api import Study

        chosen = Study.load(study)
        for assignment in assignments or ():
            chosen = chosen.override(assignment)
        cells = chosen.plan()
    print(f"{study}: valid, {_cells(len(cells))}")


@app.command(name="list")
def list_names(
    what: Annotated[Literal["policies", "models", "hardware", "traces"], typer.Argument(help="What to list.")],
) -> None:
    """List the names a study may use."""
    from simcore.study.names import named

    for heading, entries in named(what):
        if heading:
            print(f"{heading}:")
        width = max(len(name) for name, _ in entries)
        for name, description in entries:
            print(f"  {name:<{width}}  {description}")


# What `simcore --help` lists, after the commands above: from studies to what stands around them.
app.command()(capacity)
app.command()(fidelity)
app.command()(serve)
app.command()(agents)
app.command()(compare)
app.command()(report)
app.command()(why)
profile.app.command("import")(import_profile)
app.add_typer(profile.app, name="profile")
app.add_typer(trace.app, name="trace")
app.command()(doctor)


def _print_plan(cells: "list[Cell]") -> None:
    from simcore.study.run import is_finished

    for cell in cells:
        print(f"{'finished' if is_finished(cell) else 'to run':<8}  {cell.label}")
    missing = {cell.hash for cell in cells if not is_finished(cell)}
    print(f"{_cells(len(cells))}, {len(missing)} to run")


def _cells(count: int) -> str:
    return f"{count} cell{'' if count == 1 else 's'}"


if __name__ == "__main__":
    main()
