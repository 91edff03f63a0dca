"""The hash of every value of an array, whatever its type and layout.

Values of fixed width become words. Text and binary values are hashed by XXH3-128 (Collet), seeded
by the column's key. The hash of a list, map or struct is a sum over the hashes inside it, each
keyed by its place.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from random import Random

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from r2d2.arrays import UInt64s, array_of, fixed_values, list_offsets, list_sizes, null_mask, plain
from r2d2.errors import IneligibleTableError
from r2d2.hashing import xxh3
from r2d2.hashing.finaliser import ColumnKey, Lanes, chain, constant, cover, finish_all
from r2d2.hashing.numbers import number_words
from r2d2.hashing.words import Words, fixed_words, word_lanes
from r2d2.model import Types

_T = pa.lib
_NESTED_BLOCK = 32_768  # rows; the hashes of their items stay in the cache: half the time
Hasher = Callable[[pa.Array, ColumnKey], Lanes]
_STEP_FIRST = np.uint64(0x9E37_79B9_7F4A_7C15)  # odd, so that all positions differ
_STEP_SECOND = np.uint64(0xC2B2_AE3D_27D4_EB4F)
_digest = xxhash.xxh3_128_digest
_LOOP_VALUES = 1024  # values; up to here array operations cost more than a loop
_LOOP_VALUES_OF_A_CLASS = 384  # the same for the values of one class of lengths
_TEXT_BLOCK = 8192  # values; the words made of them stay in a core's second-level cache
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


def array_lanes(array: pa.Array, key: ColumnKey, types: Types) -> Lanes:
    """The hashes of the array's values."""
    return finished(array_hashes(array, key, types))


def array_hashes(array: pa.Array, key: ColumnKey, types: Types, depth: int = 0) -> Words | Lanes:
    """The values as words where the type allows, else as hashes; NULLs are told by depth."""
    array = plain(array)
    type_id = array.type.id
    if len(array) == 0 or type_id == _T.Type_NA:
        return constant(key.null(depth), len(array))
    if words := _fixed_width(array, key, types):
        mask = null_mask(array)
        return words if mask is None else replace(words, masks=((mask, key.null(depth)),))
    if repeats_itself(array):
        lanes = _dictionary_lanes(array.dictionary_encode(), key, types, depth)
    elif type_id == _T.Type_DICTIONARY:
        lanes = _dictionary_lanes(array, key, types, depth)
    elif type_id in TEXT_TYPES:
        lanes = text_lanes(array, key)
    elif nested := _NESTED.get(type_id):
        lanes = _in_blocks(
            array, partial(nested, key=key, hash_values=partial(array_lanes, types=types))
        )
    else:
        raise IneligibleTableError(f"values of type {array.type} have no row identity")
    cover(lanes, null_mask(array), key.null(depth))
    return lanes


def _fixed_width(array: pa.Array, key: ColumnKey, types: Types) -> Words | None:
    if types is Types.WIDENED and (words := number_words(array, key)):
        return words
    return fixed_words(array, key)


def finished(hashes: Words | Lanes) -> Lanes:
    """The hashes, finalised where they are words still."""
    return word_lanes(hashes) if isinstance(hashes, Words) else hashes


def _dictionary_lanes(array: pa.Array, key: ColumnKey, types: Types, depth: int) -> Lanes:
    if len(array.dictionary) > len(array) and array.dictionary.type.id not in VIEWS:
        array = array.dictionary_decode()
        return finished(array_hashes(array, key, types, depth))
    distinct = finished(array_hashes(array.dictionary, key, types, depth))
    if not len(distinct):
        return constant(key.null(depth), len(array))
    # What lies under a NULL may point anywhere.
    indices = fixed_values(array.indices, array.indices.type.to_pandas_dtype())
    return Lanes(*(lane.take(indices, mode="clip") for lane in (distinct.first, distinct.second)))


def repeats_itself(array: pa.Array) -> bool:
    """Whether a dictionary would pay: some values seem drawn from few, as by birthdays."""
    if len(array) <= _SAMPLE or array.type.id not in _ENCODABLE:
        return False
    rows = array_of((_PLACES * len(array)).astype(np.int64), pa.int64())
    shared = _SAMPLE - len(array.take(rows).unique())
    return 2 * shared * len(array) >= _SAMPLE * _SAMPLE * _REPEATED


def text_lanes(array: pa.Array, key: ColumnKey) -> Lanes:
    """The hashes of the values' bytes; those of NULLs mean nothing."""
    array = _with_offsets(array)
    hashed = _by_class_of_length if len(array) > _LOOP_VALUES else _by_loop
    return hashed(array, key.first)


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


def _by_loop(array: pa.Array, seed: int) -> Lanes:
    offsets, data = _text_offsets(array), array.buffers()[2]
    origin = int(offsets[0])
    used = data.slice(origin, int(offsets[-1]) - origin).to_pybytes() if data else b""
    places = (offsets - origin if origin else offsets).tolist()
    return _lanes_of_digests([_digest(used[start:stop], seed) for start, stop in pairwise(places)])


def _by_class_of_length(array: pa.Array, seed: int) -> Lanes:
    offsets, data = _text_offsets(array).astype(np.int64), array.buffers()[2]
    data = np.frombuffer(data, np.uint8) if data else np.zeros(1, np.uint8)
    lanes = Lanes(np.empty(len(array), np.uint64), np.empty(len(array), np.uint64))
    for start in range(0, len(array), _TEXT_BLOCK):
        part = lanes.part(start, start + _TEXT_BLOCK)
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
        if number == len(xxh3.CLASSES) or count <= _LOOP_VALUES_OF_A_CLASS:
            found = _by_loop_at(data, starts.take(rows), lengths.take(rows), seed)
        else:
            found = xxh3.hash_class(number, data, starts.take(rows), lengths.take(rows), seed)
        into.first[rows], into.second[rows] = found.first, found.second


