"""One column of a parent as codes, the ranks of its values: what the predicate search works on.

A column takes part when its type is one whose order and equality every engine shares; times,
durations, lists, half floats, decimals of more than 38 digits, timestamps finer than a microsecond
and texts that are not UTF-8 do not.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.arrays import Bools, Int32s, Int64s, array_of, fixed_values, null_mask, numbers
from r2d2.recipes.grammar import Part, Path
from r2d2.recipes.literals import Literal

FEW_VALUES, ROWS_PER_VALUE = 1000, 4
NULL = np.int32(-1)
SLOTS_PER_ROW = 4
VALUES_PER_ROW = 2
SORTED_ROWS = 1 << 14
LARGE_BYTES = 1 << 30
Codes = Int32s
_STRINGS = (pt.is_string, pt.is_large_string, pt.is_string_view)
_BINARIES = (pt.is_binary, pt.is_large_binary, pt.is_binary_view, pt.is_fixed_size_binary)
_TEXTS = (pa.string(), pa.large_string())
_YEARS = np.datetime64("0001-01-01"), np.datetime64("9999-12-31T23:59:59")
CALENDAR = np.datetime64("1582-10-15"), np.datetime64("9999-12-31T23:59:59")
"""The days that all engines number alike."""


@dataclass(frozen=True, slots=True)
class ComparedWith:
    """The sign of a column's value less another's: -1, 0 or 1."""

    other: Path


Derivation = Part | ComparedWith


class Worth(IntEnum):
    """How likely people are to filter by a column, likeliest first."""

    PARTITION = 0
    TIME = 1
    FEW = 2
    MANY = 3


@dataclass(frozen=True, slots=True, eq=False)
class EncodedColumn:
    """One column: `codes` holds -1 for NULL, a value's rank in `values`, or len(values) for NaN.

    `nameable` tells by rank which values may be named by an atom: not infinities, not years that
    engines read differently, and no zero where the column has -0.0, which Spark's Parquet reader
    takes to lie below 0.0 when it skips row groups by their statistics.
    Where the values are derived of the column at `path`, `derivation` tells how.
    """

    path: Path
    position: int
    array: pa.ChunkedArray
    codes: Codes
    values: pa.Array
    nameable: Bools
    worth: Worth
    has_nulls: bool
    derivation: Derivation | None = None

    def plain(self) -> pa.ChunkedArray:
        """The values by row, without a dictionary."""
        type_ = self.values.type
        return self.array if self.array.type == type_ else self.array.cast(type_)

    def at(self, rows: Int64s) -> "EncodedColumn":
        """The column in these rows, without most of the values that these do not have."""
        codes = self.codes[rows]
        if len(self.values) <= VALUES_PER_ROW * len(rows):
            return replace(self, codes=codes)
        used, places = np.unique(codes, return_inverse=True)
        first = int(used[0] == NULL)
        last = len(used) - int(used[-1] == len(self.values))
        kept = used[first:last]
        values = self.values.take(array_of(kept, pa.int32()))
        ranked = (places - first).astype(np.int32)
        return replace(self, codes=ranked, values=values, nameable=self.nameable[kept])

    def literal(self, code: int) -> Literal:
        """The value of that rank."""
        return Literal.of(self.values[code])

    def neighbour(self, code: int) -> Literal | None:
        """The value of that rank, None where there is none or it cannot be named."""
        inside = 0 <= code < len(self.values) and self.nameable[code]
        return self.literal(code) if inside else None


def encode(
    array: pa.ChunkedArray, path: Path, position: int, is_partition: bool
) -> EncodedColumn | None:
    """The column, None where it cannot take part."""
    type_ = plain_type(array.type)
    if type_ is None:
        return None
    if array.type != type_ and not (array.type in _TEXTS or _is_text_dictionary(array)):
        array = array.cast(type_)
    if pt.is_timestamp(type_) and type_.unit == "ns" and not whole_microseconds(array):
        return None
    values, codes = ranks(array)
    values = values if values.type == type_ else values.cast(type_)
    if pt.is_large_string(type_) and not well_formed(values):
        return None
    worth = Worth.PARTITION if is_partition else _worth(values, len(array))
    if pt.is_floating(type_) and any(map(has_negative_zero, array.chunks)):
        values, codes = _with_neighbours_of_zero(values, codes)
    nameable, has_nulls = _nameable(values, array), array.null_count > 0
    return EncodedColumn(path, position, array, codes, values, nameable, worth, has_nulls)


def only_nulls(array: pa.ChunkedArray, path: Path, position: int) -> EncodedColumn:
    """A column of any type of which no value may be named: all but NULL have the code 0."""
    codes = np.concatenate([
        np.zeros(len(chunk), np.int32) if (nulls := null_mask(chunk)) is None
        else np.where(nulls, NULL, np.int32(0))
        for chunk in array.chunks
    ])  # fmt: skip
    none = array.slice(0, 0).combine_chunks()
    return EncodedColumn(
        path, position, array, codes, none, np.zeros(0, np.bool_), Worth.MANY, True
    )


def _is_text_dictionary(array: pa.ChunkedArray) -> bool:
    """Whether it is a dictionary of texts without NULL: its few values are ranked, not the rows."""
    if not pt.is_dictionary(array.type) or array.type.value_type not in _TEXTS:
        return False
    return not any(chunk.dictionary.null_count for chunk in array.chunks)


@lru_cache(maxsize=256)
def plain_type(type_: pa.DataType) -> pa.DataType | None:
    """The one layout of the type that takes part; None where the type does not."""
    if pt.is_dictionary(type_) or pt.is_run_end_encoded(type_):
        return plain_type(type_.value_type)
    if any(is_string(type_) for is_string in _STRINGS):
        return pa.large_string()
    if pt.is_decimal(type_):
        fits = type_.precision <= 38 and 0 <= type_.scale <= type_.precision
        return pa.decimal128(type_.precision, type_.scale) if fits else None
    if any(is_binary(type_) for is_binary in _BINARIES):
        return pa.large_binary()
    if pt.is_date(type_):
        return pa.date32()
    taking_part = pt.is_integer(type_) or pt.is_boolean(type_) or pt.is_timestamp(type_)
    return type_ if taking_part or pt.is_float32(type_) or pt.is_float64(type_) else None


def whole_microseconds(array: pa.ChunkedArray) -> bool:
    """Whether no instant in nanoseconds lies between two microseconds."""
    return not any(bool((_valid(chunk) % 1000).any()) for chunk in array.chunks)


def _valid(array: pa.Array) -> npt.NDArray[Any]:
    nulls = null_mask(array)
    return numbers(array) if nulls is None else numbers(array)[~nulls]


def well_formed(values: pa.Array) -> bool:
    """Whether texts are UTF-8: some writers do not care."""
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _nameable(values: pa.Array, array: pa.ChunkedArray) -> Bools:
    if pt.is_floating(values.type):
        known, no_zero = numbers(values), any(map(has_negative_zero, array.chunks))
        return np.array(np.isfinite(known) & ~((known == 0) & no_zero), np.bool_)
    if pt.is_date(values.type) or pt.is_timestamp(values.type):
        unit = "D" if pt.is_date(values.type) else values.type.unit
        ticks = numbers(values)
        low, high = (limit.astype(f"datetime64[{unit}]").astype(np.int64) for limit in _YEARS)
        if unit == "ns":
            low, high = np.iinfo(np.int64).min + 1, np.iinfo(np.int64).max  # the least is NaT
        return np.array((low <= ticks) & (ticks <= high), np.bool_)
    return np.ones(len(values), np.bool_)


def _with_neighbours_of_zero(values: pa.Array, codes: Codes) -> tuple[pa.Array, Codes]:
    """With a value below zero and one above that no row has, to bound a range in zero's place."""
    known = numbers(values)
    zero = int(np.searchsorted(known, 0))
    below, above = known[zero - 1 : zero], known[zero + 1 : zero + 2]
    around = [
        near[0] / 2 if len(near) and np.isfinite(near[0]) else known.dtype.type(end)
        for near, end in ((below, -1), (above, 1))
    ]
    if not all(around):
        return values, codes
    widened = np.concatenate([known[:zero], around[:1], known[zero : zero + 1], around[1:],
                              known[zero + 1 :]])  # fmt: skip
    moved = codes + (codes >= zero).astype(np.int32) + (codes > zero).astype(np.int32)
    return array_of(widened.astype(known.dtype), values.type), moved


