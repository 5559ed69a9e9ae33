"""Arrays: numpy to Arrow and back through their buffers.

pyarrow's own conversions load pandas when it is installed, which costs a worker 0.3 s and 65 MB for nothing.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

Known = NDArray[np.bool_]


def column(values: NDArray[Any], known: Known | None = None) -> Any:
    """Return int64 or float64 values as a `pyarrow.Array`, null where not `known`."""
    import pyarrow as pa

    kind = pa.float64() if values.dtype == np.float64 else pa.int64()
    validity = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(np.ascontiguousarray(values))])


def names(codes: NDArray[np.int64], texts: Sequence[str]) -> Any:
    """Return `texts[code]` for each code, as a dictionary array."""
    import pyarrow as pa

    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    dictionary = pa.Array.from_buffers(pa.string(), len(texts), buffers)
    indices = pa.Array.from_buffers(pa.int32(), len(codes), [None, pa.py_buffer(codes.astype(np.int32))])
    return pa.DictionaryArray.from_arrays(indices, dictionary)


def lists(rows: Sequence[Sequence[int]]) -> Any:
    """Return lists of ints as an array of lists."""
    import pyarrow as pa

    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    values = column(np.fromiter(chain.from_iterable(rows), np.int64, int(offsets[-1])))
    places = pa.Array.from_buffers(pa.int32(), len(offsets), [None, pa.py_buffer(offsets)])
    return pa.ListArray.from_arrays(places, values)


def numbers(chunked: Any) -> NDArray[Any]:
    """Return a column of int64 or float64 as numpy; a null is -1 or NaN."""
    return np.concatenate([_numbers(chunk) for chunk in chunked.chunks])


def codes(chunked: Any, texts: Sequence[str]) -> NDArray[np.int64]:
    """Return the index in `texts` of each text of a dictionary column."""
    found = []
    for chunk in chunked.chunks:
        places = np.array([texts.index(text) for text in chunk.dictionary.to_pylist()], np.int64)
        found.append(places[_values(chunk.indices, np.int32)])
    return np.concatenate(found)


def _numbers(array: Any) -> NDArray[Any]:
    floating = str(array.type) == "double"
    values = _values(array, np.float64 if floating else np.int64)
    if not array.null_count:
        return values
    bits = np.frombuffer(array.buffers()[0], np.uint8)
    known = np.unpackbits(bits, count=array.offset + len(array), bitorder="little")[array.offset :]
    return np.where(known == 1, values, np.nan if floating else -1)


def _values(array: Any, dtype: type) -> NDArray[Any]:
    if not len(array):
        return np.empty(0, dtype)
    return np.frombuffer(array.buffers()[1], dtype)[array.offset : array.offset + len(array)]
