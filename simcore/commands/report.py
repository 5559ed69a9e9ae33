"""Report: the command `simcore report`, which writes the page of a result folder again."""

from pathlib import Path
from typing import Annotated

import typer

from simcore.commands.errors import complain


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A result folder: what `simcore run --out` wrote.")],
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    plots: Annotated[bool, typer.Option("--plots", help="Draw plots/*.png again, too.")] = False,
) -> None:
    """Write report.html of a result folder again, from its data alone."""
    from simcore.report import NotAResult, write_html
    from simcore.results import draw_plots

    try:
        page = write_html(folder)
        drawn = draw_plots(folder) if plots else []
    except NotAResult as error:
        complain(str(error))
        raise typer.Exit(2) from None
    except OSError as error:
        complain(f"{error.filename or folder}: {error.strerror or error}")
        raise typer.Exit(2) from None
    for path in (page, *drawn):
        print(path)
    if show:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