def _by_loop_at(data: xxh3.Bytes, starts: xxh3.Places, lengths: xxh3.Places, seed: int) -> Lanes:
    view, ends = data.data, starts + lengths
    places = zip(starts.tolist(), ends.tolist(), strict=True)
    return _lanes_of_digests([_digest(view[start:stop], seed) for start, stop in places])


def _lanes_of_digests(digests: Sequence[bytes]) -> Lanes:
    pairs: UInt64s = np.frombuffer(b"".join(digests), ">u8").astype(np.uint64).reshape(-1, 2)
    return Lanes(pairs[:, 1].copy(), pairs[:, 0].copy())


def _text_offsets(array: pa.Array) -> NDArray[np.signedinteger]:
    item = np.dtype(np.int64 if array.type.id in _WIDE_OFFSETS else np.int32)
    return np.frombuffer(array.buffers()[1], item, len(array) + 1, array.offset * item.itemsize)


def _in_blocks(array: pa.Array, hash_block: Callable[[pa.Array], Lanes]) -> Lanes:
    if len(array) <= _NESTED_BLOCK:
        return hash_block(array)
    starts = range(0, len(array), _NESTED_BLOCK)
    blocks = [hash_block(array.slice(start, _NESTED_BLOCK)) for start in starts]
    return Lanes(
        np.concatenate([block.first for block in blocks]),
        np.concatenate([block.second for block in blocks]),
    )


def list_lanes(array: pa.Array, key: ColumnKey, hash_values: Hasher) -> Lanes:
    """The hashes of lists: each item with its position, and the length."""
    offsets = _offsets(array)
    items = array.values.slice(offsets[0], offsets[-1] - offsets[0])
    return _of_items(hash_values(items, key.child("item")), offsets, key)


def list_view_lanes(array: pa.Array, key: ColumnKey, hash_values: Hasher) -> Lanes:
    """The hashes of lists whose items lie anywhere, in the order of their rows or not."""
    sizes = list_sizes(array, np.int64 if array.type.id == _T.Type_LARGE_LIST_VIEW else np.int32)
    offsets = np.zeros(len(array) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return _of_items(hash_values(array.flatten(), key.child("item")), offsets, key)


def map_lanes(array: pa.Array, key: ColumnKey, hash_values: Hasher) -> Lanes:
    """The hashes of maps: a sum over entries, so that their order says nothing, and the length."""
    offsets = list_offsets(array, np.int32)
    used = (offsets[0], offsets[-1] - offsets[0])
    keys = hash_values(array.keys.slice(*used), key.child("key"))
    values = hash_values(array.items.slice(*used), key.child("value"))
    entries = Lanes(keys.first + values.first, keys.second + values.second)
    return _summed(finish_all(entries), offsets, np.diff(offsets), key)


def struct_lanes(array: pa.Array, key: ColumnKey, hash_values: Hasher) -> Lanes:
    """The hashes of structs: a sum over fields, each keyed by its lower-cased name."""
    names = [field.name.lower() for field in array.type]
    if len(set(names)) < len(names):
        raise IneligibleTableError(f"a struct has two fields of one name: {', '.join(names)}")
    start = key.child("struct")
    total = constant((start.first, start.second), len(array))
    for position, name in enumerate(names):
        hashes = hash_values(array.field(position), key.child(f"field {name}"))
        np.add(total.first, hashes.first, total.first)
        np.add(total.second, hashes.second, total.second)
    return total


def _of_items(items: Lanes, offsets: NDArray[np.int64], key: ColumnKey) -> Lanes:
    lengths = np.diff(offsets)
    starts = np.repeat(offsets[:-1] - offsets[0], lengths)
    places = (np.arange(len(items)) - starts).astype(np.uint64)
    placed = Lanes(items.first + places * _STEP_FIRST, items.second + places * _STEP_SECOND)
    return _summed(finish_all(placed), offsets, lengths, key)


def _offsets(array: pa.Array) -> NDArray[np.int64]:
    if array.type.id == _T.Type_FIXED_SIZE_LIST:
        rows = np.arange(array.offset, array.offset + len(array) + 1, dtype=np.int64)
        return rows * int(array.type.list_size)
    return list_offsets(array, np.int64 if array.type.id == _T.Type_LARGE_LIST else np.int32)


def _summed(
    items: Lanes, offsets: NDArray[np.int64], lengths: NDArray[np.int64], key: ColumnKey
) -> Lanes:
    ends = offsets - offsets[0]
    total = chain((lengths,), key.child("length"))
    np.add(total.first, _sums(items.first, ends), total.first)
    np.add(total.second, _sums(items.second, ends), total.second)
    return total


def _sums(items: UInt64s, ends: NDArray[np.int64]) -> UInt64s:
    # Differences of a running sum: np.add.reduceat is wrong where a list is empty.
    running = np.zeros(len(items) + 1, np.uint64)
    np.cumsum(items, out=running[1:])
    at_ends = running[ends]
    return at_ends[1:] - at_ends[:-1]


_NESTED = {
    _T.Type_LIST: list_lanes,
    _T.Type_LARGE_LIST: list_lanes,
    _T.Type_FIXED_SIZE_LIST: list_lanes,
    _T.Type_LIST_VIEW: list_view_lanes,
    _T.Type_LARGE_LIST_VIEW: list_view_lanes,
    _T.Type_MAP: map_lanes,
    _T.Type_STRUCT: struct_lanes,
}
