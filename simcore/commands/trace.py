"""Trace: commands that look at traffic, check it, write it for other tools, and fetch what was published."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from simcore.commands.errors import complain, user_errors

if TYPE_CHECKING:
    from simcore.commands.trace_opening import Reading
    from simcore.contract import Workload

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Look at, check, convert and fetch traces.",
)

Trace = Annotated[str, typer.Argument(metavar="TRACE", help="A file, a ServeGen folder, or a name of the catalogue.")]
Format = Annotated[str | None, typer.Option("--format", help="Format of a file; default: found from its first line.")]
Unit = Annotated[
    Literal["s", "ms", "us", "ns"] | None, typer.Option("--time-unit", help="Unit of times that are plain numbers.")
]
Rate = Annotated[float | None, typer.Option("--rate", help="Scale to this mean rate per second.")]
Requests = Annotated[int | None, typer.Option("--requests", metavar="N", help="Only the first N requests.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Chooses the draws of generated traffic.")]
BadRows = Annotated[
    Literal["stop", "skip"], typer.Option("--bad-rows", help="Stop at rows that are wrong, or count them and go on.")
]
Keys = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Another key of a study's workload; may be given often."),
]
Out = Annotated[Path, typer.Option("--out", help="File to write: .jsonl (Mooncake) or .csv; and .gz or .zst behind.")]
BlockTokens = Annotated[int, typer.Option("--block-tokens", min=1, help="Tokens of one hash id that is written.")]
Sessions = Annotated[bool, typer.Option("--sessions", help="Write programs as sessions, for AIPerf.")]
Tpot = Annotated[
    float | None,
    typer.Option("--tpot-ms", min=0, help="Write turns at stated times: a turn takes so long for each token."),
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]


@app.command()
def info(
    trace: Trace,
    format: Format = None,
    time_unit: Unit = None,
    rate: Rate = None,
    requests: Requests = None,
    seed: Seed = 0,
    bad_rows: BadRows = "stop",
    keys: Keys = None,
    sharing: Annotated[
        bool, typer.Option("--sharing/--no-sharing", help="Count shared prefixes: memory for each block of a prompt.")
    ] = True,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw a picture.")] = None,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Say what a trace is like, in numbers and a picture."""
    with _trace_errors():
        from simcore.commands.trace_table import print_json, print_statistics
        from traces.statistics import measure

        if plot is not None:
            from traces.saving import check_free

            if plot.suffix != ".png":
                complain(f"--plot {plot}: must end in .png")
                raise typer.Exit(2)
            check_free(plot, overwrite=force)
        workload = _reading(format, time_unit, rate, requests, seed, bad_rows, keys).open(trace)
        statistics = measure(workload, sharing=sharing)
        if as_json:
            print_json(statistics)
        else:
            print_statistics(statistics)
        if plot is not None:
            from traces.picture import draw

            draw(statistics, plot, overwrite=force)
            print(f"picture: {plot}", file=sys.stderr if as_json else sys.stdout)


@app.command()
def validate(
    trace: Trace,
    format: Format = None,
    time_unit: Unit = None,
    bad_rows: BadRows = "stop",
    keys: Keys = None,
) -> None:
    """Check every row; print what is wrong, with its place."""
    with _trace_errors():
        from traces.problems import skipped_in_words

        workload = _reading(format, time_unit, None, None, 0, bad_rows, keys).open_rows(trace)
        rows = sum(len(piece) for piece in workload.pieces())
        said = [f"{rows:,} request{'' if rows == 1 else 's'}", *skipped_in_words(getattr(workload, "skipped", 0))]
    print(f"{trace}: valid, {', '.join(said)}")


@app.command()
def convert(
    trace: Trace,
    out: Out,
    format: Format = None,
    time_unit: Unit = None,
    rate: Rate = None,
    requests: Requests = None,
    seed: Seed = 0,
    bad_rows: BadRows = "stop",
    keys: Keys = None,
    block_tokens: BlockTokens = 512,
    sessions: Sessions = False,
    tpot_ms: Tpot = None,
    force: Force = False,
) -> None:
    """Write a trace for vLLM and AIPerf, or as a CSV table."""
    with _trace_errors():
        workload = _reading(format, time_unit, rate, requests, seed, bad_rows, keys).open(trace)
        _write(workload, out, block_tokens=block_tokens, sessions=sessions, tpot_ms=tpot_ms, force=force)


