"""XXH3-128 of many short values at once, in NumPy: the hashes of the xxhash package, in less time.

Collet, xxHash, doc/xxhash_spec.md. Values are taken together by the spec's classes of length; each
class mixes a few words of a value, so that a column of them takes a few dozen array operations.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from r2d2.hashing.finaliser import Lanes

LONGEST = 128
"""Longer values take many steps each, and a loop over them costs little beside that."""

_WORD = (1 << 64) - 1
_LOW = 0xFFFFFFFF
_P32_2 = 0x85EBCA77
_P64_1, _P64_2, _P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P64_4 = 0x85EBCA77C2B2AE63
_MX_1, _MX_2 = 0x165667919E3779F9, 0x9FB21C651E98DF25
_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8"
    "fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
)

Places = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Words = NDArray[Any]
"""uint64; the type says Any because NumPy's stubs make int64 of uint64 beside an int."""
Pair = tuple[Words, Words]
_Hash = Callable[[Bytes, Places, Words, int], Pair]


def class_of(lengths: NDArray[np.integer]) -> NDArray[np.uint8]:
    """The class of each length, as a position in `CLASSES`; behind the last, those too long."""
    return _CLASS_OF.take(lengths, mode="clip")


def hash_class(number: int, data: Bytes, starts: Places, lengths: Places, seed: int) -> Lanes:
    """The hashes of values of one class, which begin at `starts` in `data`."""
    low, high = CLASSES[number][1](data, starts, lengths.view(np.uint64), seed)
    return Lanes(low, high)


def _empty(data: Bytes, starts: Places, lengths: Words, seed: int) -> Pair:
    none = np.zeros(len(starts), np.uint64)
    return _avalanche_64(none + _flip(64, 72, seed)), _avalanche_64(none + _flip(80, 88, seed))


def _up_to_3(data: Bytes, starts: Places, lengths: Words, seed: int) -> Pair:
    sizes = lengths.view(np.int64)
    first, middle, last = (
        data[starts + step].astype(np.uint64) for step in (0, sizes >> 1, sizes - 1)
    )
    low = first << 16 | middle << 24 | last | lengths << 8
    swapped = first << 8 | middle | last << 24 | lengths << 16
    high = (swapped << 13 | swapped >> 19) & _LOW
    flips = (_half(0) ^ _half(4)) + seed, (_half(8) ^ _half(12)) - seed
    return _avalanche_64(low ^ flips[0] % 2**64), _avalanche_64(high ^ flips[1] % 2**64)


def _up_to_8(data: Bytes, starts: Places, lengths: Words, seed: int) -> Pair:
    ends = starts + lengths.view(np.int64)
    seed ^= int.from_bytes((seed & _LOW).to_bytes(4, "little"), "big") << 32
    words = _at(data, "<u4", starts).astype(np.uint64)
    words |= _at(data, "<u4", ends - 4).astype(np.uint64) << 32
    flip = (_secret(16) ^ _secret(24)) + seed & _WORD
    low, high = _product(words ^ flip, _P64_1 + (lengths << 2))
    high += low << 1
    low ^= high >> 3
    low = (low ^ low >> 35) * _MX_2
    return low ^ low >> 28, _avalanche(high)


def _up_to_16(data: Bytes, starts: Places, lengths: Words, seed: int) -> Pair:
    ends = starts + lengths.view(np.int64)
    first, last = _at(data, "<u8", starts), _at(data, "<u8", ends - 8)
    flip = (_secret(32) ^ _secret(40)) - seed & _WORD
    low, high = _product(first ^ last ^ flip, _P64_1)
    low += lengths - 1 << 54
    last = last ^ ((_secret(48) ^ _secret(56)) + seed & _WORD)
    high += last + (last & _LOW) * (_P32_2 - 1)
    low ^= high.byteswap()
    mixed, carried = _product(low, _P64_2)
    carried += high * _P64_2
    return _avalanche(mixed), _avalanche(carried)


def _up_to_128(data: Bytes, starts: Places, lengths: Words, seed: int) -> Pair:
    ends = starts + lengths.view(np.int64)
    low, high = lengths * _P64_1, np.zeros(len(lengths), np.uint64)
    steps = (int(lengths[0]) - 1) // 32  # the same for all of a class
    for step in range(steps, -1, -1):
        front = _two_words(data, starts + 16 * step)
        back = _two_words(data, ends - 16 * (step + 1))
        low += _folded(front, 32 * step, seed)
        low ^= back[0] + back[1]
        high += _folded(back, 32 * step + 16, seed)
        high ^= front[0] + front[1]
    mixed = low * _P64_1 + high * _P64_4 + (lengths - seed) * _P64_2
    return _avalanche(low + high), -_avalanche(mixed)


CLASSES: tuple[tuple[int, _Hash], ...] = (
    (0, _empty),
    (3, _up_to_3),
    (8, _up_to_8),
    (16, _up_to_16),
    (32, _up_to_128),
    (64, _up_to_128),
    (96, _up_to_128),
    (LONGEST, _up_to_128),
)
"""The longest values of each class, and how they are hashed."""
_CLASS_OF = np.searchsorted([end for end, _ in CLASSES], np.arange(LONGEST + 2)).astype(np.uint8)


def _folded(words: Pair, place: int, seed: int) -> Words:
    """The product of two words and two of the secret, its halves combined."""
    first = words[0] ^ (_secret(place) + seed & _WORD)
    low, high = _product(first, words[1] ^ (_secret(place + 8) - seed & _WORD))
    low ^= high
    return low


def _product(one: Words, other: Words | int) -> Pair:
    """The 128-bit products of 64-bit words, as their low and high halves."""
    one_low, one_high = one & _LOW, one >> 32
    other_low, other_high = other & _LOW, other >> 32
    carried = one_low * other_low
    carried >>= 32
    carried += one_high * other_low
    crossed = one_low * other_high
    crossed += carried & _LOW
    crossed >>= 32
    crossed += one_high * other_high
    carried >>= 32
    crossed += carried
    return one * other, crossed


def _avalanche(words: Words) -> Words:
    words = (words ^ words >> 37) * _MX_1
    words ^= words >> 32
    return words


def _avalanche_64(words: Words) -> Words:
    words = (words ^ words >> 33) * _P64_2
    words = (words ^ words >> 29) * _P64_3
    words ^= words >> 32
    return words


def _at(data: Bytes, kind: str, places: Places) -> Words:
    """The numbers that begin at any byte, without copying what lies between."""
    words: Words = _overlapping(data, np.dtype(kind))[places]
    return words


def _two_words(data: Bytes, places: Places) -> Pair:
    pairs = _overlapping(data, np.dtype("V16"))[places].view("<u8").reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _overlapping(data: Bytes, kind: "np.dtype[Any]") -> NDArray[Any]:
    count = len(data) - kind.itemsize + 1
    return np.ndarray((count,), kind, data.data, strides=(1,))


def _flip(one: int, other: int, seed: int) -> int:
    return seed ^ _secret(one) ^ _secret(other)


def _secret(place: int) -> int:
    return int.from_bytes(_SECRET[place : place + 8], "little")


def _half(place: int) -> int:
    return int.from_bytes(_SECRET[place : place + 4], "little")
