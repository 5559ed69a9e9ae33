"""Fidelity: `simcore fidelity STUDY`: the study on the real engine and in the simulator, side by side."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from simcore.commands.errors import complain, user_errors


def fidelity(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study; its `real` section says what runs.")],
    device: Annotated[Literal["cpu", "cuda"] | None, typer.Option(help="Default: a GPU if there is one.")] = None,
    clock: Annotated[
        Literal["model", "measured", "wall"] | None,
        typer.Option(help="By this one alone; default: model and measured, on a GPU wall too."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Measured runs, each between two it is predicted from.")] = 3,
    each: Annotated[bool, typer.Option("--each", help="Every system at every point, not the first alone.")] = False,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the study; may be given often."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; default: runs/<study>-fidelity-<UTC>.")] = None,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw the figures.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not say what is being done.")] = False,
) -> None:
    """Lay simulation and measurement side by side. Exit 1: under the model clock they do not decide the same."""
    with user_errors():
        from simcore.fidelity.study import compare_study
        from simcore.study.api import Study

        chosen = Study.load(study)
        for assignment in assignments or ():
            chosen = chosen.override(assignment)
        found = compare_study(
            chosen,
            device=device,
            clock=clock,
            repeats=repeats,
            each=each,
            out=out,
            plots=plots,
            say=(lambda _: None) if quiet else (lambda line: print(line, file=sys.stderr, flush=True)),
            command=sys.argv,
        )
    print("\n".join(found.lines))
    if not found.equal:
        complain("under the model clock the real engine and the simulator differ")
        raise typer.Exit(1)
