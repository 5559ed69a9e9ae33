"""Profile: `simcore profile`, which fits a cost model to a real engine, or to the iteration log of a run."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from simcore.commands.errors import complain, user_errors

if TYPE_CHECKING:
    from simcore.cost.fit import Observed

app = typer.Typer(no_args_is_help=True, help="Fit a cost model to what iterations really take.")

Out = Annotated[Path, typer.Option(help="Where the profile goes; a study uses it with `cost: FILE`.")]


@app.command()
def run(
    weights: Annotated[
        str, typer.Option(help="A folder in Hugging Face format, or random: and nano, tiny, small or a config.json.")
    ] = "random:tiny",
    device: Annotated[Literal["cpu", "cuda"] | None, typer.Option(help="Default: a GPU if there is one.")] = None,
    dtype: Annotated[Literal["fp32", "bf16", "fp16"] | None, typer.Option(help="Default: fp32; bf16 on a GPU.")] = None,
    out: Out = Path("profile.json"),
    requests: Annotated[int | None, typer.Option(min=16, help="Default: 96; on a GPU 768.")] = None,
    longest: Annotated[int | None, typer.Option(min=6, help="Longest prompt, tokens; default: 1024, GPU 8192.")] = None,
    max_num_batched_tokens: Annotated[
        int | None, typer.Option(min=1, help="Token budget of an iteration; default: 256; on a GPU 2048.")
    ] = None,
    block_tokens: Annotated[int, typer.Option(min=1, help="Tokens per KV block.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Draws weights, lengths and arrivals.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not say what is being done.")] = False,
) -> None:
    """Run a calibration mix on the real engine, and write the cost model fitted to it."""
    with _own_errors(), user_errors():
        from simcore.fidelity.calibration import Mix
        from simcore.fidelity.profiling import profile_engine
        from simcore.study.backends import choose, default_dtype

        chosen = choose("real", device, "measured")
        gpu = chosen.device == "cuda"
        mix = Mix(
            requests=requests or (768 if gpu else 96),
            longest_tokens=longest or (8192 if gpu else 1024),
            max_num_batched_tokens=max_num_batched_tokens or (2048 if gpu else 256),
            block_tokens=block_tokens,
            seed=seed,
        )
        dtype = dtype or default_dtype(chosen.device)
        log, provenance = profile_engine(weights, dtype, chosen, mix, (lambda _: None) if quiet else _say)
        _fit_and_write(log, out, provenance)


@app.command()
def fit(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A result folder with an iteration log, or the log.")],
    out: Out = Path("profile.json"),
) -> None:
    """Fit a cost model to the iteration log that `simcore run --iterations` has left."""
    with _own_errors(), user_errors():
        from simcore.fidelity.log_file import read_log
        from simcore.fidelity.profiling import log_provenance

        _fit_and_write(read_log(log), out, log_provenance(log))


def _fit_and_write(log: "Observed", out: Path, provenance: dict[str, Any]) -> None:
    from simcore.cost.fit import fit as fit_terms
    from simcore.cost.profile import write_profile

    terms, error = fit_terms(log)
    try:
        write_profile(out, terms, error, provenance)
    except OSError as problem:
        raise ValueError(f"--out {out}: {problem.strerror or problem}") from None
    points = ", ".join(f"{count}: {took_ps / 1e9:.3g}" for count, took_ps in terms.tokens)
    print(f"{out}: {len(log):,} iterations")
    print(f"  milliseconds by tokens: {points}")
    print(
        f"  microseconds more for each chunk {terms.chunk / 1e6:.3g}, query-key pair {terms.prefill_pair / 1e6:.3g}, "
        f"decode {terms.decode / 1e6:.3g}, token of its context {terms.context / 1e6:.3g}"
    )
    print(
        f"  on {error.iterations:,} iterations held out: median error {error.median:.1%}, p90 {error.p90:.1%}, "
        f"bias {error.bias:+.1%}, total {error.total:+.1%}"
    )
    print(f"  a study uses it with: cost: {out}")


@contextmanager
def _own_errors() -> Iterator[None]:
    """Turn what is wrong with a log, a profile or weights into a line on stderr and exit status 2."""
    try:
        yield
    except ValueError as error:
        complain(str(error))
        raise typer.Exit(2) from None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
