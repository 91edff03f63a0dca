"""Fixed-width values as one 64-bit word each, by the strict rules of row identity."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from r2d2.arrays import bits, fixed_values
from r2d2.hashing.finaliser import ColumnKey, chain
from r2d2.hashing.words import Words, exceptions_at
from r2d2.kernels.instants import instant_words

_T = pa.lib
_MILLIS_PER_DAY = 86_400_000
_INFINITY_AND_NAN = {
    16: (0x7C00, 0x7E00),
    32: (0x7F80_0000, 0x7FC0_0000),
    64: (0x7FF0_0000_0000_0000, 0x7FF8_0000_0000_0000),
}


def fixed_words(array: pa.Array, key: ColumnKey) -> Words | None:
    """The array's values as words; None where its type is not of fixed width."""
    reader = _READERS.get(array.type.id)
    return reader(array, key) if reader else None


def _integers(dtype: type[np.integer]) -> Callable[[pa.Array, ColumnKey], Words]:
    return lambda array, key: Words(fixed_values(array, dtype), key)


def _booleans(array: pa.Array, key: ColumnKey) -> Words:
    return Words(bits(array.buffers()[1], array.offset, len(array)), key)


def float_bits(array: pa.Array) -> NDArray[np.unsignedinteger]:
    """The bits of floats with one zero and one NaN."""
    width = array.type.bit_width
    raw = fixed_values(array, f"u{width // 8}")
    dtype = raw.dtype.type
    infinity, quiet_nan = (dtype(special) for special in _INFINITY_AND_NAN[width])
    magnitude = raw & dtype((1 << (width - 1)) - 1)
    # One comparison finds both: zero wraps to the largest word, a NaN lies above infinity.
    if not (magnitude - dtype(1) >= infinity).any():
        return raw
    one_nan = np.where(magnitude > infinity, quiet_nan, raw)
    return np.where(magnitude == 0, dtype(0), one_nan)


def _floats(array: pa.Array, key: ColumnKey) -> Words:
    return Words(float_bits(array), key)


def _dates(array: pa.Array, key: ColumnKey) -> Words:
    millis = fixed_values(array, np.int64)
    days = millis // _MILLIS_PER_DAY
    inside_a_day = np.flatnonzero(days * _MILLIS_PER_DAY != millis)
    exceptions = exceptions_at(inside_a_day, millis[inside_a_day], key.child("millisecond"))
    return Words(days, key, exceptions)


def _instants(dtype: type[np.integer]) -> Callable[[pa.Array, ColumnKey], Words]:
    return lambda array, key: instant_words(fixed_values(array, dtype), array.type.unit, key)


def unscaled_words(array: pa.Array) -> NDArray[np.int64]:
    """The unscaled integers of 128- or 256-bit decimals, least word first, rows × words."""
    words = array.type.bit_width // 64
    return fixed_values(array, np.int64, words).reshape(-1, words)


def _wide_decimals(array: pa.Array, key: ColumnKey) -> Words:
    unscaled = unscaled_words(array)
    low = unscaled[:, 0]
    rows = np.flatnonzero(beyond_one_word(unscaled))
    if not len(rows):
        return Words(low, key)
    wide = [unscaled[rows, i] for i in range(unscaled.shape[1])]
    wide += [wide[-1] >> 63] * (4 - len(wide))
    return Words(low, key, ((rows, chain(wide, key.child("256 bits"))),))


def beyond_one_word(unscaled: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows of `unscaled_words` do not fit a signed 64-bit integer."""
    sign = unscaled[:, 0] >> 63
    wide: NDArray[np.bool_] = unscaled[:, 1] != sign
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
