"""Numbers of every type as one, by exact mathematical value (types = widened).

A number takes the first of these forms that holds it, each under a key of its own: a signed 64-bit
integer; an unsigned one; a double; an integer over a power of ten, in lowest terms. So equal
numbers have equal words, whatever their types. Decimals have a module of their own.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from r2d2.arrays import fixed_values
from r2d2.hashing.decimals import DOUBLE, UNSIGNED, decimal_words, form_key
from r2d2.hashing.finaliser import ColumnKey
from r2d2.hashing.words import Words, exceptions_at, float_bits

_T = pa.lib


def number_words(array: pa.Array, key: ColumnKey) -> Words | None:
    """Numbers as words; None where their type holds signed 64-bit integers, or no numbers."""
    reader = _READERS.get(array.type.id)
    return reader(array, key) if reader else None


def _unsigned(array: pa.Array, key: ColumnKey) -> Words:
    values = fixed_values(array, np.uint64)
    large = np.flatnonzero(values.view(np.int64) < 0)
    return Words(values, key, exceptions_at(large, values[large], form_key(key, UNSIGNED)))


def _floats(array: pa.Array, key: ColumnKey) -> Words:
    bits = float_bits(array)
    doubles = bits.view(f"f{bits.itemsize}").astype(np.float64)
    with np.errstate(invalid="ignore"):
        integers = doubles.astype(np.int64)
    whole = (integers == doubles) & (doubles >= -(2.0**63)) & (doubles < 2.0**63)
    large = np.flatnonzero((doubles >= 2.0**63) & (doubles < 2.0**64))
    of_large = exceptions_at(large, doubles[large].astype(np.uint64), form_key(key, UNSIGNED))
    bits, bits_key = doubles.view(np.uint64), form_key(key, DOUBLE)
    if 2 * np.count_nonzero(whole) >= len(whole):
        rows = np.flatnonzero(~whole)
        return Words(integers, key, exceptions_at(rows, bits[rows], bits_key) + of_large)
    rows = np.flatnonzero(whole)
    return Words(bits, bits_key, exceptions_at(rows, integers[rows], key) + of_large)


_READERS: dict[int, Callable[[pa.Array, ColumnKey], Words]] = {
    _T.Type_UINT64: _unsigned,
    _T.Type_HALF_FLOAT: _floats,
    _T.Type_FLOAT: _floats,
    _T.Type_DOUBLE: _floats,
    _T.Type_DECIMAL32: decimal_words,
    _T.Type_DECIMAL64: decimal_words,
    _T.Type_DECIMAL128: decimal_words,
    _T.Type_DECIMAL256: decimal_words,
}
