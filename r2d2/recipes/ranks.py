"""A column's values in ascending order, and each row's place among them."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.arrays import array_of, fixed_values, null_mask, numbers

Codes = npt.NDArray[np.int32]
NULL = np.int32(-1)
SLOTS_A_ROW = 4
FEW_ROWS = 1 << 14
LARGE_BYTES = 1 << 30


def ranks(column: pa.ChunkedArray) -> tuple[pa.Array, Codes]:
    """The distinct values but NULL and NaN, in order, and each row's rank.

    NULL has rank -1 and NaN the number of the values; -0.0 is 0.0.
    """
    whole = joined(column)
    if pt.is_dictionary(whole.type):
        return _looked_up(whole)
    if pt.is_integer(whole.type) or pt.is_temporal(whole.type):
        return _counted(whole)
    return _sorted(whole)


def joined(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array; texts of a gigabyte and more as large ones."""
    if column.num_chunks == 1:
        return column.chunk(0)
    if pt.is_dictionary(column.type):
        if any(chunk.dictionary.null_count for chunk in column.chunks):
            column = column.cast(column.type.value_type)
        else:
            column = column.unify_dictionaries()
    if pt.is_string(column.type) and column.nbytes > LARGE_BYTES:
        column = column.cast(pa.large_string())
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)


def _looked_up(whole: pa.DictionaryArray) -> tuple[pa.Array, Codes]:
    """A dictionary may hold a value twice, and values that no row has."""
    size = len(whole.dictionary)
    indices = _filled(whole.indices, size)
    occurs = np.zeros(size + 1, np.bool_)
    occurs[indices] = True
    used = np.flatnonzero(occurs[:size])
    values, places = _sorted(whole.dictionary.take(array_of(used, pa.int64())))
    slots = np.full(size + 1, NULL, np.int32)
    slots[used] = places
    return values, slots[indices]


def _counted(whole: pa.Array) -> tuple[pa.Array, Codes]:
    """Whole numbers of a narrow range are ranked by a table of those that occur."""
    ticks, nulls = numbers(whole), null_mask(whole)
    valid = ticks if nulls is None else ticks[~nulls]
    low, high = (int(valid.min()), int(valid.max())) if len(valid) else (0, -1)
    if high < low or high - low > SLOTS_A_ROW * len(ticks):
        return _sorted(whole)
    above = ticks - ticks.dtype.type(low)  # beyond the type's middle it wraps, and back here
    slots = above.view(f"u{above.itemsize}").astype(np.intp)
    if nulls is not None:
        slots[nulls] = high - low + 1
    occurs = np.zeros(high - low + 2, np.bool_)
    occurs[slots] = True
    places = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    places[-1] = NULL
    values = np.flatnonzero(occurs[:-1]).astype(ticks.dtype) + ticks.dtype.type(low)
    return array_of(values, whole.type), places[slots]


def _sorted(whole: pa.Array) -> tuple[pa.Array, Codes]:
    if len(whole) <= FEW_ROWS and not pt.is_floating(whole.type):
        return _ranked(whole)
    encoded = pc.dictionary_encode(whole)
    values, places = _in_order(encoded.dictionary)
    return values, np.append(places, NULL)[_filled(encoded.indices, len(places))]


def _ranked(whole: pa.Array) -> tuple[pa.Array, Codes]:
    """By sorting the rows, which is quicker for some than to find the distinct values first."""
    codes = numbers(pc.rank(whole, "ascending", tiebreaker="dense")).astype(np.int32) - np.int32(1)
    nulls = null_mask(whole)
    if nulls is not None:
        codes[nulls] = NULL
    rows = np.zeros(codes.max(initial=-1) + 2, np.int64)
    rows[codes] = np.arange(len(codes))  # NULL comes last, and is left out
    return whole.take(array_of(rows[:-1], pa.int64())), codes


def _in_order(distinct: pa.Array) -> tuple[pa.Array, Codes]:
    """The values in order but NaN, and the rank of each."""
    if pt.is_floating(distinct.type):
        plain = numbers(distinct)
        # A sum with 0.0 is not -0.0; NaN comes last, once.
        values, places = np.unique(plain + plain.dtype.type(0), return_inverse=True)
        known = values[: len(values) - int(np.isnan(values[-1:]).sum())]
        return array_of(known, distinct.type), places.astype(np.int32)
    order = fixed_values(pc.sort_indices(distinct), np.uint64)
    ordered: Codes = np.empty(len(order), np.int32)
    ordered[order] = np.arange(len(order), dtype=np.int32)
    return distinct.take(array_of(order, pa.uint64())), ordered


def _filled(indices: pa.Array, null: int) -> npt.NDArray[Any]:
    """The indices, with a number for NULL."""
    nulls, plain = null_mask(indices), numbers(indices)
    return plain if nulls is None else np.where(nulls, null, plain.astype(np.intp))
