"""Serve: `simcore serve STUDY`: a system of a study as an OpenAI-compatible HTTP server, simulated or real."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from simcore.commands.errors import complain, user_errors

if TYPE_CHECKING:
    from simcore.serve import Ready
    from simcore.study.api import Study


def serve(
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="A study; or give --model.")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Without a study: a model; with --backend real its weights, as in `real.weights`."),
    ] = None,
    hardware: Annotated[str, typer.Option(help="Without a study: the GPU.")] = "h100",
    system: Annotated[str | None, typer.Option(help="Of the study; default: its first.")] = None,
    backend: Annotated[
        Literal["sim", "real"], typer.Option(help="What answers: placeholders in time, or tokens.")
    ] = "sim",
    device: Annotated[Literal["cpu", "cuda"] | None, typer.Option(help="Device of the real engine.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8000,
    tokenizer: Annotated[
        Path | None, typer.Option(help="Folder with a tokenizer. Default: that of the weights, or bytes.")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the study; may be given often."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Result folder, as of a run. Default: nothing is kept.")] = None,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw the figures.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Answer OpenAI's completions and chats over HTTP, until Ctrl-C."""
    if (study is None) == (model is None):
        complain("serve: name a study, or a model by --model")
        raise typer.Exit(2)
    with user_errors():
        from simcore.study.api import Study

        chosen = Study.load(study) if study is not None else _of_model(model or "", hardware, backend)
        for assignment in assignments or ():
            chosen = chosen.override(assignment)
        outcome = chosen.serve(
            system=system,
            backend=backend,
            device=device,
            host=host,
            port=port,
            tokenizer=tokenizer,
            out=out,
            plots=plots,
            command=sys.argv,
            ready=(lambda _: None) if quiet else _say_ready,
        )
    if not quiet:
        kept = f"; {out}" if out is not None and outcome.arrived else ""
        print(f"{outcome.arrived} requests, {outcome.finished} finished, {outcome.cancelled} cancelled{kept}")


def _say_ready(ready: "Ready") -> None:
    print(f"{ready.model} ({ready.system}) at {ready.url}/v1, up to {ready.context_tokens} tokens; Ctrl-C ends it")
    sys.stdout.flush()


def _of_model(model: str, hardware: str, backend: str) -> "Study":
    """Return a study of one instance that serves a model."""
    from simcore.study.api import Study

    arrivals = {"arrivals": {"kind": "poisson"}}
    small = {"kind": "fixed", "tokens": 1}
    data = {
        "study": "serve",
        "question": "what comes over HTTP",
        "model": model if backend == "sim" else "llama-3.1-8b",
        "hardware": hardware,
        "cluster": {"instances": 1} | ({} if backend == "sim" else {"kv_blocks": 1000}),
        "workload": {"rate": 1, "requests": 1, "prompt_tokens": small, "output_tokens": small} | arrivals,
        "systems": {"served": {"router": "least_loaded"}},
    } | ({} if backend == "sim" else {"real": {"weights": model}})
    return Study.of(data, "--model")
