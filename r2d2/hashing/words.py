"""A column as one 64-bit word a row, still to be finalised: what all types of fixed width come to.

By the strict rules of row identity. Timestamps, times and durations of any unit are equal where
they are the same instant: whole microseconds in 64 bits are the usual form. Others, each under a
key of its own: nanoseconds that are no whole microseconds; milliseconds, or else seconds, where
microseconds overflow.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from r2d2.arrays import Bools, Int64s, Positions, bits, fixed_values
from r2d2.hashing.finaliser import ColumnKey, Lanes, chain, cover

Exceptions = tuple[Positions, Lanes]  # ascending row numbers, and their hashes
ConstantRows = tuple[Bools, tuple[int, int]]  # some rows, and the hash that they all have
_T = pa.lib
_MILLIS_PER_DAY = 86_400_000
_INFINITY_AND_NAN = {
    16: (0x7C00, 0x7E00),
    32: (0x7F80_0000, 0x7FC0_0000),
    64: (0x7FF0_0000_0000_0000, 0x7FF8_0000_0000_0000),
}
_LARGEST_INT64 = 2**63 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A column's values as integers with their key, and the rows whose hash is known otherwise.

    `values` has any integer type and stride; it is sign- or zero-extended to 64 bits.
    `exceptions` are written first, then `masks` in their order.
    """

    values: NDArray[np.integer]
    key: ColumnKey
    exceptions: tuple[Exceptions, ...] = ()
    masks: tuple[ConstantRows, ...] = ()

    def amend(self, lanes: Lanes, start: int) -> None:
        """Write in place what finalising the words from row `start` on did not yield."""
        stop = start + len(lanes)
        whole = len(lanes) == len(self.values)
        for rows, hashes in self.exceptions:
            if whole:
                lanes.first[rows], lanes.second[rows] = hashes.first, hashes.second
                continue
            low, high = np.searchsorted(rows, (start, stop))
            lanes.first[rows[low:high] - start] = hashes.first[low:high]
            lanes.second[rows[low:high] - start] = hashes.second[low:high]
        for mask, marker in self.masks:
            cover(lanes, mask[start:stop], marker)


def word_lanes(words: Words) -> Lanes:
    """The hashes of a column's words."""
    lanes = chain((words.values,), words.key)
    words.amend(lanes, 0)
    return lanes


def exceptions_at(
    rows: Positions, values: NDArray[np.integer], key: ColumnKey
) -> tuple[Exceptions, ...]:
    """Rows of these values as exceptions under another key; () where there are none."""
    return ((rows, chain((values,), key)),) if len(rows) else ()


def fixed_words(array: pa.Array, key: ColumnKey) -> Words | None:
    """The array's values as words; None where its type is not of fixed width."""
    reader = _READERS.get(array.type.id)
    return reader(array, key) if reader else None


def _integers(dtype: type[np.integer]) -> Callable[[pa.Array, ColumnKey], Words]:
    return lambda array, key: Words(fixed_values(array, dtype), key)


def _booleans(array: pa.Array, key: ColumnKey) -> Words:
    return Words(bits(array.buffers()[1], array.offset, len(array)), key)


def _floats(array: pa.Array, key: ColumnKey) -> Words:
    return Words(float_bits(array), key)


def float_bits(array: pa.Array) -> NDArray[np.unsignedinteger]:
    """The bits of floats with one zero and one NaN."""
    width = array.type.bit_width
    raw = fixed_values(array, f"u{width // 8}")
    dtype = raw.dtype.type
    infinity, quiet_nan = (dtype(special) for special in _INFINITY_AND_NAN[width])
    sign = dtype(1 << (width - 1))
    # Zeros are frequent and mostly right as they are: only negative ones are looked for.
    others = (raw & ~sign) > infinity
    others |= raw == sign
    if not others.any():
        return raw
    rows = np.flatnonzero(others)
    one_of_each = raw.copy()
    one_of_each[rows] = np.where(raw[rows] == sign, dtype(0), quiet_nan)
    return one_of_each


def _dates(array: pa.Array, key: ColumnKey) -> Words:
    millis = fixed_values(array, np.int64)
    days = millis // _MILLIS_PER_DAY
    inside_a_day = np.flatnonzero(days * _MILLIS_PER_DAY != millis)
    exceptions = exceptions_at(inside_a_day, millis[inside_a_day], key.child("millisecond"))
    return Words(days, key, exceptions)


