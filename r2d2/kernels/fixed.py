"""Fixed-width values as one 64-bit word each, by the strict rules of row identity."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from r2d2.kernels.arrays import bits, fixed_values
from r2d2.kernels.mix import ColumnKey, Lanes, chain, finish_all

_T = pa.lib
_MILLIS_PER_DAY = 86_400_000
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A column as integers, one a row, and the rows whose value takes more than a word.

    `values` has any integer type and stride; it is sign- or zero-extended to 64 bits.
    `exceptions` are pairs of ascending row numbers and these rows' hashes.
    """

    values: NDArray[np.integer]
    exceptions: tuple[tuple[NDArray[np.intp], Lanes], ...] = ()


def fixed_words(array: pa.Array, key: ColumnKey) -> Words | None:
    """The array's values as words; None where its type is not of fixed width."""
    reader = _READERS.get(array.type.id)
    return reader(array, key) if reader else None


def word_lanes(words: Words, key: ColumnKey) -> Lanes:
    """The hashes of the words."""
    lanes = chain((words.values,), key)
    for rows, hashes in words.exceptions:
        lanes.first[rows] = hashes.first
        lanes.second[rows] = hashes.second
    return lanes


def _integers(dtype: type[np.integer]) -> Callable[[pa.Array, ColumnKey], Words]:
    return lambda array, key: Words(fixed_values(array, dtype))


def _booleans(array: pa.Array, key: ColumnKey) -> Words:
    return Words(bits(array.buffers()[1], array.offset, len(array)))


def float_bits(array: pa.Array) -> NDArray[np.unsignedinteger]:
    """The bits of floats with one zero and one NaN."""
    width = array.type.bit_width
    raw = fixed_values(array, f"u{width // 8}")
    infinity = {16: 0x7C00, 32: 0x7F80_0000, 64: 0x7FF0_0000_0000_0000}[width]
    dtype = raw.dtype.type
    magnitude = raw & dtype((1 << (width - 1)) - 1)
    # One comparison finds both: zero wraps to the largest word, a NaN lies above infinity.
    if not (magnitude - dtype(1) >= dtype(infinity)).any():
        return raw
    one_nan = np.where(magnitude > dtype(infinity), dtype(infinity | 1), raw)
    return np.where(magnitude == 0, dtype(0), one_nan)


def _floats(array: pa.Array, key: ColumnKey) -> Words:
    return Words(float_bits(array))


def _dates(array: pa.Array, key: ColumnKey) -> Words:
    millis = fixed_values(array, np.int64)
    days = millis // _MILLIS_PER_DAY
    rows = np.flatnonzero(days * _MILLIS_PER_DAY != millis)
    if not len(rows):
        return Words(days)
    parts = (days[rows], millis[rows] % _MILLIS_PER_DAY)
    return Words(days, ((rows, chain(parts, key.child("day and millisecond"))),))


def _instants(dtype: type[np.integer]) -> Callable[[pa.Array, ColumnKey], Words]:
    return lambda array, key: instant_words(fixed_values(array, dtype), array.type.unit, key)


def instant_words(values: NDArray[np.integer], unit: str, key: ColumnKey) -> Words:
    """Instants, times or durations in microseconds; those no int64 of them holds are exceptions."""
    if unit == "us":
        return Words(values)
    per_second = _PER_SECOND[unit]
    if unit == "ns":
        micros = values // 1_000
        rows = np.flatnonzero(micros * 1_000 != values)
    else:
        factor = 1_000_000 // per_second
        limit = (2**63 - 1) // factor
        micros = values.astype(np.int64) * factor
        rows = np.flatnonzero((values.astype(np.int64) + limit).view(np.uint64) > 2 * limit)
    if not len(rows):
        return Words(micros)
    seconds, rest = np.divmod(values[rows].astype(np.int64), per_second)
    parts = (seconds, rest * (1_000_000_000 // per_second))
    return Words(micros, ((rows, chain(parts, key.child("second and nanosecond"))),))


def unscaled_words(array: pa.Array) -> NDArray[np.int64]:
    """The unscaled integers of 128- or 256-bit decimals, least word first, rows × words."""
    words = array.type.bit_width // 64
    return fixed_values(array, np.int64, words).reshape(-1, words)


def _wide_decimals(array: pa.Array, key: ColumnKey) -> Words:
    unscaled = unscaled_words(array)
    low = unscaled[:, 0]
    rows = np.flatnonzero(beyond_one_word(unscaled))
    if not len(rows):
        return Words(low)
    wide = [unscaled[rows, i] for i in range(unscaled.shape[1])]
    wide += [wide[-1] >> 63] * (4 - len(wide))
    return Words(low, ((rows, chain(wide, key.child("256 bits"))),))


def beyond_one_word(unscaled: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows of `unscaled_words` do not fit a signed 64-bit integer."""
    sign = unscaled[:, 0] >> 63
    wide = unscaled[:, 1] != sign
    for i in range(2, unscaled.shape[1]):
        wide |= unscaled[:, i] != sign
    return wide


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
