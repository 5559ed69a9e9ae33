"""Tables: step times from measured operators, interpolated between the points that were measured."""

from simcore.cost.tables.cost import TableCost
from simcore.cost.tables.file import SCHEMA, holds_tables, read_tables, write_tables
from simcore.cost.tables.grid import Grid
from simcore.cost.tables.importing import import_tables
from simcore.cost.tables.table import Table, Tables

__all__ = [
    "SCHEMA",
    "Grid",
    "Table",
    "TableCost",
    "Tables",
    "holds_tables",
    "import_tables",
    "read_tables",
    "write_tables",
]
