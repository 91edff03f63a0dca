"""Bounds of columns as ranks in order: a smaller rank proves a smaller value, an equal one nothing.

Bounds of one column are compared as int64, whatever its type, so that the metadata stage compares
whole lakes in blocks of NumPy arrays. They come from statistics, or from the rows of many small
tables at once.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache, reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from r2d2.arrays import array_of, fixed_values, list_offsets, null_mask, numbers, plain
from r2d2.formats.schema import logical_type
from r2d2.model import RANK_MAX, RANK_MIN, Bounds, Column

Values = NDArray[Any]
Valid = NDArray[np.bool_]
Starts = NDArray[np.intp]
# The ranks of each part's least and greatest value, crossed where it has none.
Ranked = tuple[list[int], list[int]]
Ranker = Callable[[pa.Array, Valid, Starts], Ranked]
GREGORIAN_DAY = -141_427
"""The rank of 1582-10-15: dates before it may be of the hybrid Julian calendar."""
_UNIT_MICROS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_DAY_MILLIS = 86_400_000
# Decimals of so many digits have their value in the lower of two words.
LOW_WORD_DIGITS = 18


def number_rank(value: float | Decimal) -> int:
    """The rank of a number; all numeric types share one scale, so that widened types compare.

    >>> number_rank(1) == number_rank(1.0) == number_rank(Decimal("1.00"))
    True
    >>> number_rank(-0.0) == number_rank(0), number_rank(-2.5) < number_rank(-1)
    (True, True)
    """
    try:
        (bits,) = struct.unpack("<q", struct.pack("<d", float(value)))
    except OverflowError:
        return RANK_MAX if value > 0 else RANK_MIN
    return int(bits if bits >= 0 else -(bits & RANK_MAX))


def text_rank(value: bytes) -> int:
    """The rank of a string or binary value: its first eight bytes.

    >>> text_rank(b"a") < text_rank(b"b"), text_rank(b"abcdefgh1") == text_rank(b"abcdefgh2")
    (True, True)
    """
    return int.from_bytes(value[:8].ljust(8, b"\0"), "big") + RANK_MIN


def clipped_rank(value: int) -> int:
    """The rank of a whole number of days or microseconds."""
    return min(max(value, RANK_MIN), RANK_MAX)


def union(parts: Sequence[Bounds]) -> Bounds:
    """The bounds of a column over all its parts; unknown where a part's are."""
    return reduce(_both, parts) if parts else Bounds()


def _both(left: Bounds, right: Bounds) -> Bounds:
    has_nulls = _any(left.has_nulls, right.has_nulls)
    sure = left.sure and right.sure
    if left.has_values is False:
        return replace(right, has_nulls=has_nulls, sure=sure)
    if right.has_values is False:
        return replace(left, has_nulls=has_nulls, sure=sure)
    if left.has_values is None or right.has_values is None:
        # One of the two may be without values: then only the outer bounds hold for both.
        return Bounds(
            min(left.min_low, right.min_low),
            max_high=max(left.max_high, right.max_high),
            has_nulls=has_nulls,
            has_values=_any(left.has_values, right.has_values),
            sure=sure,
        )
    return Bounds(
        min(left.min_low, right.min_low),
        min(left.min_high, right.min_high),
        max(left.max_low, right.max_low),
        max(left.max_high, right.max_high),
        has_nulls,
        True,
        sure,
    )


def _any(left: bool | None, right: bool | None) -> bool | None:
    if left or right:
        return True
    return None if left is None or right is None else False


def bounds_of_parts(
    batch: pa.RecordBatch, columns: Sequence[Column], sizes: Sequence[int]
) -> list[Mapping[str, Bounds]]:
    """The bounds of each column in each part of the batch; a part has at least one row.

    `sizes` are the parts' rows. Columns whose values have no order here are left out.
    """
    found: list[dict[str, Bounds]] = [{} for _ in sizes]
    for column in columns:
        if has_order(column.type):
            array = leaf_values(batch, column.path)
            for bounds, own in zip(found, _of_parts(column.type, array, sizes), strict=True):
                bounds[column.name] = own
    return list(found)


