"""Errors: what a user can mend, as lines on stderr and an exit status, without a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn what a user can mend into lines on stderr and an exit status."""
    from simcore.study.api import CellsFailed
    from simcore.study.errors import StudyError
    from simcore.study.run import Interrupted

    try:
        yield
    except StudyError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        raise typer.Exit(2) from None
    except CellsFailed as error:
        for failure in error.failures:
            complain(f"{failure.label}: {failure.reason}")
        complain(f"no cell finished; tracebacks in {error.out / 'failed.json'}")
        raise typer.Exit(1) from None
    except Interrupted as error:
        complain(str(error))
        raise typer.Exit(130) from None
    except KeyboardInterrupt:
        complain("interrupted")
        raise typer.Exit(130) from None


def complain(message: str) -> None:
    """Say it on stderr, after the name of the program."""
    print(f"simcore: {message}", file=sys.stderr)