def has_negative_zero(array: pa.Array) -> bool:
    """Whether one of the floats is -0.0."""
    plain = _valid(array)
    return bool((np.signbit(plain) & (plain == 0)).any())


def _worth(values: pa.Array, rows: int) -> Worth:
    if pt.is_temporal(values.type):
        return Worth.TIME
    few = len(values) <= FEW_VALUES and len(values) * ROWS_PER_VALUE <= rows
    return Worth.FEW if few else Worth.MANY


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
    """The ranks of a dictionary's rows; it may hold a value twice, and values that no row has."""
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
    """The ranks of whole numbers; those of a narrow range by a table of those that occur."""
    ticks, nulls = numbers(whole), null_mask(whole)
    valid = ticks if nulls is None else ticks[~nulls]
    low, high = (int(valid.min()), int(valid.max())) if len(valid) else (0, -1)
    if high < low or high - low > SLOTS_PER_ROW * len(ticks):
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
    if len(whole) <= SORTED_ROWS and not pt.is_floating(whole.type):
        return _ranked(whole)
    encoded = pc.dictionary_encode(whole)
    values, places = _in_order(encoded.dictionary)
    return values, np.append(places, NULL)[_filled(encoded.indices, len(places))]


def _ranked(whole: pa.Array) -> tuple[pa.Array, Codes]:
    """The ranks by sorting all rows: for few, quicker than finding the distinct values first."""
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


def is_of_one_calendar(values: pa.Array) -> bool:
    """Whether all dates are of the calendar that every engine shares, and of years up to 9999."""
    unit = "D" if pt.is_date(values.type) else values.type.unit
    first, last = (end.astype(f"datetime64[{unit}]").astype(np.int64) for end in CALENDAR)
    ticks = numbers(values)
    last = np.iinfo(np.int64).max if unit == "ns" else last
    return bool(len(ticks)) and bool(first <= ticks[0]) and bool(ticks[-1] <= last)
