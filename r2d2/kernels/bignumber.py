"""Decimals beyond 64 bits: zeros off their ends by long division, the rest in Python's integers."""

from collections import defaultdict
from fractions import Fraction

import numpy as np
import xxhash
from numpy.typing import NDArray

from r2d2.hashing.finaliser import ColumnKey, Lanes, UInt64s, chain
from r2d2.kernels.forms import DOUBLE, INTEGER, UNSIGNED, form_key, over_ten_to

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFF_FFFF)


def without_zeros(
    wide: NDArray[np.int64], scale: int
) -> tuple[NDArray[np.int64], NDArray[np.int16], NDArray[np.bool_]]:
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


def _limbs_of_magnitude(wide: NDArray[np.int64]) -> list[UInt64s]:
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


def python_lanes(wide: NDArray[np.int64], scale: int, key: ColumnKey) -> Lanes:
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
