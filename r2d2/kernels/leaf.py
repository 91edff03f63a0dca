"""One column of a record batch, wherever in its structs it lies, as words or as finished hashes."""

from dataclasses import replace

import pyarrow as pa

from r2d2.arrays import null_mask, plain
from r2d2.errors import UnreadableTableError
from r2d2.hashing.finaliser import ColumnKey, Lanes, column_key, cover
from r2d2.hashing.values import array_hashes, finished
from r2d2.hashing.words import Mask, Words
from r2d2.kernels.typetag import type_tag
from r2d2.model import Column, Types


def leaf_key(column: Column, types: Types) -> ColumnKey:
    """The key of a column by its name and matching type."""
    return column_key(column.name, type_tag(column.type, types))


def hash_leaf(batch: pa.RecordBatch, column: Column, types: Types) -> Lanes:
    """The hashes of one column's values; a NULL's tells at which part of the path it occurs."""
    return finished(leaf_hashes(batch, column, leaf_key(column, types), types))


def leaf_hashes(
    batch: pa.RecordBatch, column: Column, key: ColumnKey, types: Types
) -> Words | Lanes:
    """One column's values, as words where the type allows, else as hashes."""
    array = _column(batch, column)
    if len(column.path) == 1:
        return array_hashes(array, key, types)
    array, masks = _walk(array, column, key)
    hashes = array_hashes(array, key, types, len(column.path) - 1)
    if isinstance(hashes, Words):
        return replace(hashes, masks=hashes.masks + masks)
    for mask, marker in masks:
        cover(hashes, mask, marker)
    return hashes


def _column(batch: pa.RecordBatch, column: Column) -> pa.Array:
    position = batch.schema.get_field_index(column.path[0])
    if position < 0:
        raise _absent(column)
    return batch.column(position)


def _walk(array: pa.Array, column: Column, key: ColumnKey) -> tuple[pa.Array, tuple[Mask, ...]]:
    """The array at the end of the path, and where structs on the way are NULL, innermost first."""
    masks: list[Mask] = []
    for depth, name in enumerate(column.path[1:]):
        array = plain(array)
        if (mask := null_mask(array)) is not None:
            masks.append((mask, key.null(depth)))
        position = array.type.get_field_index(name) if isinstance(array, pa.StructArray) else -1
        if position < 0:
            raise _absent(column)
        array = array.field(position)
    return array, tuple(reversed(masks))


def _absent(column: Column) -> UnreadableTableError:
    return UnreadableTableError(f"column {column.name} is not in the data that was read")
