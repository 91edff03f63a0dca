"""Decimals as numbers: integers over powers of ten, brought to lowest terms."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from r2d2.arrays import fixed_values
from r2d2.hashing.finaliser import ColumnKey, Lanes
from r2d2.hashing.words import Exceptions, Words, exceptions_at, word_lanes
from r2d2.kernels.bignumber import python_lanes, without_zeros
from r2d2.kernels.fixed import beyond_one_word, unscaled_words
from r2d2.kernels.forms import DOUBLE, INTEGER, form_key, over_ten_to

Int64s = NDArray[np.int64]

Scales = NDArray[np.int16]
Numerators = Callable[[NDArray[np.intp] | slice, int], Int64s]  # of these rows, at this scale

_SMALL_SCALE = 4  # up to here a table of all endings is small
_STEPS = (16, 8, 4, 2, 1)  # any number of zeros below 32 is a sum of some of these
_LARGEST_POWER_OF_FIVE = 27  # that an int64 holds


def decimal_words(array: pa.Array, key: ColumnKey) -> Words:
    """Decimals as words of their forms."""
    scale, width = array.type.scale, array.type.bit_width
    if width <= 64:
        unscaled = fixed_values(array, f"i{width // 8}").astype(np.int64)
        wide = np.stack((unscaled, unscaled >> 63), axis=1) if scale < 0 else None
    else:
        wide = unscaled_words(array)
        unscaled = np.ascontiguousarray(wide[:, 0])
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
    lanes = word_lanes(_of_scales(scales, lambda rows, _: small[rows], key))
    rest = np.flatnonzero(~fits)
    hashes = python_lanes(wide[rest], scale, key)
    lanes.first[rest], lanes.second[rest] = hashes.first, hashes.second
    return lanes


def _in_lowest_terms(unscaled: Int64s, scale: int, key: ColumnKey) -> Words:
    def integers(rows: NDArray[np.intp] | slice, left: int) -> Int64s:
        # An int64 ends in 18 zeros at most, unless it is 0.
        return unscaled[rows] if left == scale else unscaled[rows] // 10 ** min(scale - left, 18)

    return _of_scales(_scales_left(unscaled, scale), integers, key)


def _scales_left(unscaled: Int64s, scale: int) -> Scales:
    """The scales of the fractions in lowest terms, 0 for integers."""
    if scale <= _SMALL_SCALE:
        endings = unscaled - unscaled // 10**scale * 10**scale
        left: Scales = _scales_of_endings(scale).take(endings)
        return left
    zero = unscaled == 0
    scales = np.full(len(unscaled), scale, np.int16)
    for step in _STEPS:
        if step <= scale:
            shorter = unscaled // 10**step
            ends_in_zeros = (shorter * 10**step == unscaled) & (scales >= step)
            unscaled = np.where(ends_in_zeros, shorter, unscaled)
            scales -= np.int16(step) * ends_in_zeros
    scales[zero] = 0
    return scales


@cache
def _scales_of_endings(scale: int) -> Scales:
    """What is left of the scale, by the number's last `scale` digits."""
    endings = np.arange(10**scale)
    scales = np.zeros(10**scale, np.int16)
    for zeros in range(scale):
        scales += endings % 10 ** (scale - zeros) != 0
    return scales


def _of_scales(scales: Scales, integers: Numerators, key: ColumnKey) -> Words:
    """Words of fractions in lowest terms; the most frequent scale needs no exceptions."""
    counts = np.bincount(scales)
    usual = int(counts.argmax())
    exceptions: tuple[Exceptions, ...] = ()
    for scale in np.flatnonzero(counts).tolist():
        rows = np.flatnonzero(scales == scale)
        if scale != usual:
            exceptions += exceptions_at(rows, integers(rows, scale), _scale_key(key, scale))
        if scale:
            exceptions += _doubles(rows, integers(rows, scale), scale, key)
    return Words(integers(slice(None), usual), _scale_key(key, usual), exceptions)


def _scale_key(key: ColumnKey, scale: int) -> ColumnKey:
    return form_key(key, over_ten_to(scale) if scale else INTEGER)


def _doubles(
    rows: NDArray[np.intp], integers: Int64s, scale: int, key: ColumnKey
) -> tuple[Exceptions, ...]:
    """The fractions that are doubles: five to the scale divides them, and 53 bits hold the rest."""
    if scale > _LARGEST_POWER_OF_FIVE:
        return ()
    binary = integers // 5**scale
    divisible = np.flatnonzero(binary * 5**scale == integers)
    rows, binary = rows[divisible], binary[divisible]
    mantissas = binary.astype(np.float64)
    exact = mantissas.astype(np.int64) == binary
    doubles = np.ldexp(mantissas[exact], -scale)
    return exceptions_at(rows[exact], doubles.view(np.uint64), form_key(key, DOUBLE))
