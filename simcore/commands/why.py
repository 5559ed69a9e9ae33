"""Why: the command `simcore why`, which tells what became of one request, system by system."""

from pathlib import Path
from typing import Annotated

import typer

from simcore.commands.errors import complain


def why(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A result folder: what `simcore run --out` wrote.")],
    request: Annotated[int, typer.Argument(help="Number of the request: its row in the workload.", min=0)],
    system: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Which system; default: all.")] = None,
    at: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Which sweep point; default: the first.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Which seed; default: the first.")] = None,
) -> None:
    """Say where a request was, for how long, and who was served meanwhile."""
    from simcore.results.compare import selection
    from simcore.results.compare_source import ResultError
    from simcore.results.frames import read_summary
    from simcore.results.terminal import terminal
    from simcore.results.why import runs_meant, story_of
    from simcore.results.why_text import print_story

    try:
        if not (folder / "summary.json").is_file():
            raise ResultError(f"{folder}: no results here: it has no summary.json")
        summary = read_summary(folder)
        stories = [
            story_of(folder, run, request) for run in runs_meant(summary["runs"], system, selection(at or []), seed)
        ]
    except ValueError as error:
        complain(str(error))
        raise typer.Exit(2) from None
    console = terminal()
    for story in stories:
        print_story(story, summary["slo"], console)
