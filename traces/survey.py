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
from traces.clock import UNIT_NAMES, UNIT_PS, TimeUnit
from traces.files import sha256
from traces.formats import Format
from traces.formats.base import Fields
from traces.pieces import arrays_of, begins
from traces.problems import TraceError
from traces.reader import Reader
from traces.reading import Reading

KEPT_NUMBERS = 2_000_000
"""16 MB of columns: 600,000 requests, or 35,000 with long heads. Longer traces are read from the file each time."""

FASTEST_PER_S, SLOWEST_PER_S = 1000.0, 0.01
"""Mean rates outside are taken for a wrong unit."""
_TELLING_ROWS = 100
_THIS_CENTURY_S = range(10**9, 5 * 10**9)


@dataclass(frozen=True, eq=False)
class Survey:
    """What one pass over a file found, or over its first rows."""

    path: Path
    reading: Reading
    format: Format
    fields: Fields
    """What the file says; what it does not say is 0 in `pieces`."""
    time_unit: TimeUnit
    sha256: str
    requests: int
    starts: int
    """Requests that arrive by themselves: all, but later turns of sessions."""
    skipped: int
    """Bad rows left out."""
    classes: tuple[str, ...]
    span_ps: int
    """From the first row to the last."""
    prompt_tokens: int
    output_tokens: int
    kept: tuple[Arrivals, ...] | None = field(repr=False)

    @property
    def rate(self) -> float:
        """Mean rate of what arrives by itself, per second, (n - 1) / span; infinite when all arrive at once."""
        return (self.starts - 1) / to_s(self.span_ps) if self.span_ps else float("inf")

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests at their own times; the first arrives at 0."""
        if self.kept is not None:
            yield from self.kept
        else:
            yield from Reader(self.path, self.reading).pieces()


def survey(path: Path, reading: Reading) -> Survey:
    """Read a file as said; TraceError lists what is wrong with it."""
    try:
        stat = path.stat()
        version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    except OSError:
        version = None
    return _survey(path, version, reading)


@lru_cache(maxsize=4)
def _survey(path: Path, _version: tuple[int, int, int] | None, reading: Reading) -> Survey:
    reader = Reader(path, reading)
    kept: list[Arrivals] | None = []
    requests = starts = prompt_tokens = output_tokens = last_ps = numbers = 0
    for piece in reader.pieces():
        requests += len(piece)
        starts += int(begins(piece).sum())
        prompt_tokens += int(piece.prompt_tokens.sum())
        output_tokens += int(piece.output_tokens.sum())
        last_ps = int(piece.at_ps[-1])
        if kept is not None:
            kept.append(_frozen(piece))
            numbers += sum(map(len, arrays_of(piece)))
            kept = kept if numbers <= KEPT_NUMBERS else None
    assert reader.format is not None
    assert reader.table is not None
    assert reader.time_unit is not None
    found = Survey(
        path,
        reading,
        reader.format,
        reader.table.fields,
        reader.time_unit,
        sha256(path),
        requests,
        starts,
        reader.skipped,
        tuple(reader.classes) or ("default",),
        last_ps,
        prompt_tokens,
        output_tokens,
        tuple(kept) if kept is not None else None,
    )
    if found.fields.arrival is not None and reader.first_second not in _THIS_CENTURY_S:
        _check_unit(found, reading.time_unit)
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
    if found.starts < _TELLING_ROWS or _may_be_true(found.rate):
        return
    others = {each: found.rate * UNIT_PS[unit] / UNIT_PS[each] for each in UNIT_NAMES if each != unit}
    near: TimeUnit = "s" if unit == "ms" else "ms"
    true = [each for each, rate in others.items() if _may_be_true(rate)] or [near]
    if asked == own or (asked is not None and not _may_be_true(others.get(own, found.rate))):
        return
    whose = "the unit if none is named" if found.format.name == "columns" else f"the unit of {found.format.name} files"
    if asked is None:
        read_as = f", {whose}"
        advice = (
            f"Say which it is: {' or '.join(f'time_unit: {each}' for each in true)}, or time_unit: {unit} to keep it"
        )
    else:
        read_as, advice = " as time_unit says", f"Leave time_unit out: {UNIT_NAMES[own]} are {whose}"
        true = [own]
    rates = ", ".join(f"{others[each]:,.4g} req/s if they are {UNIT_NAMES[each]}" for each in true)
    raise TraceError(
        [
            f"{found.path}:1:1: wrong time unit? Read as {UNIT_NAMES[unit]}{read_as}, "
            f"{found.starts:,} requests arrive in {found.span_ps / PS_PER_S:g} s: {found.rate:,.4g} req/s on average "
            f"({rates}). {advice}"
        ]
    )


def _may_be_true(rate: float) -> bool:
    return SLOWEST_PER_S <= rate <= FASTEST_PER_S
