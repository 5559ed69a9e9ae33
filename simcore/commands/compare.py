"""Compare: `simcore compare A B`, two results of any kind side by side. Exit 1: they lie too far apart."""

import json
from pathlib import Path
from typing import Annotated

import typer

from simcore.commands.errors import complain

_WHAT = "A result folder, or a file of vllm bench serve, AIPerf or guidellm."


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help=_WHAT)],
    b: Annotated[Path, typer.Argument(metavar="B", help=_WHAT)],
    system: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Which system; given twice: A's, then B's.")
    ] = None,
    at: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Which sweep point; may be given often.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Which seed; default: all.")] = None,
    max_error: Annotated[
        str | None, typer.Option(metavar="SHARE", help="Exit 1 if the mean error of latencies is above it, e.g. 5%.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Lay two results side by side, metric by metric.

    Differences are those of B from A, with intervals, and the mean error of the latencies.
    """
    from simcore.results.compare import compare as compare_sources
    from simcore.results.compare import selection, share_of
    from simcore.results.compare_source import ResultError, choose, open_source

    try:
        limit = None if max_error is None else share_of(max_error)
        sources = [open_source(path) for path in (a, b)]
        comparison = compare_sources(*choose(sources, system or [], selection(at or []), seed))
        error = comparison.mean_error
        if limit is not None and error is None:
            raise ResultError("--max-error: the results have no latency in common")
    except ResultError as problem:
        complain(str(problem))
        raise typer.Exit(2) from None
    if as_json:
        print(json.dumps(comparison.as_dict(), indent=1))
    else:
        from simcore.results.compare_table import print_comparison

        print_comparison(comparison)
    if limit is not None and error is not None and error > limit:
        complain(f"the mean error of the latencies is {100 * error:.1f}%, above {100 * limit:g}%")
        raise typer.Exit(1)
