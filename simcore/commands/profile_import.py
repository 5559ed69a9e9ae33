"""Profile import: `simcore profile import FORMAT SOURCE...`, published measurements in one file for a study."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from simcore.commands.errors import complain


def import_profile(
    format: Annotated[
        Literal["aiconfigurator", "vidur", "splitwise"], typer.Argument(help="Whose measurements.", show_default=False)
    ],
    sources: Annotated[
        list[Path], typer.Argument(metavar="FOLDER_OR_FILE...", help="A folder, or its files.", show_default=False)
    ],
    gpu: Annotated[str, typer.Option(help="The GPU they were measured on: a name, or a hardware file.")],
    out: Annotated[Path, typer.Option(help="File to write; a study names it as `cost`.")],
    model: Annotated[str, typer.Option(help="The model, where layers or steps of one were measured.")] = "",
    commit: Annotated[str, typer.Option(help="Commit of the repository they come from, for the record.")] = "",
    drop_impossible: Annotated[
        bool, typer.Option("--drop-impossible", help="Leave out points above the GPU's peak.")
    ] = False,
) -> None:
    """Turn published operator measurements into a cost profile, and say how far it is off at points left out of it."""
    from simcore.cost.tables import import_tables, write_tables

    try:
        tables = import_tables(format, sources, gpu, model=model, commit=commit, drop_impossible=drop_impossible)
        write_tables(out, tables)
    except ValueError as error:
        complain(str(error))
        raise typer.Exit(2) from None
    except OSError as error:
        complain(f"{out}: {error.strerror or error}")
        raise typer.Exit(2) from None
    from simcore.commands.profile_table import print_errors

    points = ", ".join(f"{count:,} of {term}" for term, count in tables.provenance["points"].items())
    print(f"{out}: {tables.gpu}; points: {points}")
    if dropped := tables.provenance["dropped_as_impossible"]:
        print(f"{dropped} points above the GPU's peak left out")
    print_errors(tables.error)
