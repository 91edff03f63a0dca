"""The 128-bit hash of every row of a record batch over any of its column sets.

A row's hash over a column set is the sum, per lane and modulo 2⁶⁴, of the hashes of its values;
each is keyed by the column's name, type and nesting. So the order of columns says nothing,
and a further column set costs additions only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from r2d2.errors import UnreadableTableError
from r2d2.kernels.arrays import null_mask, plain
from r2d2.kernels.fixed import Words
from r2d2.kernels.mix import HASH_VERSION, ColumnKey, Lanes, UInt64s, column_key, cover, finish
from r2d2.kernels.typetag import type_tag
from r2d2.kernels.values import array_lanes, array_words
from r2d2.model import Column, Types

__all__ = ["HASH_VERSION", "ColumnKey", "Lanes", "column_key", "hash_leaf", "row_hashes", "type_tag"]

_START = column_key("", "row")
_BLOCK_WORDS = 32_768  # of one lane of all columns; more would leave the second-level cache

Masks = tuple[tuple[NDArray[np.bool_], tuple[int, int]], ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Each distinct column once with its key, and each column set as positions in `columns`."""

    columns: tuple[tuple[Column, ColumnKey], ...]
    keys: tuple[UInt64s, UInt64s]
    sets: tuple[tuple[int, ...], ...]


def hash_leaf(batch: pa.RecordBatch, column: Column, types: Types) -> Lanes:
    """The hashes of one column's values; a NULL's tells at which part of the path it occurs."""
    key = _key(column, types)
    array, masks = _leaf(batch, column, key)
    lanes = array_lanes(array, key, types, len(column.path) - 1)
    for mask, marker in masks:
        cover(lanes, mask, marker)
    return lanes


def row_hashes(
    batch: pa.RecordBatch, column_sets: Sequence[Sequence[Column]], types: Types
) -> list[Lanes]:
    """The rows' hashes over each column set; each distinct column is hashed once."""
    plan = _plan(tuple(map(tuple, column_sets)), types)
    rows = batch.num_rows
    sources = [_source(batch, column, key, types) for column, key in plan.columns]
    hashes = [Lanes(np.empty(rows, np.uint64), np.empty(rows, np.uint64)) for _ in plan.sets]
    step = max(1, min(rows, _BLOCK_WORDS // max(1, len(plan.columns))))
    for start in range(0, rows, step):
        block = _block_hashes(sources, plan.keys, start, min(start + step, rows))
        for positions, lanes in zip(plan.sets, hashes, strict=True):
            _add_up(block, positions, lanes.part(start, start + step))
    return hashes


def _key(column: Column, types: Types) -> ColumnKey:
    return column_key(column.name, type_tag(column.type, types))


@lru_cache(maxsize=1024)
def _plan(column_sets: tuple[tuple[Column, ...], ...], types: Types) -> _Plan:
    columns = {column: _key(column, types) for chosen in column_sets for column in chosen}
    position = {column: i for i, column in enumerate(columns)}
    first = np.array([key.first for key in columns.values()], np.uint64)
    second = np.array([key.second for key in columns.values()], np.uint64)
    sets = (tuple(sorted({position[column] for column in chosen})) for chosen in column_sets)
    return _Plan(
        tuple(columns.items()), (first.reshape(-1, 1), second.reshape(-1, 1)), tuple(sets)
    )


def _leaf(batch: pa.RecordBatch, column: Column, key: ColumnKey) -> tuple[pa.Array, Masks]:
    """The array at the end of the column's path, and where structs on the way are NULL."""
    top, *fields = column.path
    array = _child(batch, batch.schema, top, column)
    masks: list[tuple[NDArray[np.bool_], tuple[int, int]]] = []
    for depth, name in enumerate(fields):
        array = plain(array)
        if (mask := null_mask(array)) is not None:
            masks.append((mask, key.null(depth)))
        array = _child(array, array.type, name, column)
    return array, tuple(reversed(masks))  # the outermost NULL is written last


def _child(parent: pa.RecordBatch | pa.Array, fields: object, name: str, column: Column) -> pa.Array:
    position = fields.get_field_index(name)
    if position < 0:
        raise UnreadableTableError(f"column {column.name} is not in the data that was read")
    return parent.column(position) if isinstance(parent, pa.RecordBatch) else parent.field(position)


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """A column as words still to be finalised, or as finished lanes, and its NULLs."""

    content: Words | Lanes
    masks: Masks


def _source(batch: pa.RecordBatch, column: Column, key: ColumnKey, types: Types) -> _Source:
    array, masks = _leaf(batch, column, key)
    array, depth = plain(array), len(column.path) - 1
    words = array_words(array, key, types) if len(array) else None
    if words is None:
        return _Source(array_lanes(array, key, types, depth), masks)
    mask = null_mask(array)
    own = ((mask, key.null(depth)),) if mask is not None else ()
    return _Source(words, own + masks)


def _block_hashes(
    sources: Sequence[_Source], keys: tuple[UInt64s, UInt64s], start: int, stop: int
) -> tuple[UInt64s, UInt64s]:
    """Both lanes of the columns' hashes for some rows, columns × rows."""
    first = np.empty((len(sources), stop - start), np.uint64)
    for row, source in zip(first, sources, strict=True):
        if isinstance(source.content, Words):
            row[:] = source.content.values[start:stop]
    second = first + keys[1]
    first += keys[0]
    finish(first, second)
    for position, source in enumerate(sources):
        _overwrite(Lanes(first[position], second[position]), source, start, stop)
    return first, second


def _overwrite(lanes: Lanes, source: _Source, start: int, stop: int) -> None:
    """Write in place what the finalisers did not yield: finished lanes, exceptions, NULLs."""
    if isinstance(source.content, Lanes):
        lanes.first[:] = source.content.first[start:stop]
        lanes.second[:] = source.content.second[start:stop]
    else:
        for rows, hashes in source.content.exceptions:
            low, high = np.searchsorted(rows, (start, stop))
            lanes.first[rows[low:high] - start] = hashes.first[low:high]
            lanes.second[rows[low:high] - start] = hashes.second[low:high]
    for mask, marker in source.masks:
        cover(lanes, mask[start:stop], marker)


def _add_up(block: tuple[UInt64s, UInt64s], positions: tuple[int, ...], into: Lanes) -> None:
    for lane, start, out in zip(block, (_START.first, _START.second), (into.first, into.second)):
        chosen = lane if len(positions) == len(lane) else lane[list(positions)]
        np.add.reduce(chosen, axis=0, out=out, initial=np.uint64(start))
