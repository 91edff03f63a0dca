"""The hash of every value of an array, whatever its type and layout."""

from functools import partial

import numpy as np
import pyarrow as pa

from r2d2.errors import IneligibleTableError
from r2d2.kernels.arrays import null_mask, plain
from r2d2.kernels.fixed import Words, fixed_words, word_lanes
from r2d2.kernels.mix import ColumnKey, Lanes, constant, cover
from r2d2.kernels.nested import list_lanes, map_lanes, struct_lanes
from r2d2.kernels.number import number_words
from r2d2.kernels.text import TEXT_TYPES, text_lanes
from r2d2.model import Types

_T = pa.lib
_NESTED = {
    _T.Type_LIST: list_lanes,
    _T.Type_LARGE_LIST: list_lanes,
    _T.Type_FIXED_SIZE_LIST: list_lanes,
    _T.Type_LIST_VIEW: list_lanes,
    _T.Type_LARGE_LIST_VIEW: list_lanes,
    _T.Type_MAP: map_lanes,
    _T.Type_STRUCT: struct_lanes,
}


def array_words(array: pa.Array, key: ColumnKey, types: Types) -> Words | None:
    """The values as words, those of NULLs meaning nothing; None where the type has no fixed width."""
    if types is Types.WIDENED and (words := number_words(array, key)):
        return words
    return fixed_words(array, key)


def array_lanes(array: pa.Array, key: ColumnKey, types: Types, depth: int = 0) -> Lanes:
    """The hashes of the array's values; a NULL's tells the depth."""
    array = plain(array)
    type_id = array.type.id
    if len(array) == 0 or type_id == _T.Type_NA:
        return constant(key.null(depth), len(array))
    if type_id == _T.Type_DICTIONARY:
        lanes = _dictionary_lanes(array, key, types, depth)
    elif type_id in TEXT_TYPES:
        lanes = text_lanes(array, key)
    elif nested := _NESTED.get(type_id):
        lanes = nested(array, key, partial(array_lanes, types=types))
    elif words := array_words(array, key, types):
        lanes = word_lanes(words, key)
    else:
        raise IneligibleTableError(f"values of type {array.type} have no row identity")
    cover(lanes, null_mask(array), key.null(depth))
    return lanes


def _dictionary_lanes(array: pa.Array, key: ColumnKey, types: Types, depth: int) -> Lanes:
    if len(array.dictionary) > len(array):
        return array_lanes(array.dictionary_decode(), key, types, depth)
    distinct = array_lanes(array.dictionary, key, types, depth)
    if not len(distinct):
        return constant(key.null(depth), len(array))
    indices = fixed_words(array.indices, key).values
    # What lies under a NULL may point anywhere.
    return Lanes(
        distinct.first.take(indices, mode="clip"), distinct.second.take(indices, mode="clip")
    )
