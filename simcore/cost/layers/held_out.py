"""Held out: how far a profile is off at points that are taken out of it, by kind of batch."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from simcore.cost.layers.attention import tables_of
from simcore.cost.layers.counts import Reading
from simcore.cost.layers.nested import Nested, Row
from simcore.cost.layers.tables import HEAD, ONCE, Attention, Curve, LayerTables, Uneven, Values
from simcore.cost.tables.held_out import held_out

Errors = dict[str, dict[str, float]]

DENSE, HEADS = "dense layers", "head"
PREFILL, DECODE, MIXED = "prefill attention", "decode attention", "mixed attention"


def held_out_errors(tables: LayerTables) -> Errors:
    """Return by kind of batch: points, and median, p90, worst and bias of the relative error.

    `… left even`: of the uneven batches measured, taken as even ones at their mean; not of interpolation.
    """
    found = left_out(tables)
    if tables.uneven is not None:
        found |= _of_uneven(tables.uneven)
    return {kind: error_of(relative) for kind, relative in found.items() if len(relative)}


def left_out(tables: LayerTables) -> dict[str, Values]:
    """Return by kind of batch the relative errors at points that were taken out, [n] each.

    Every fifth point of a curve, and every fifth value inside each axis of attention, is taken out, one axis at a time.
    """
    found = {DENSE: _of_curves(tables.dense, stairs=tables.stairs), HEADS: _of_curves(tables.head, stairs=False)}
    return found | {kind: np.concatenate(parts) for kind, parts in _of_attention(tables.attention).items()}


def error_of(relative: Values) -> dict[str, float]:
    """Return what describes relative errors [n >= 1]."""
    sizes = np.abs(relative)
    return {
        "points": len(sizes),
        "median": round(float(np.median(sizes)), 4),
        "p90": round(float(np.percentile(sizes, 90)), 4),
        "worst": round(float(sizes.max()), 4),
        "bias": round(float(np.mean(relative)), 4),
    }


def prefers_stairs(dense: Mapping[str, Curve]) -> bool:
    """Return whether stairs are nearer to points left out than straight lines are, on average."""
    errors = {stairs: _of_curves(dense, stairs=stairs) for stairs in (True, False)}
    return bool(np.abs(errors[True]).mean() <= np.abs(errors[False]).mean()) if len(errors[True]) else False


def _of_curves(curves: Mapping[str, Curve], *, stairs: bool) -> Values:
    """Return the relative errors of the layers' sum at every fifth count."""
    names = [name for name in curves if name not in ONCE or name in HEAD]
    counts = curves[names[0]].counts
    out = held_out(len(counts))
    kept = np.setdiff1d(np.arange(len(counts)), out)
    named = [curves[name] for name in names if len(curves[name].counts) == len(counts)]
    readings = [Reading(Curve(curve.counts[kept], curve.us[kept]), stairs=stairs) for curve in named]
    measured = np.array([sum(curve.us[i] for curve in named) for i in out])
    predicted = np.array([sum(reading.us(int(counts[i])) for reading in readings) for i in out])
    return predicted / measured - 1 if len(out) else np.empty(0)


def _of_attention(table: Attention) -> dict[str, list[Values]]:
    """Return the relative errors by kind of batch, one part for each axis that values were taken out of."""
    rows = _rows(table)
    found: dict[str, list[Values]] = {DECODE: [np.empty(0)], PREFILL: [np.empty(0)], MIXED: [np.empty(0)]}
    for axis in range(4):
        values = sorted({row[axis] for row in rows if row[axis] > 0})
        out = {values[i] for i in held_out(len(values))}
        if not out:
            continue
        chosen = [row for row in rows if row[axis] in out]
        decode, mixed = tables_of(_attention([row for row in rows if row[axis] not in out]))
        for kind, part in _kinds(chosen):
            found[kind].append(_errors(decode if kind == DECODE else mixed, part, skip=2 if kind == DECODE else 0))
    return found


def _errors(table: Nested, rows: Sequence[Row], skip: int) -> Values:
    """Return the relative errors at rows (chunk, before, decodes, history, us) that lie inside the table."""
    points = [((row[2], row[3]) if skip else (row[0], row[2], row[1], row[3]), row[4]) for row in rows]
    return np.array([table.at(*point) / us - 1 for point, us in points if table.inside(*point)])


def _kinds(rows: Sequence[Row]) -> Iterable[tuple[str, list[Row]]]:
    yield DECODE, [row for row in rows if not row[0]]
    yield PREFILL, [row for row in rows if row[0] and not row[2]]
    yield MIXED, [row for row in rows if row[0] and row[2]]


def _of_uneven(uneven: Uneven) -> dict[str, Values]:
    relative = uneven.even_us / uneven.us - 1
    alone = uneven.chunk == 0
    return {"uneven decodes, left even": relative[alone], "uneven decodes beside a chunk, left even": relative[~alone]}


def _rows(table: Attention) -> list[Row]:
    parts = (table.chunk, table.before, table.decodes, table.history, table.us)
    return list(zip(*(part.tolist() for part in parts), strict=True))


def _attention(rows: Sequence[Row]) -> Attention:
    return Attention(*np.array(rows, dtype=np.float64).T)