def bounds_of_arrays(type_: str, arrays: Sequence[pa.Array], sizes: Sequence[int]) -> list[Bounds]:
    """The bounds of each part of the arrays, all of one Arrow type and one logical type that has an
    order; `sizes` are the parts' rows."""
    together = arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)
    return _of_parts(type_, together, sizes)


@lru_cache(maxsize=1 << 10)
def has_order(type_: str) -> bool:
    """Whether values of the logical type have bounds here."""
    return type_ == "null" or _ranker_of(type_) is not None


def _of_parts(type_: str, array: pa.Array, sizes: Sequence[int]) -> list[Bounds]:
    ranks = _ranker_of(type_)
    if ranks is None:
        return [Bounds(has_nulls=True, has_values=False, sure=True)] * len(sizes)
    starts = np.cumsum([0, *sizes[:-1]])
    nulls = null_mask(array)
    valid = np.ones(len(array), np.bool_) if nulls is None else ~nulls
    lows, highs = ranks(array, valid, starts)
    has_nulls, has_values = [False] * len(sizes), [True] * len(sizes)
    if nulls is not None:
        has_nulls = (~np.logical_and.reduceat(valid, starts)).tolist()
        has_values = np.logical_or.reduceat(valid, starts).tolist()
    return [
        Bounds(low, low, high, high, null, True, True)
        if value and low <= high
        else Bounds(has_nulls=null, has_values=value, sure=True)
        for low, high, null, value in zip(lows, highs, has_nulls, has_values, strict=True)
    ]


def bounds_of_rows(batch: pa.RecordBatch, columns: Sequence[Column]) -> Mapping[str, Bounds]:
    """The bounds of each column that has an order; a dictionary is not decoded for them."""
    if not batch.num_rows:
        none = Bounds(has_nulls=False, has_values=False, sure=True)
        return {column.name: none for column in columns}
    found: dict[str, Bounds] = {}
    for column in columns:
        array = nested(batch, column.path)
        if pa.types.is_dictionary(array.type):
            array = _used_words(array)
        # An annotation is part of a column's type and says nothing of its values' order.
        leaf = Column(column.name, logical_type(array.type), (column.name,))
        (known,) = bounds_of_parts(
            pa.RecordBatch.from_arrays([array], names=[column.name]), [leaf], [len(array)]
        )
        found |= known
    return found


def _used_words(array: pa.DictionaryArray) -> pa.Array:
    """The values that occur, each once, and NULL if it does."""
    indices = array.indices
    seen = np.zeros(len(array.dictionary), np.bool_)
    seen[numbers(indices.drop_null() if indices.null_count else indices)] = True
    words = array.dictionary.filter(array_of(seen, pa.bool_()))
    return pa.concat_arrays([words, pa.nulls(1, words.type)]) if indices.null_count else words


def leaf_values(batch: pa.RecordBatch, path: Sequence[str]) -> pa.Array:
    """The column's values; a NULL struct makes what is inside it NULL."""
    array = nested(batch, path)
    return _decoded(array) if pa.types.is_dictionary(array.type) else array


def nested(batch: pa.RecordBatch, path: Sequence[str]) -> pa.Array:
    """The values at the end of the path, NULL where a struct around them is."""
    array = plain(batch.column(batch.schema.get_field_index(path[0])))
    for name in path[1:]:
        array = plain(array.flatten()[array.type.get_field_index(name)])
    return array


def _decoded(array: pa.DictionaryArray) -> pa.Array:
    """The values; of texts their first eight bytes, as a few long ones may be gigabytes decoded."""
    words = array.dictionary
    if pa.types.is_string(words.type) or pa.types.is_binary(words.type):
        words = pc.binary_slice(words.cast(pa.binary()), 0, 8)
        array = pa.DictionaryArray.from_arrays(array.indices, words)
    return array.dictionary_decode()


def _ranker_of(type_: str) -> Ranker | None:
    if type_.startswith("decimal"):
        return _decimals
    if type_.startswith(("int", "uint", "float")):
        return _numbers
    if type_ in ("string", "binary"):
        return _texts
    return _wholes if type_ in ("bool", "date", "timestamp", "timestamptz", "time") else None


