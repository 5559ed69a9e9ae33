"""Survey: one pass over a trace file: is it sound, how many requests, how fast; small ones are kept.

The pass costs as much as reading once. Its answer is remembered per process for as long as the file does not
change, so a sweep reads its trace once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from simcore.contract.traffic import Arrivals
from simcore.contract.units import PS_PER_S, to_s
from traces import formats
from traces.clock import UNIT_NAMES, TimeUnit
from traces.files import sha256
from traces.formats import Format
from traces.pieces import arrays_of
from traces.problems import TraceError
from traces.reader import Reader

KEPT_NUMBERS = 2_000_000
"""16 MB of columns: 600,000 requests, or 35,000 with long heads. Longer traces are read from the file each time."""

FASTEST_PER_S, SLOWEST_PER_S = 1000.0, 0.01
"""Mean rates outside are taken for a wrong unit."""
_TELLING_ROWS = 100
_THIS_CENTURY_S = range(10**9, 5 * 10**9)


@dataclass(frozen=True, eq=False)
class Survey:
    """What one pass over the first `requests` rows of a file found."""

    path: Path
    format: Format
    time_unit: TimeUnit
    sha256: str
    requests: int
    span_ps: int
    """From the first row to the last."""
    prompt_tokens: int
    output_tokens: int
    kept: tuple[Arrivals, ...] | None = field(repr=False)

    @property
    def rate(self) -> float:
        """Mean arrival rate in requests per second, (n - 1) / span; infinite when all arrive at once."""
        return (self.requests - 1) / to_s(self.span_ps) if self.span_ps else float("inf")

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests at their own times; the first arrives at 0."""
        if self.kept is not None:
            yield from self.kept
        else:
            yield from Reader(self.path, self.format, self.time_unit, self.requests).pieces()


def survey(
    path: Path, *, format: str | None = None, time_unit: TimeUnit | None = None, rows: int | None = None
) -> Survey:
    """Read the first `rows` rows (default all) of a file; TraceError lists what is wrong with it.

    format: name of a format, or None to find it from the first line; time_unit: None for the format's own.
    """
    try:
        stat = path.stat()
        version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    except OSError:
        version = None
    return _survey(path, version, format, time_unit, rows)


@lru_cache(maxsize=4)
def _survey(
    path: Path,
    _version: tuple[int, int, int] | None,
    format: str | None,
    time_unit: TimeUnit | None,
    rows: int | None,
) -> Survey:
    reader = Reader(path, formats.named(format) if format else None, time_unit, rows)
    kept: list[Arrivals] | None = []
    requests = prompt_tokens = output_tokens = last_ps = numbers = 0
    for piece in reader.pieces():
        requests += len(piece)
        prompt_tokens += int(piece.prompt_tokens.sum())
        output_tokens += int(piece.output_tokens.sum())
        last_ps = int(piece.at_ps[-1])
        if kept is not None:
            kept.append(_frozen(piece))
            numbers += sum(map(len, arrays_of(piece)))
            kept = kept if numbers <= KEPT_NUMBERS else None
    assert reader.format is not None
    assert reader.time_unit is not None
    found = Survey(
        path,
        reader.format,
        reader.time_unit,
        sha256(path),
        requests,
        last_ps,
        prompt_tokens,
        output_tokens,
        tuple(kept) if kept is not None else None,
    )
    if reader.first_second not in _THIS_CENTURY_S:
        _check_unit(found, time_unit)
    return found


def _frozen(piece: Arrivals) -> Arrivals:
    for column in arrays_of(piece):
        column.setflags(write=False)
    return piece


def _check_unit(found: Survey, asked: TimeUnit | None) -> None:
    """Raise TraceError if the mean rate says that times are in another unit. A date of this century is sure.

    The format's own unit is believed when asked for; another one is not, where it makes a true rate untrue.
    """
    unit, own = found.time_unit, found.format.time_unit
    other: TimeUnit = "s" if unit == "ms" else "ms"
    other_rate = found.rate * (1e-3 if unit == "ms" else 1e3)
    if found.requests < _TELLING_ROWS or _may_be_true(found.rate):
        return
    if asked == own or (asked is not None and not _may_be_true(other_rate)):
        return
    whose = f"the unit of {found.format.name} files"
    if asked is None:
        read_as, advice = f", {whose}", f"Say which it is: time_unit: {other}, or time_unit: {unit} to keep it"
    else:
        read_as, advice = " as time_unit says", f"Leave time_unit out: {UNIT_NAMES[own]} are {whose}"
    raise TraceError(
        [
            f"{found.path}:1:1: wrong time unit? Read as {UNIT_NAMES[unit]}{read_as}, "
            f"{found.requests:,} requests arrive in {found.span_ps / PS_PER_S:g} s: {found.rate:,.4g} req/s on average "
            f"({other_rate:,.4g} req/s if they are {UNIT_NAMES[other]}). {advice}"
        ]
    )


def _may_be_true(rate: float) -> bool:
    return SLOWEST_PER_S <= rate <= FASTEST_PER_S