def _wide_decimals(array: pa.Array, key: ColumnKey) -> Words:
    unscaled = unscaled_words(array)
    low = unscaled[:, 0]
    rows = np.flatnonzero(beyond_one_word(unscaled))
    if not len(rows):
        return Words(low, key)
    wide = [unscaled[rows, i] for i in range(unscaled.shape[1])]
    wide += [wide[-1] >> 63] * (4 - len(wide))
    return Words(low, key, ((rows, chain(wide, key.child("256 bits"))),))


def unscaled_words(array: pa.Array) -> Int64s:
    """The unscaled integers of 128- or 256-bit decimals, least word first, rows × words."""
    words = array.type.bit_width // 64
    return fixed_values(array, np.int64, words).reshape(-1, words)


def beyond_one_word(unscaled: Int64s) -> Bools:
    """Whether each row of `unscaled_words` lies outside signed 64-bit integers."""
    sign = unscaled[:, 0] >> 63
    wide: Bools = unscaled[:, 1] != sign
    for i in range(2, unscaled.shape[1]):
        wide |= unscaled[:, i] != sign
    return wide


def _instants(dtype: type[np.integer]) -> Callable[[pa.Array, ColumnKey], Words]:
    return lambda array, key: instant_words(fixed_values(array, dtype), array.type.unit, key)


def instant_words(values: NDArray[np.integer], unit: str, key: ColumnKey) -> Words:
    """Counts of a unit since an epoch as words."""
    if unit == "us":
        return Words(values, key)
    if unit == "ns":
        return _of_nanoseconds(values, key)
    wide = values.astype(np.int64)
    if unit == "ms":
        micros, beyond = _multiplied(wide, 1_000)
        return Words(micros, key, exceptions_at(beyond, wide[beyond], key.child("millisecond")))
    micros, beyond = _multiplied(wide, 1_000_000)
    if not len(beyond):
        return Words(micros, key)
    millis, farther = _multiplied(wide, 1_000)
    forms = exceptions_at(beyond, millis[beyond], key.child("millisecond"))
    return Words(micros, key, forms + exceptions_at(farther, wide[farther], key.child("second")))


def _of_nanoseconds(nanos: NDArray[np.integer], key: ColumnKey) -> Words:
    micros = nanos // 1_000
    whole = micros * 1_000 == nanos
    if 2 * np.count_nonzero(whole) >= len(whole):
        fine = np.flatnonzero(~whole)
        return Words(micros, key, exceptions_at(fine, nanos[fine], key.child("nanosecond")))
    coarse = np.flatnonzero(whole)
    return Words(nanos, key.child("nanosecond"), exceptions_at(coarse, micros[coarse], key))


def _multiplied(values: Int64s, factor: int) -> tuple[Int64s, Positions]:
    """The products, and the rows where they overflow."""
    limit = _LARGEST_INT64 // factor
    overflowing = (values > limit) | (values < -limit)
    return values * factor, np.flatnonzero(overflowing)


_READERS: dict[int, Callable[[pa.Array, ColumnKey], Words]] = {
    _T.Type_BOOL: _booleans,
    _T.Type_INT8: _integers(np.int8),
    _T.Type_INT16: _integers(np.int16),
    _T.Type_INT32: _integers(np.int32),
    _T.Type_INT64: _integers(np.int64),
    _T.Type_UINT8: _integers(np.uint8),
    _T.Type_UINT16: _integers(np.uint16),
    _T.Type_UINT32: _integers(np.uint32),
    _T.Type_UINT64: _integers(np.uint64),
    _T.Type_HALF_FLOAT: _floats,
    _T.Type_FLOAT: _floats,
    _T.Type_DOUBLE: _floats,
    _T.Type_DATE32: _integers(np.int32),
    _T.Type_DATE64: _dates,
    _T.Type_TIME32: _instants(np.int32),
    _T.Type_TIME64: _instants(np.int64),
    _T.Type_TIMESTAMP: _instants(np.int64),
    _T.Type_DURATION: _instants(np.int64),
    _T.Type_DECIMAL32: _integers(np.int32),
    _T.Type_DECIMAL64: _integers(np.int64),
    _T.Type_DECIMAL128: _wide_decimals,
    _T.Type_DECIMAL256: _wide_decimals,
}
