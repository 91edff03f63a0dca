"""Keys and the two finalisers, by which one 64-bit word becomes one 128-bit hash.

Lane one ends in the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), lane two in that of
MurmurHash3 (Appleby, `fmix64`). Both are bijections, so within a column no two words share a hash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xxhash
from numpy.typing import NDArray

from r2d2.arrays import UInt64s

HASH_VERSION = 1
_BLOCK = 16_384  # words; with its scratch it stays in a core's second-level cache
_SPLITMIX = (30, 0xBF58476D1CE4E5B9, 27, 0x94D049BB133111EB, 31)
_MURMUR = (33, 0xFF51AFD7ED558CCD, 33, 0xC4CEB9FE1A85EC53, 33)
_FIRST, _SECOND = (tuple(np.array(n, np.uint64) for n in steps) for steps in (_SPLITMIX, _MURMUR))


@dataclass(frozen=True, slots=True, eq=False)
class Lanes:
    """128-bit hashes as two C-contiguous arrays of one length; row i's hash is their i-th pair."""

    first: UInt64s
    second: UInt64s

    def __len__(self) -> int:
        """How many hashes there are."""
        return len(self.first)

    def part(self, start: int, stop: int) -> "Lanes":
        """The hashes from `start` up to `stop`, without copying."""
        return Lanes(self.first[start:stop], self.second[start:stop])


@dataclass(frozen=True, slots=True)
class ColumnKey:
    """The key of one column, or of one place inside its nested values; part of every hash there."""

    first: int
    second: int

    def child(self, label: str) -> "ColumnKey":
        """The key of a place inside this one, or of another form of value at this one."""
        return _derived(self, label)

    def null(self, depth: int) -> tuple[int, int]:
        """The hash of NULL where the part of the path at `depth` is the first that is NULL."""
        marker = _derived(self, f"null at {depth}")
        return marker.first, marker.second


@lru_cache(maxsize=1 << 16)
def column_key(name: str, type_tag: str) -> ColumnKey:
    """The key of a column by name and matching type; where case says nothing, fold it first."""
    return _keyed(_utf8(name), _utf8(type_tag))


@lru_cache(maxsize=1 << 16)
def _derived(key: ColumnKey, label: str) -> ColumnKey:
    number = (key.first << 64 | key.second).to_bytes(16, "little")
    return _keyed(number, _utf8(label))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # names from files need not be well-formed


def _keyed(*parts: bytes) -> ColumnKey:
    encoded = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    number = xxhash.xxh3_128_intdigest(encoded, seed=HASH_VERSION)
    return ColumnKey(number >> 64, number & 0xFFFFFFFFFFFFFFFF)


def finish(first: UInt64s, second: UInt64s) -> None:
    """Finalise both lanes in place; a lane may have two dimensions but must be contiguous."""
    scratch = np.empty_like(first)
    _scramble(first, scratch, *_FIRST)
    _scramble(second, scratch, *_SECOND)


def _scramble(
    words: UInt64s,
    scratch: UInt64s,
    shift_1: UInt64s,
    factor_1: UInt64s,
    shift_2: UInt64s,
    factor_2: UInt64s,
    shift_3: UInt64s,
) -> None:
    np.right_shift(words, shift_1, scratch)
    np.bitwise_xor(words, scratch, words)
    np.multiply(words, factor_1, words)
    np.right_shift(words, shift_2, scratch)
    np.bitwise_xor(words, scratch, words)
    np.multiply(words, factor_2, words)
    np.right_shift(words, shift_3, scratch)
    np.bitwise_xor(words, scratch, words)


def finish_all(lanes: Lanes) -> Lanes:
    """The same lanes, finalised in place block by block."""
    for start in range(0, len(lanes), _BLOCK):
        finish(lanes.first[start : start + _BLOCK], lanes.second[start : start + _BLOCK])
    return lanes


def chain(words: Sequence[NDArray[np.integer]], key: ColumnKey) -> Lanes:
    """The hashes of rows of one or more words each; their number is a matter of the key."""
    first = words[0].astype(np.uint64)
    lanes = finish_all(Lanes(first + np.uint64(key.first), first + np.uint64(key.second)))
    for word in words[1:]:
        following = word.astype(np.uint64)
        lanes = finish_all(Lanes(lanes.first + following, lanes.second + following))
    return lanes


def cover(lanes: Lanes, mask: NDArray[np.bool_] | None, hash_: tuple[int, int]) -> None:
    """Write one hash in place over the rows of the mask."""
    if mask is not None:
        rows = np.flatnonzero(mask)  # half the time of np.copyto with a mask, twice
        lanes.first[rows], lanes.second[rows] = hash_


def constant(hash_: tuple[int, int], rows: int) -> Lanes:
    """One hash, for every row."""
    first, second = np.uint64(hash_[0]), np.uint64(hash_[1])
    return Lanes(np.full(rows, first), np.full(rows, second))