def _extremes(values: Values, valid: Valid, starts: Starts) -> tuple[Values, Values]:
    """The least and the greatest valid value of each part, crossed where a part has none."""
    if len(starts) == 1:
        some = values if valid.all() else values[valid]
        if len(some):
            return np.array([some.min()]), np.array([some.max()])
    if valid.all():
        return np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    limits: Any = np.finfo(values.dtype) if values.dtype.kind == "f" else np.iinfo(values.dtype)
    least, greatest = (values.dtype.type(limit) for limit in (limits.min, limits.max))
    return (
        np.minimum.reduceat(np.where(valid, values, greatest), starts),
        np.maximum.reduceat(np.where(valid, values, least), starts),
    )


def _numbers(array: pa.Array, valid: Valid, starts: Starts) -> Ranked:
    values = fixed_values(array, array.type.to_pandas_dtype())
    if values.dtype.kind == "f":
        valid = valid & ~np.isnan(values)
    lows, highs = (_number_ranks(some) for some in _extremes(values, valid, starts))
    return lows, highs


def _number_ranks(values: Values) -> list[int]:
    """`number_rank` of each."""
    bits = values.astype(np.float64).view(np.int64)
    ranks: list[int] = np.where(bits >= 0, bits, -(bits & RANK_MAX)).tolist()
    return ranks


def _decimals(array: pa.Array, valid: Valid, starts: Starts) -> Ranked:
    if len(starts) == 1 and array.type.bit_width == 128 and array.type.precision <= LOW_WORD_DIGITS:
        words = fixed_values(array, "i8", words=2)[::2]
        lows, highs = _extremes(words, valid, starts)
        unscaled = (Decimal(int(some[0])).scaleb(-array.type.scale) for some in (lows, highs))
        least, greatest = map(number_rank, unscaled)
        return [least], [greatest]
    if array.type.bit_width < 128:
        array = array.cast(pa.decimal128(array.type.precision, array.type.scale))
    ends = [*starts[1:].tolist(), len(array)]
    found = [
        pc.min_max(array.slice(start, end - start)).as_py()
        for start, end in zip(starts.tolist(), ends, strict=True)
    ]
    return (
        [number_rank(some["min"] or 0) for some in found],
        [number_rank(some["max"] or 0) for some in found],
    )


def _texts(array: pa.Array, valid: Valid, starts: Starts) -> Ranked:
    """`text_rank` of each: the first eight bytes, filled up with zeros, as a number."""
    if len(starts) == 1:
        return _extreme_texts(array)
    array = array.cast(pa.large_binary())
    data = array.buffers()[2]
    content = np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
    offsets = list_offsets(array, np.int64)
    place = np.arange(8)
    inside = place < np.diff(offsets)[:, None]
    prefix = np.zeros((len(array), 8), np.uint8)
    prefix[inside] = content[(offsets[:-1, None] + place)[inside]]
    ranks = (prefix.view(">u8").ravel().astype(np.uint64) ^ np.uint64(1 << 63)).view(np.int64)
    lows, highs = _extremes(ranks, valid, starts)
    return lows.tolist(), highs.tolist()


def _extreme_texts(array: pa.Array) -> Ranked:
    """The same of one part; only two values are looked at as ranks."""
    is_short = pa.types.is_string(array.type) or pa.types.is_binary(array.type)
    found = pc.min_max(array.cast(pa.binary() if is_short else pa.large_binary())).as_py()
    if found["min"] is None:
        return [RANK_MAX], [RANK_MIN]
    return [text_rank(found["min"])], [text_rank(found["max"])]


def _wholes(array: pa.Array, valid: Valid, starts: Starts) -> Ranked:
    """Days, or microseconds rounded down, as `footer` takes them."""
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    values = fixed_values(array, f"i{array.type.bit_width // 8}")
    lows, highs = (some.tolist() for some in _extremes(values, valid, starts))
    unit = getattr(array.type, "unit", "us")
    if pa.types.is_date64(array.type):
        return [low // _DAY_MILLIS for low in lows], [high // _DAY_MILLIS for high in highs]
    if unit == "ns":
        return [low // 1000 for low in lows], [high // 1000 for high in highs]
    factor = _UNIT_MICROS[unit]
    if factor == 1:
        return lows, highs
    return [clipped_rank(low * factor) for low in lows], [clipped_rank(h * factor) for h in highs]
