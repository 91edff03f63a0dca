"""A column's values in ascending order, and each row's place among them."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

Codes = npt.NDArray[np.int32]
NULL = np.int32(-1)
SLOTS_A_ROW = 4
LARGE_BYTES = 1 << 30


def ranks(column: pa.ChunkedArray) -> tuple[pa.Array, Codes]:
    """The distinct values but NULL and NaN, in order, and each row's rank.

    NULL has rank -1 and NaN the number of the values; -0.0 is 0.0.
    """
    whole = joined(column)
    if pt.is_dictionary(whole.type):
        return _looked_up(whole)
    if pt.is_floating(whole.type):
        return _without_nan(*_sorted(pc.add(whole, pa.scalar(0.0, whole.type))))
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
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _looked_up(whole: pa.DictionaryArray) -> tuple[pa.Array, Codes]:
    """A dictionary may hold a value twice, and values that no row has."""
    size = len(whole.dictionary)
    indices = whole.indices.fill_null(size).to_numpy(zero_copy_only=False)
    occurs = np.zeros(size + 1, np.bool_)
    occurs[indices] = True
    values, places = _sorted(whole.dictionary.filter(pa.array(occurs[:size])))
    slots = np.full(size + 1, NULL, np.int32)
    slots[np.flatnonzero(occurs[:size])] = places
    return values, slots[indices]


def _counted(whole: pa.Array) -> tuple[pa.Array, Codes]:
    """Whole numbers of a narrow range are ranked by a table of those that occur."""
    range_ = pc.min_max(_ticks(whole))
    low, high = range_["min"].as_py(), range_["max"].as_py()
    if low is None or high - low > SLOTS_A_ROW * len(whole) or high > np.iinfo(np.int64).max:
        return _sorted(whole)
    slots = _above(_ticks(whole), low, high)
    occurs = np.zeros(high - low + 2, np.bool_)
    occurs[slots] = True
    places = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    places[-1] = NULL
    values = np.flatnonzero(occurs[:-1]) + low
    return pa.array(values).cast(_ticks(whole).type).cast(whole.type), places[slots]


def _above(ticks: pa.Array, low: int, high: int) -> npt.NDArray[np.int32] | npt.NDArray[np.int64]:
    """How far each number lies above the least; one more than the greatest does for NULL."""
    numbers = ticks.fill_null(low).to_numpy()
    narrow = np.can_cast(numbers.dtype, np.int32) and high - low < np.iinfo(np.int32).max
    wide = numbers.astype(np.int32 if narrow else np.int64, copy=False)
    slots: npt.NDArray[np.int32] | npt.NDArray[np.int64] = wide - wide.dtype.type(low)
    if ticks.null_count:
        slots[ticks.is_null().to_numpy(zero_copy_only=False)] = high - low + 1
    return slots


def _ticks(whole: pa.Array) -> pa.Array:
    if not pt.is_temporal(whole.type):
        return whole
    return whole.cast(pa.int32() if pt.is_date32(whole.type) else pa.int64())


def _sorted(whole: pa.Array) -> tuple[pa.Array, Codes]:
    encoded = pc.dictionary_encode(whole)
    order = pc.sort_indices(encoded.dictionary)
    places = np.full(len(order) + 1, NULL, np.int32)
    places[order.to_numpy()] = np.arange(len(order), dtype=np.int32)
    indices = encoded.indices.fill_null(len(order)).to_numpy(zero_copy_only=False)
    return encoded.dictionary.take(order), places[indices]


def _without_nan(values: pa.Array, codes: Codes) -> tuple[pa.Array, Codes]:
    """NaN sorts last, so that its rank becomes the number of the other values."""
    numbers = len(values) - int(np.isnan(values.to_numpy(zero_copy_only=False)).sum())
    return values.slice(0, numbers), np.minimum(codes, np.int32(numbers))
