"""Log file: the iteration log in a result folder, as a fit takes it."""

from collections.abc import Iterator
from pathlib import Path

from simcore.cost.fit import Observed, Row, observed

NAME = "iterations.parquet"
_COLUMNS = ["decodes", "context", "chunk_new", "chunk_before", "first_ps"]


def read_log(path: Path) -> Observed:
    """Return the iterations in a result folder, or in its `iterations.parquet`; of a macro-step the first.

    Raises ValueError if there is none.
    """
    import pyarrow as pa

    file = path / NAME if path.is_dir() else path
    if not file.is_file():
        raise ValueError(f"{file}: no iteration log; simcore run --iterations leaves one")
    try:
        return observed(_rows(file))
    except (pa.ArrowException, KeyError) as error:
        raise ValueError(f"{file}: not an iteration log: {str(error).splitlines()[0]}") from None


def _rows(file: Path) -> Iterator[Row]:
    from simcore.results.parquet import row_groups

    for table in row_groups(file, _COLUMNS):
        yield from zip(*(table.column(name).to_pylist() for name in _COLUMNS), strict=True)
