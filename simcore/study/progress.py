"""Progress: how many cells are done; a bar on a terminal, a line in a notebook, a few lines elsewhere, or nothing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

LINE_EVERY_S = 2.0


class Advance(Protocol):
    """Call once for each cell that ended."""

    def __call__(self, *, failed: bool) -> None: ...


@contextmanager
def progress(total: int, kept: int, *, quiet: bool) -> Iterator[Advance]:
    """Show how `total` cells come along on stderr, in a notebook on stdout; `kept` of them were finished before."""
    if quiet or kept == total:
        yield _silent
    elif sys.stderr.isatty():
        with _bar(total, kept) as advance:
            yield advance
    elif type(sys.stdout).__module__.startswith("ipykernel"):
        with _one_line(total, kept) as advance:
            yield advance
    else:
        with _lines(total, kept) as advance:
            yield advance


def _silent(*, failed: bool) -> None:
    """Nobody watches."""


@contextmanager
def _bar(total: int, kept: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("cells", total=total, completed=kept)
        failures = 0

        def advance(*, failed: bool) -> None:
            nonlocal failures
            failures += failed
            bar.update(task, advance=1, description=f"cells, {failures} failed" if failures else "cells")

        yield advance


@contextmanager
def _one_line(total: int, kept: int) -> Iterator[Advance]:
    """Write over one line again and again, and clear it at the end."""
    done, failures = kept, 0

    def say(text: str) -> None:
        print(f"\r{text:<60}", end="", flush=True)

    def advance(*, failed: bool) -> None:
        nonlocal done, failures
        done += 1
        failures += failed
        say(f"{done} of {total} cells" + (f", {failures} failed" if failures else ""))

    say(f"{done} of {total} cells")
    try:
        yield advance
    finally:
        say("")
        print("\r", end="", flush=True)


@contextmanager
def _lines(total: int, kept: int) -> Iterator[Advance]:
    done, failures, said_s = kept, 0, monotonic()
    if kept:
        print(f"{kept} of {total} cells were finished before", file=sys.stderr, flush=True)

    def advance(*, failed: bool) -> None:
        nonlocal done, failures, said_s
        done += 1
        failures += failed
        if done == total or monotonic() - said_s >= LINE_EVERY_S:
            said_s = monotonic()
            note = f", {failures} failed" if failures else ""
            print(f"{done} of {total} cells{note}", file=sys.stderr, flush=True)

    yield advance
