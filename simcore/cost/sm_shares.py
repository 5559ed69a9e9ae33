"""SM shares: a measured table of what the shares of two lanes are worth while both work."""

import csv
from pathlib import Path

COLUMNS = ("prefill_pct", "decode_pct", "prefill_worth", "decode_worth")

Row = tuple[int, int, int, int]


def read_shares(path: Path) -> tuple[Row, ...]:
    """Return the rows of a CSV table: shares, and the shares alone at which a lane would be as fast as it is then.

    Raises ValueError with place and rule.
    """
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from None
    if not rows:
        raise ValueError(f"{path}: must have a row under {', '.join(COLUMNS)}")
    return tuple(_row(path, number, row) for number, row in enumerate(rows, 2))


def _row(path: Path, number: int, row: dict[str, str]) -> Row:
    try:
        prefill, decode, prefill_worth, decode_worth = (int(row[name]) for name in COLUMNS)
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path}:{number}: must have whole numbers under {', '.join(COLUMNS)}, got {row}") from None
    found = (prefill, decode, prefill_worth, decode_worth)
    if not all(1 <= share <= 100 for share in found):
        raise ValueError(f"{path}:{number}: shares must be 1..100, got {row}")
    return found
