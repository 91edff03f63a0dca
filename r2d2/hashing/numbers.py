"""Numbers of every type as one, by exact mathematical value (types = widened).

A number takes the first of these forms that holds it, each under a key of its own: a signed 64-bit
integer; an unsigned one; a double; an integer over a power of ten, in lowest terms. So equal
numbers have equal words, whatever their types. Of decimals beyond 64 bits, zeros at their ends are
dropped by long division; what then does not fit is left to Python's integers.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from r2d2.arrays import Bools, Int64s, Positions, UInt64s, fixed_values
from r2d2.hashing.finaliser import ColumnKey, Lanes, chain
from r2d2.hashing.words import (
    Exceptions,
    Words,
    beyond_one_word,
    exceptions_at,
    float_bits,
    unscaled_words,
    word_lanes,
)

Scales = NDArray[np.int16]
IntegersAtScale = Callable[[Positions | slice, int], Int64s]  # of these rows, at this scale
_SMALL_SCALE = 4  # up to here a table of all endings is small
_STEPS = (16, 8, 4, 2, 1)  # any number of zeros below 32 is a sum of some of these
_LARGEST_POWER_OF_FIVE = 27  # that an int64 holds
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFF_FFFF)
INTEGER = ""  # a signed 64-bit integer
UNSIGNED = "unsigned"  # an integer from 2⁶³ up to 2⁶⁴ - 1
DOUBLE = "double"  # the bits of a double, for what is neither
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
    def integers(rows: Positions | slice, left: int) -> Int64s:
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
    """The scale in lowest terms, by the number's last `scale` digits."""
    endings = np.arange(10**scale)
    scales = np.zeros(10**scale, np.int16)
    for zeros in range(scale):
        scales += endings % 10 ** (scale - zeros) != 0
    return scales


def _of_scales(scales: Scales, integers: IntegersAtScale, key: ColumnKey) -> Words:
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


def _doubles(
    rows: Positions, integers: Int64s, scale: int, key: ColumnKey
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


def without_zeros(wide: Int64s, scale: int) -> tuple[Int64s, NDArray[np.int16], Bools]:
    """The integers without the zeros a scale allows to drop, the scales left, and which fit a word.

    `wide` is rows × words, least first. What does not fit is 0 over ten to 0 here.
    """
    limbs, scales = _limbs_of_magnitude(wide), np.full(len(wide), scale, np.int16)
    for step in (*[9] * (scale // 9), 4, 2, 1, 1):  # ten to the ninth still fits 32 bits
        shorter, remainder = _divided(limbs, 10**step)
        drop = (remainder == 0) & (scales >= step)
        limbs = [np.where(drop, new, old) for new, old in zip(shorter, limbs, strict=True)]
        scales -= np.int16(step) * drop
    fits = (limbs[1] >> np.uint64(31)) == 0
    for limb in limbs[2:]:
        fits &= limb == 0
    magnitude = ((limbs[1] << _HALF) | limbs[0]).view(np.int64)
    signed = np.where(wide[:, -1] < 0, -magnitude, magnitude)
    return np.where(fits, signed, 0), np.where(fits, scales, np.int16(0)), fits


def _limbs_of_magnitude(wide: Int64s) -> list[UInt64s]:
    """The absolute values as 32-bit digits, least first."""
    flip = wide[:, -1] >> 63  # all ones where negative: -n is ~n + 1
    carry = (flip & 1).view(np.uint64)
    limbs = []
    for word in ((wide[:, i] ^ flip).view(np.uint64) for i in range(wide.shape[1])):
        for half in (word & _LOW, word >> _HALF):
            total = half + carry
            limbs.append(total & _LOW)
            carry = total >> _HALF
    return limbs


def _divided(limbs: list[UInt64s], divisor: int) -> tuple[list[UInt64s], UInt64s]:
    quotients, remainder = [], np.zeros_like(limbs[0])
    for limb in reversed(limbs):
        partial = (remainder << _HALF) | limb
        quotient = partial // np.uint64(divisor)
        remainder = partial - quotient * np.uint64(divisor)
        quotients.append(quotient)
    return quotients[::-1], remainder


def python_lanes(wide: Int64s, scale: int, key: ColumnKey) -> Lanes:
    """The hashes of decimals, one Python integer at a time."""
    first, second = np.empty(len(wide), np.uint64), np.empty(len(wide), np.uint64)
    of_form: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for row, words in enumerate(wide.tolist()):
        unscaled = sum((word % 2**64) << (64 * i) for i, word in enumerate(words[:-1]))
        form, number = form_of(unscaled + (words[-1] << 64 * (len(words) - 1)), scale)
        if _is_one_word(form, number):
            of_form[form][0].append(row)
            of_form[form][1].append(number % 2**64)
        else:
            digest = _of_many_words(number, form_key(key, form))
            first[row], second[row] = digest >> 64, digest & 0xFFFF_FFFF_FFFF_FFFF
    for form, (rows, numbers) in of_form.items():
        hashes = chain((np.array(numbers, np.uint64),), form_key(key, form))
        first[rows], second[rows] = hashes.first, hashes.second
    return Lanes(first, second)


def _is_one_word(form: str, number: int) -> bool:
    """Whether 64 bits hold the number, which has a sign but where its form says otherwise."""
    return form in (UNSIGNED, DOUBLE) or -(2**63) <= number < 2**63


def _of_many_words(number: int, key: ColumnKey) -> int:
    encoded = number.to_bytes((number.bit_length() + 8) // 8, "little", signed=True)
    return xxhash.xxh3_128_intdigest(encoded, seed=key.first)


def form_of(unscaled: int, scale: int) -> tuple[str, int]:
    """The form of the number unscaled / 10^scale, and the integer that stands for it there."""
    if scale < 0:
        unscaled, scale = unscaled * 10**-scale, 0
    while scale and unscaled % 10 == 0:
        unscaled, scale = unscaled // 10, scale - 1
    if scale == 0 and -(2**63) <= unscaled < 2**63:
        return INTEGER, unscaled
    if scale == 0 and 0 < unscaled < 2**64:
        return UNSIGNED, unscaled
    exact = Fraction(unscaled, 10**scale)
    try:
        double = unscaled / 10**scale
    except OverflowError:
        return over_ten_to(scale), unscaled
    if Fraction(double) == exact:
        return DOUBLE, int(np.float64(double).view(np.uint64))
    return over_ten_to(scale), unscaled


def over_ten_to(scale: int) -> str:
    """The form of an integer over ten to this power; only at power 0 may it end in zeros."""
    return f"over ten to {scale}"


def form_key(key: ColumnKey, form: str) -> ColumnKey:
    """The key of numbers of this form."""
    return key.child(form) if form else key


def _scale_key(key: ColumnKey, scale: int) -> ColumnKey:
    return form_key(key, over_ten_to(scale) if scale else INTEGER)


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
