"""The hash of every value of an array, whatever its type and layout.

Lists, maps and structs inside them: child hashes, keyed by their place, summed per row.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from r2d2.arrays import UInt64s, fixed_values, list_offsets, list_sizes, null_mask, plain
from r2d2.errors import IneligibleTableError
from r2d2.hashing.finaliser import ColumnKey, Lanes, chain, constant, cover, finish_all
from r2d2.hashing.numbers import number_words
from r2d2.hashing.text import TEXT_TYPES, VIEWS, repeats_itself, text_lanes
from r2d2.hashing.words import Words, fixed_words, word_lanes
from r2d2.model import Types

_T = pa.lib
_NESTED_BLOCK = 32_768  # rows; the hashes of their items stay in the cache: half the time
Hasher = Callable[[pa.Array, ColumnKey], Lanes]


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


_NESTED = {
    _T.Type_LIST: list_lanes,
    _T.Type_LARGE_LIST: list_lanes,
    _T.Type_FIXED_SIZE_LIST: list_lanes,
    _T.Type_LIST_VIEW: list_view_lanes,
    _T.Type_LARGE_LIST_VIEW: list_view_lanes,
    _T.Type_MAP: map_lanes,
    _T.Type_STRUCT: struct_lanes,
}


def array_lanes(array: pa.Array, key: ColumnKey, types: Types) -> Lanes:
    """The hashes of the array's values."""
    return finished(array_hashes(array, key, types))


def array_hashes(array: pa.Array, key: ColumnKey, types: Types, depth: int = 0) -> Words | Lanes:
    """The values as words where the type allows, else as hashes; a NULL's tells the depth."""
    array = plain(array)
    type_id = array.type.id
    if len(array) == 0 or type_id == _T.Type_NA:
        return constant(key.null(depth), len(array))
    if words := _words(array, key, types):
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


def _in_blocks(array: pa.Array, hash_block: Callable[[pa.Array], Lanes]) -> Lanes:
    if len(array) <= _NESTED_BLOCK:
        return hash_block(array)
    starts = range(0, len(array), _NESTED_BLOCK)
    blocks = [hash_block(array.slice(start, _NESTED_BLOCK)) for start in starts]
    return Lanes(
        np.concatenate([block.first for block in blocks]),
        np.concatenate([block.second for block in blocks]),
    )


def finished(hashes: Words | Lanes) -> Lanes:
    """The hashes, finalised where they are words still."""
    return word_lanes(hashes) if isinstance(hashes, Words) else hashes


def _words(array: pa.Array, key: ColumnKey, types: Types) -> Words | None:
    if types is Types.WIDENED and (words := number_words(array, key)):
        return words
    return fixed_words(array, key)


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


_STEP_FIRST = np.uint64(0x9E37_79B9_7F4A_7C15)  # odd, so that all positions differ
_STEP_SECOND = np.uint64(0xC2B2_AE3D_27D4_EB4F)


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
