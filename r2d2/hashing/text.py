"""Strings and binary values: XXH3-128 (Collet), seeded by the column's key."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from r2d2.arrays import UInt64s, array_of
from r2d2.hashing import xxh3
from r2d2.hashing.finaliser import ColumnKey, Lanes

_T = pa.lib
_digest = xxhash.xxh3_128_digest
_FEW = 1024  # values; up to here array operations cost more than a loop
_FEW_OF_A_CLASS = 384  # the same for the values of one class of lengths
_BLOCK = 8192  # values; the words made of them stay in a core's second-level cache
_SAMPLE, _REPEATED = 256, 4  # a dictionary pays where each value occurs so often
_CHANCE = Random(20260401)
# One place in each equal part, no two the same; evenly spaced ones would meet no copy of a table.
_PLACES = np.array([(part + _CHANCE.random()) / _SAMPLE for part in range(_SAMPLE)])
_WIDE_OFFSETS = (_T.Type_LARGE_STRING, _T.Type_LARGE_BINARY)
_ENCODABLE = (_T.Type_STRING, _T.Type_BINARY, *_WIDE_OFFSETS)
VIEWS = (_T.Type_STRING_VIEW, _T.Type_BINARY_VIEW)
TEXT_TYPES = frozenset(
    (_T.Type_STRING, _T.Type_BINARY, _T.Type_FIXED_SIZE_BINARY, *_WIDE_OFFSETS, *VIEWS)
)


def text_lanes(array: pa.Array, key: ColumnKey) -> Lanes:
    """The hashes of the values' bytes; those of NULLs mean nothing."""
    array = _with_offsets(array)
    hashed = _many if len(array) > _FEW else _few
    return hashed(array, key.first)


def repeats_itself(array: pa.Array) -> bool:
    """Whether a dictionary would pay: some values seem drawn from few, as by birthdays."""
    if len(array) <= _SAMPLE or array.type.id not in _ENCODABLE:
        return False
    rows = array_of((_PLACES * len(array)).astype(np.int64), pa.int64())
    shared = _SAMPLE - len(array.take(rows).unique())
    return 2 * shared * len(array) >= _SAMPLE * _SAMPLE * _REPEATED


def _with_offsets(array: pa.Array) -> pa.Array:
    """The same values in a layout that has offsets."""
    type_id = array.type.id
    if type_id in VIEWS:
        wide = pa.large_string() if type_id == _T.Type_STRING_VIEW else pa.large_binary()
        return array.cast(wide)
    if type_id != _T.Type_FIXED_SIZE_BINARY:
        return array
    start, width = array.offset * array.type.byte_width, array.type.byte_width
    offsets = start + width * np.arange(len(array) + 1, dtype=np.int64)
    buffers = [None, pa.py_buffer(offsets), array.buffers()[1]]
    return pa.Array.from_buffers(pa.large_binary(), len(array), buffers, 0)


def _few(array: pa.Array, seed: int) -> Lanes:
    offsets, data = _offsets(array), array.buffers()[2]
    origin = int(offsets[0])
    used = data.slice(origin, int(offsets[-1]) - origin).to_pybytes() if data else b""
    places = (offsets - origin if origin else offsets).tolist()
    return _lanes([_digest(used[start:stop], seed) for start, stop in pairwise(places)])


def _many(array: pa.Array, seed: int) -> Lanes:
    offsets, data = _offsets(array).astype(np.int64), array.buffers()[2]
    data = np.frombuffer(data, np.uint8) if data else np.zeros(1, np.uint8)
    lanes = Lanes(np.empty(len(array), np.uint64), np.empty(len(array), np.uint64))
    for start in range(0, len(array), _BLOCK):
        part = lanes.part(start, start + _BLOCK)
        _hash_block(data, offsets[start : start + len(part) + 1], seed, part)
    return lanes


def _hash_block(data: xxh3.Bytes, offsets: xxh3.Places, seed: int, into: Lanes) -> None:
    """Write the hashes of the values between the offsets."""
    starts, lengths = offsets[:-1], np.diff(offsets)
    classes = xxh3.class_of(lengths)
    for number, count in enumerate(np.bincount(classes).tolist()):
        if not count:
            continue
        rows = np.flatnonzero(classes == number)
        if number == len(xxh3.CLASSES) or count <= _FEW_OF_A_CLASS:
            found = _looped(data, starts.take(rows), lengths.take(rows), seed)
        else:
            found = xxh3.hash_class(number, data, starts.take(rows), lengths.take(rows), seed)
        into.first[rows], into.second[rows] = found.first, found.second


def _looped(data: xxh3.Bytes, starts: xxh3.Places, lengths: xxh3.Places, seed: int) -> Lanes:
    view, ends = data.data, starts + lengths
    places = zip(starts.tolist(), ends.tolist(), strict=True)
    return _lanes([_digest(view[start:stop], seed) for start, stop in places])


def _lanes(digests: Sequence[bytes]) -> Lanes:
    pairs: UInt64s = np.frombuffer(b"".join(digests), ">u8").astype(np.uint64).reshape(-1, 2)
    return Lanes(pairs[:, 1].copy(), pairs[:, 0].copy())


def _offsets(array: pa.Array) -> NDArray[np.signedinteger]:
    item = np.dtype(np.int64 if array.type.id in _WIDE_OFFSETS else np.int32)
    return np.frombuffer(array.buffers()[1], item, len(array) + 1, array.offset * item.itemsize)
