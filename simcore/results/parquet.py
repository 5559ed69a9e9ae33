"""Parquet: tables written in row groups as rows come, always with the same settings, so equal rows give equal bytes."""

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from simcore.results.schema import Column, arrow_schema

ROW_GROUP = 1 << 15

Ints = NDArray[np.int64]


def int_rows(rows: list[tuple[int, ...]], width: int) -> Ints:
    """Return rows of ints as an array [rows, width]; about three times as fast as `np.array(rows)`."""
    return np.fromiter(chain.from_iterable(rows), np.int64, len(rows) * width).reshape(-1, width)


class TableWriter:
    """A Parquet file under way. Use as a context manager, or call `close`."""

    def __init__(self, path: Path, columns: tuple[Column, ...]) -> None:
        import pyarrow.parquet as pq

        self._schema = arrow_schema(columns)
        names = [column.name for column in columns if column.kind == "name"]
        self._file = pq.ParquetWriter(path, self._schema, compression="zstd", version="2.6", use_dictionary=names)

    def write(self, columns: list[Any]) -> None:
        """Append at most `ROW_GROUP` rows, given as one `pyarrow` array per column, as one row group."""
        import pyarrow as pa

        self._file.write_table(pa.Table.from_arrays(columns, schema=self._schema), row_group_size=ROW_GROUP)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RowBuffer:
    """Gathers rows of ints and hands them on, a row group at a time, as an array [ROW_GROUP or less, width]."""

    def __init__(self, width: int, flush: Callable[[Ints], None]) -> None:
        self._rows = np.empty((ROW_GROUP, width), np.int64)
        self._filled = 0
        self._hand_on = flush

    def add(self, rows: Ints) -> None:
        """Append `rows` [n, width]."""
        while len(rows):
            taken = rows[: ROW_GROUP - self._filled]
            self._rows[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            rows = rows[len(taken) :]
            if self._filled == ROW_GROUP:
                self.flush()

    def flush(self) -> None:
        """Hand on what is left."""
        if self._filled:
            self._hand_on(self._rows[: self._filled])
            self._filled = 0


def row_groups(path: Path, names: list[str] | None = None) -> Iterator[Any]:
    """Yield the row groups of a file as `pyarrow.Table`s, only the columns `names`."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for index in range(file.num_row_groups):
            yield file.read_row_group(index, columns=names, use_threads=False)


def row_count(path: Path) -> int:
    """Return the number of rows of a file."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)
