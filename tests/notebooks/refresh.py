"""Refresh: store new outputs in the notebooks. `python -m tests.notebooks.refresh [NAME ...]`, from the checkout."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from tests.notebooks.execution import NOTEBOOKS, ROOT, executed, store


def main(names: list[str]) -> None:
    """Execute and store the notebooks of these names, without ending; none: all."""
    for path in NOTEBOOKS:
        if names and path.stem not in names:
            continue
        started_s = monotonic()
        with TemporaryDirectory() as folder:
            store(executed(path, Path(folder)), path)
        print(f"{path.relative_to(ROOT)}: {monotonic() - started_s:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
