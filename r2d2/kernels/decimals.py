"""Decimals as numbers: integers over powers of ten, brought to lowest terms."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from r2d2.kernels.arrays import fixed_values
from r2d2.kernels.bignumber import python_lanes, without_zeros
from r2d2.kernels.fixed import beyond_one_word, unscaled_words
from r2d2.kernels.forms import DOUBLE, INTEGER, form_key, over_ten_to
from r2d2.kernels.mix import ColumnKey, Lanes
from r2d2.kernels.words import Exceptions, Words, exceptions_at, word_lanes

Int64s = NDArray[np.int64]

_STEPS = (16, 8, 4, 2, 1)  # any number of zeros below 32 is a sum of some of these
_POWERS_OF_FIVE = np.array([5**power for power in range(28)], np.int64)  # all an int64 holds


def decimal_words(array: pa.Array, key: ColumnKey) -> Words:
    """Decimals as words of their forms."""
    scale, width = array.type.scale, array.type.bit_width
    if width <= 64:
        unscaled = fixed_values(array, f"i{width // 8}").astype(np.int64)
        wide = np.stack((unscaled, unscaled >> 63), axis=1) if scale < 0 else None
    else:
        wide = unscaled_words(array)
        unscaled = wide[:, 0]
    words = _in_lowest_terms(unscaled, max(0, scale), key)
    if wide is None:
        return words
    rows = np.flatnonzero(beyond_one_word(wide)) if scale >= 0 else np.arange(len(wide))
    big = ((rows, _big_lanes(wide[rows], scale, key)),) if len(rows) else ()
    return replace(words, exceptions=words.exceptions + big)


def _big_lanes(wide: Int64s, scale: int, key: ColumnKey) -> Lanes:
    """The hashes of decimals of two or four words; where zeros end them, one may do."""
    if scale < 0:
        return python_lanes(wide, scale, key)
    small, scales, fits = without_zeros(wide, scale)
    lanes = word_lanes(_of_scales(small, scales, key))
    rest = np.flatnonzero(~fits)
    hashes = python_lanes(wide[rest], scale, key)
    lanes.first[rest], lanes.second[rest] = hashes.first, hashes.second
    return lanes


def _in_lowest_terms(unscaled: Int64s, scale: int, key: ColumnKey) -> Words:
    scales = np.full(len(unscaled), scale, np.int8)
    for step in _STEPS:
        if step <= scale:
            shorter = unscaled // 10**step
            ends_in_zeros = (shorter * 10**step == unscaled) & (scales >= step)
            unscaled = np.where(ends_in_zeros, shorter, unscaled)
            scales -= np.int8(step) * ends_in_zeros
    return _of_scales(unscaled, np.where(unscaled == 0, np.int8(0), scales), key)


def _of_scales(integers: Int64s, scales: NDArray[np.int8], key: ColumnKey) -> Words:
    """Words of fractions in lowest terms; the most frequent scale needs no exceptions."""
    counts = np.bincount(scales)
    usual = int(counts.argmax())
    exceptions: tuple[Exceptions, ...] = ()
    for scale in np.flatnonzero(counts).tolist():
        if scale != usual:
            rows = np.flatnonzero(scales == scale)
            exceptions += exceptions_at(rows, integers[rows], _scale_key(key, scale))
    if len(counts) > 1:
        exceptions += _doubles(integers, scales, key)  # last: they are of a scale, too
    return Words(integers, _scale_key(key, usual), exceptions)


def _scale_key(key: ColumnKey, scale: int) -> ColumnKey:
    return form_key(key, over_ten_to(scale) if scale else INTEGER)


def _doubles(
    integers: Int64s, scales: NDArray[np.int8], key: ColumnKey
) -> tuple[Exceptions, ...]:
    """The fractions that are doubles: five to the scale divides them, and 53 bits hold the rest."""
    rows = np.flatnonzero((scales > 0) & (scales < len(_POWERS_OF_FIVE)) & (integers % 5 == 0))
    powers = _POWERS_OF_FIVE[scales[rows]]
    halves = integers[rows] // powers
    mantissas = halves.astype(np.float64)
    exact = (halves * powers == integers[rows]) & (mantissas.astype(np.int64) == halves)
    rows, doubles = rows[exact], np.ldexp(mantissas[exact], -scales[rows[exact]].astype(np.int32))
    return exceptions_at(rows, doubles.view(np.uint64), form_key(key, DOUBLE))
