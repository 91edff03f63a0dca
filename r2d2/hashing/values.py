"""The hash of every value of an array, whatever its type and layout."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa

from r2d2.arrays import fixed_values, null_mask, plain
from r2d2.errors import IneligibleTableError
from r2d2.hashing.finaliser import ColumnKey, Lanes, constant, cover
from r2d2.hashing.numbers import number_words
from r2d2.hashing.text import TEXT_TYPES, VIEWS, repeats_itself, text_lanes
from r2d2.hashing.words import Words, word_lanes
from r2d2.kernels.fixed import fixed_words
from r2d2.kernels.nested import list_lanes, list_view_lanes, map_lanes, struct_lanes
from r2d2.model import Types

_T = pa.lib
_NESTED_BLOCK = 32_768  # rows; the hashes of their items stay in the cache: half the time
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
