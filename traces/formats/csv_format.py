"""CSV format: a public CSV format, given by its columns."""

from dataclasses import dataclass

from traces.clock import TimeUnit
from traces.formats.base import NOTHING, BadRow, Fields
from traces.formats.csv_table import CsvTable
from traces.formats.header import cells_of, header_faults, missing_faults


@dataclass(frozen=True)
class CsvFormat:
    """`traces.formats.base.Format` of CSV files that have the columns of `fields`, in any order and among others.

    optional: columns that are read if they are there. exact: the header is those of `fields`, in order, and no others.
    """

    name: str
    fields: Fields
    time_unit: TimeUnit = "s"
    optional: Fields = NOTHING
    exact: bool = False

    @property
    def layout(self) -> str:
        """What the file looks like, for people."""
        return f"CSV with the header {','.join(self.fields.columns)}"

    def resembles(self, first_line: str) -> float:
        """Return the share of the columns that a header has, whatever their case."""
        header = {cell.strip().lower() for cell in cells_of(first_line)}
        wanted = [column.lower() for column in self.fields.columns]
        return len(header.intersection(wanted)) / len(wanted)

    def table(self, first_line: str, block_tokens: int | None) -> CsvTable:
        """Return how to read a file with this header; BadRow if it is wrong."""
        check = header_faults if self.exact else missing_faults
        if faults := check(self.fields.columns, first_line):
            raise BadRow(faults)
        header = [cell.strip() for cell in cells_of(first_line)]
        return CsvTable(self.fields.joined(self.optional, header), header, block_tokens)
