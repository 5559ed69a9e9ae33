"""Pieces: requests with all their columns, cut and joined, whatever the columns are."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from simcore.contract.traffic import Arrivals, Column
from traces import heads

_ABSENT = {"request_class": 0, "turn": 0, "gap_ps": 0}
"""What a column that is None says, if not -1."""


def columns_of(piece: Arrivals) -> Iterator[tuple[str, Column]]:
    """Yield name and values of the columns that are there, all but the head."""
    for field in fields(piece):
        column = getattr(piece, field.name)
        if isinstance(column, np.ndarray):
            yield field.name, column


def arrays_of(piece: Arrivals) -> Iterator[Column]:
    """Yield every array of a piece, those of its head too."""
    for _, column in columns_of(piece):
        yield column
    if piece.head is not None:
        yield from (piece.head.offsets, piece.head.keys, piece.head.ends)


def begins(piece: Arrivals) -> NDArray[np.bool_]:
    """Return [n] whether a request arrives by itself: a program's first turn, a group's first sample, or of neither."""
    alone = np.ones(len(piece), bool)
    if piece.program is not None and piece.turn is not None:
        alone &= (piece.turn == 0) | (piece.program < 0)
    if piece.group is not None:
        alone &= (piece.group < 0) | (np.diff(piece.group, prepend=-1) != 0)
    return alone


def first(piece: Arrivals, n: int) -> Arrivals:
    """Return the first `n` requests."""
    if n >= len(piece):
        return piece
    cut = {name: column[:n] for name, column in columns_of(piece)}
    return replace(piece, **cut, head=heads.first(piece.head, n) if piece.head is not None else None)


def joined(pieces: Sequence[Arrivals]) -> Arrivals:
    """Return the requests of all pieces as one; a column that only some have is filled where it is not."""
    whole = {}
    for field in fields(Arrivals):
        parts = [getattr(piece, field.name) for piece in pieces]
        if field.name == "head" or all(part is None for part in parts):
            continue
        absent = _absent(field.name, pieces)
        whole[field.name] = np.concatenate(
            [fill if part is None else part for part, fill in zip(parts, absent, strict=True)]
        )
    with_heads = any(piece.head is not None for piece in pieces)
    head = heads.joined([(piece.head, len(piece)) for piece in pieces]) if with_heads else None
    return Arrivals(**whole, head=head)


def _absent(name: str, pieces: Sequence[Arrivals]) -> list[Column]:
    """Return what each piece's column says if it is None: a stream left out is the program's."""
    if name == "stream":
        return [piece.program if piece.program is not None else np.full(len(piece), -1) for piece in pieces]
    return [np.full(len(piece), _ABSENT.get(name, -1), np.int64) for piece in pieces]
