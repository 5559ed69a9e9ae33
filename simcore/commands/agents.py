"""Agents: `simcore agents URL STUDY`: the workload of a study against a server, turns and tool pauses included."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from simcore.commands.errors import complain, user_errors

if TYPE_CHECKING:
    from simcore.agents import Program

INSTALL = "pip install 'simcore[serve]'"


def agents(
    url: Annotated[str, typer.Argument(metavar="URL", help="Of the server, such as http://127.0.0.1:8000.")],
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study; its workload is sent.")],
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the study; may be given often."),
    ] = None,
    backend: Annotated[Literal["sim", "real"], typer.Option(help="real: with what `real.instead` changes.")] = "sim",
    model: Annotated[str | None, typer.Option(help="Default: the first that the server has.")] = None,
    vocabulary: Annotated[int, typer.Option(min=2, help="Prompts are token ids below it.")] = 256,
    hints: Annotated[bool, typer.Option("--hints/--no-hints", help="Name the program of a turn (job_id).")] = True,
    speed: Annotated[float, typer.Option(help="Arrivals and pauses pass so many times as fast.")] = 1.0,
    out: Annotated[Path | None, typer.Option(help="Result as of vllm bench serve, JSON. Default: none.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Replay a workload against an OpenAI-compatible server. Exit 1: a request failed."""
    import asyncio
    from importlib.util import find_spec

    if find_spec("aiohttp") is None:
        complain(f"agents: needs aiohttp, which is not installed: {INSTALL}")
        raise typer.Exit(2)
    if not speed > 0:
        complain(f"--speed: must be > 0, got {speed}")
        raise typer.Exit(2)
    with user_errors():
        programs, seed, name = _programs(study, assignments or (), backend)
        from simcore.agents import Target, bench_result, replay
        from simcore.results.cell import write_json

        target = Target(url.rstrip("/").removesuffix("/v1"), model, vocabulary, seed, hints, speed=speed)
        try:
            jobs, served = asyncio.run(replay(programs, target))
        except ConnectionError as error:
            complain(str(error))
            raise typer.Exit(2) from None
    result = bench_result(jobs, served, name)
    if out is not None:
        try:
            write_json(out, result)
        except OSError as error:
            complain(f"--out {out}: cannot be written: {error.strerror}")
            raise typer.Exit(2) from None
    if not quiet:
        from simcore.results.vllm import vllm_block

        print(vllm_block(result))
    errors = [error for error in result["errors"] if error]
    if errors:
        complain(f"{len(errors)} of {len(result['errors'])} requests failed, the first of them: {errors[0]}")
        raise typer.Exit(1)


def _programs(
    study: str, assignments: Sequence[str], backend: Literal["sim", "real"]
) -> "tuple[list[Program], int, str]":
    """Return the programs of a study at its first point and seed, the seed, and the study's name."""
    from simcore.agents import read_programs
    from simcore.study.api import Study
    from simcore.study.traffic import open_workload

    chosen = Study.load(study)
    for assignment in assignments:
        chosen = chosen.override(assignment)
    cell = chosen.plan(backend=backend)[0]
    return read_programs(open_workload(cell.spec, cell.trace_file, cell.seed)), cell.seed, cell.spec.study