@app.command()
def generate(
    out: Out,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A name of the catalogue.")] = None,
    study: Annotated[str | None, typer.Option("--from", metavar="STUDY", help="The workload of a study.")] = None,
    rate: Rate = None,
    requests: Requests = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Default: 0, or the study's first.")] = None,
    keys: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the study.")
    ] = None,
    block_tokens: BlockTokens = 512,
    sessions: Sessions = False,
    tpot_ms: Tpot = None,
    force: Force = False,
) -> None:
    """Write generated traffic to a file."""
    with _trace_errors(), user_errors():
        from simcore.commands.trace_opening import catalogued, of_study

        if (name is None) == (study is None):
            complain("generate: give either a NAME of the catalogue or --from STUDY")
            raise typer.Exit(2)
        if study is not None:
            workload = of_study(study, keys or (), rate=rate, requests=requests, seed=seed)
        else:
            assert name is not None
            workload = catalogued(name, keys or (), rate=rate, requests=requests, seed=seed or 0)
        _write(workload, out, block_tokens=block_tokens, sessions=sessions, tpot_ms=tpot_ms, force=force)


@app.command()
def get(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A published trace; --list names them.")] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to keep it in.")] = Path("."),
    list_them: Annotated[bool, typer.Option("--list", help="List the published traces.")] = False,
    force: Force = False,
) -> None:
    """Download a published trace and check its bytes."""
    with _trace_errors():
        from simcore.commands.trace_table import print_public
        from traces import public

        if list_them:
            print_public(public.public_traces())
            return
        if name is None:
            complain("get: give the NAME of a published trace; --list names them")
            raise typer.Exit(2)
        trace = public.named(name)
        there = public.is_there(trace, out)
        if not there:
            size = f" ({trace.bytes / 1e6:,.1f} MB)" if trace.bytes is not None else ""
            print(f"{trace.url}{size}", file=sys.stderr)
        path = public.download(trace, out, overwrite=force)
    print(f"{path}: {'is there already' if there else 'downloaded'}, sha256 as published")
    print(f"  {trace.what}\n  licence {trace.license}; cite {trace.cite}")


def _reading(
    format: str | None,
    time_unit: str | None,
    rate: float | None,
    requests: int | None,
    seed: int,
    bad_rows: str,
    keys: list[str] | None,
) -> "Reading":
    from simcore.commands.trace_opening import Reading

    options = {"format": format, "time_unit": time_unit, "rate": rate, "requests": requests}
    given: dict[str, object] = {key: value for key, value in options.items() if value is not None}
    if seed:
        given["seed"] = seed
    if bad_rows != "stop":
        given["bad_rows"] = bad_rows
    return Reading(given, keys or ())


def _write(
    workload: "Workload", out: Path, *, block_tokens: int, sessions: bool, tpot_ms: float | None, force: bool
) -> None:
    """Write a workload in the format that the file's name asks for, and say what to do with it."""
    from simcore.commands.trace_table import print_written
    from traces.csv_writer import write_csv
    from traces.mooncake_writer import write_mooncake

    kind = out.with_suffix("").suffix if out.suffix in (".gz", ".zst") else out.suffix
    if sessions and (tpot_ms is not None or kind != ".jsonl"):
        complain("--sessions: writes turns that wait for each other, as JSON lines; leave --tpot-ms and .csv out")
        raise typer.Exit(2)
    if kind == ".jsonl":
        written = write_mooncake(
            workload, out, block_tokens=block_tokens, sessions=sessions, tpot_ms=tpot_ms, overwrite=force
        )
    elif kind == ".csv":
        written = write_csv(workload, out, tpot_ms=tpot_ms, overwrite=force)
    else:
        complain(f"--out {out}: must end in .jsonl or .csv, and perhaps .gz or .zst behind")
        raise typer.Exit(2)
    print_written(written, block_tokens=block_tokens if kind == ".jsonl" else None, sessions=sessions)


@contextmanager
def _trace_errors() -> Iterator[None]:
    """Turn what is wrong with a trace, or with how it is to be read, into lines on stderr and exit status 2."""
    from traces import ParameterError, TraceError

    try:
        yield
    except (ParameterError, TraceError) as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        complain("interrupted")
        raise typer.Exit(130) from None
