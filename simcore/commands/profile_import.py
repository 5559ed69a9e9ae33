"""Profile import: `simcore profile import FORMAT SOURCE...`, published measurements in one file for a study."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from simcore.commands.errors import complain


def import_profile(
    format: Annotated[
        Literal["aiconfigurator", "vidur", "splitwise", "llmservingsim"],
        typer.Argument(help="Whose measurements.", show_default=False),
    ],
    sources: Annotated[
        list[Path], typer.Argument(metavar="FOLDER_OR_FILE...", help="A folder, or its files.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="File to write; a study names it as `cost`.")],
    gpu: Annotated[
        str, typer.Option(help="The GPU they were measured on: a name, or a hardware file; llmservingsim's files say.")
    ] = "",
    model: Annotated[str, typer.Option(help="The model, where layers or steps of one were measured.")] = "",
    commit: Annotated[str, typer.Option(help="Commit of the repository they come from, for the record.")] = "",
    drop_impossible: Annotated[
        bool, typer.Option("--drop-impossible", help="Leave out points above the GPU's peak.")
    ] = False,
) -> None:
    """Turn published operator measurements into a cost profile, and say how far it is off at points left out of it."""
    try:
        if format == "llmservingsim":
            _import_layers(sources, gpu, model, commit, out)
        else:
            _import_tables(format, sources, gpu, model, commit, drop_impossible, out)
    except ValueError as error:
        complain(str(error))
        raise typer.Exit(2) from None
    except OSError as error:
        complain(f"{out}: {error.strerror or error}")
        raise typer.Exit(2) from None


def _import_tables(
    format: Literal["aiconfigurator", "vidur", "splitwise"],
    sources: list[Path],
    gpu: str,
    model: str,
    commit: str,
    drop_impossible: bool,
    out: Path,
) -> None:
    from simcore.commands.profile_table import print_errors
    from simcore.cost.tables import import_tables, write_tables

    if not gpu:
        raise ValueError(f"--gpu: {format} files do not say on which GPU they were measured; name it")
    tables = import_tables(format, sources, gpu, model=model, commit=commit, drop_impossible=drop_impossible)
    write_tables(out, tables)
    points = ", ".join(f"{count:,} of {term}" for term, count in tables.provenance["points"].items())
    print(f"{out}: {tables.gpu}; points: {points}")
    if dropped := tables.provenance["dropped_as_impossible"]:
        print(f"{dropped} points above the GPU's peak left out")
    print_errors(tables.error)


def _import_layers(sources: list[Path], gpu: str, model: str, commit: str, out: Path) -> None:
    from simcore.commands.profile_table import print_errors
    from simcore.cost.layers.file import write_layers
    from simcore.cost.layers.folder import import_layers

    if len(sources) != 1:
        raise ValueError(f"llmservingsim: must be one profile folder, got {len(sources)} sources")
    layers = import_layers(sources[0], model=model, gpu=gpu, commit=commit)
    write_layers(out, layers)
    print(f"{out}: {layers.model} at tp {layers.tp} on {layers.gpu}")
    print_errors({kind: {"all": row} for kind, row in layers.error.items()})
