"""The 128-bit hash of every row of a record batch over any of its column sets.

A row's hash over a column set is the sum, per lane and modulo 2⁶⁴, of the hashes of its values;
each is keyed by the column's name, type and nesting. So the order of columns says nothing,
and a further column set costs additions only. A column may lie inside structs.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pyarrow as pa

from r2d2.arrays import UInt64s, null_mask, plain
from r2d2.errors import UnreadableTableError
from r2d2.hashing.finaliser import HASH_VERSION, ColumnKey, Lanes, column_key, cover, finish
from r2d2.hashing.values import array_hashes, finished
from r2d2.hashing.words import ConstantRows, Words
from r2d2.model import Column, Types

__all__ = [
    "HASH_VERSION",
    "ColumnKey",
    "Lanes",
    "column_key",
    "hash_leaf",
    "row_hashes",
    "type_tag",
]


_EMPTY_ROW = column_key("", "row")
_BLOCK_WORDS = 32_768  # both lanes of all columns and scratch stay in the second-level cache
_LEAST_ROWS = 256  # a block, lest very wide tables spend their time on calls


@dataclass(frozen=True, slots=True)
class _Plan:
    """Each distinct column once, and each column set as positions among them."""

    columns: tuple[tuple[Column, ColumnKey], ...]
    sets: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Sum:
    """The sum of one column set: rows of a block of words, and columns hashed already.

    Where the set has most of the block's rows, the `others` are taken away from the sum of all.
    """

    rows: list[int]
    others: list[int]
    finished: list[Lanes]

    @property
    def is_most(self) -> bool:
        """Whether the set has most of the block's rows."""
        return len(self.others) < len(self.rows)

    def add_up(self, block: Lanes, whole: Lanes, start: int, into: Lanes) -> None:
        """Write the row hashes of the block, which begins at row `start`, in place."""
        stop = start + len(into)
        into.first[:] = whole.first if self.is_most else np.uint64(_EMPTY_ROW.first)
        into.second[:] = whole.second if self.is_most else np.uint64(_EMPTY_ROW.second)
        step = np.subtract if self.is_most else np.add
        for row in self.others if self.is_most else self.rows:
            step(into.first, block.first[row], into.first)
            step(into.second, block.second[row], into.second)
        for lanes in self.finished:
            np.add(into.first, lanes.first[start:stop], into.first)
            np.add(into.second, lanes.second[start:stop], into.second)


def row_hashes(
    batch: pa.RecordBatch, column_sets: Sequence[Sequence[Column]], types: Types
) -> list[Lanes]:
    """The rows' hashes over each column set; each distinct column is hashed once."""
    plan = _plan(tuple(map(tuple, column_sets)), types)
    leaves = [leaf_hashes(batch, column, key, types) for column, key in plan.columns]
    words = {i: leaf for i, leaf in enumerate(leaves) if isinstance(leaf, Words)}
    finished = {i: leaf for i, leaf in enumerate(leaves) if isinstance(leaf, Lanes)}
    sums = [_sum(positions, list(words), finished) for positions in plan.sets]
    keys = _key_columns([column.key for column in words.values()])
    step = min(max(1, batch.num_rows), max(_LEAST_ROWS, _BLOCK_WORDS // max(1, len(words))))
    hashes = [_unwritten(batch.num_rows) for _ in sums]
    has_most = any(sum_.is_most for sum_ in sums)
    for start in range(0, batch.num_rows, step):
        block = _block(list(words.values()), keys, start, min(step, batch.num_rows - start))
        whole = _whole(block) if has_most else block
        for sum_, lanes in zip(sums, hashes, strict=True):
            sum_.add_up(block, whole, start, lanes.part(start, start + step))
    return hashes


@lru_cache(maxsize=1024)
def _plan(column_sets: tuple[tuple[Column, ...], ...], types: Types) -> _Plan:
    columns = {column: leaf_key(column, types) for chosen in column_sets for column in chosen}
    position = {column: i for i, column in enumerate(columns)}
    sets = (tuple(sorted({position[column] for column in chosen})) for chosen in column_sets)
    return _Plan(tuple(columns.items()), tuple(sets))


def _sum(positions: tuple[int, ...], words: list[int], finished: dict[int, Lanes]) -> _Sum:
    chosen = set(positions)
    rows = [row for row, position in enumerate(words) if position in chosen]
    others = [row for row, position in enumerate(words) if position not in chosen]
    return _Sum(rows, others, [finished[i] for i in positions if i in finished])


def _whole(block: Lanes) -> Lanes:
    """The sum of all rows of a block."""
    return Lanes(
        np.add.reduce(block.first, initial=_EMPTY_ROW.first),
        np.add.reduce(block.second, initial=_EMPTY_ROW.second),
    )


def _key_columns(keys: Sequence[ColumnKey]) -> Lanes:
    numbers = np.array([(key.first, key.second) for key in keys], np.uint64).reshape(-1, 2)
    return Lanes(numbers[:, :1].copy(), numbers[:, 1:].copy())


def _unwritten(rows: int) -> Lanes:
    return Lanes(np.empty(rows, np.uint64), np.empty(rows, np.uint64))


def _block(words: Sequence[Words], keys: Lanes, start: int, rows: int) -> Lanes:
    """The columns' hashes for some rows; each lane is columns × rows."""
    first: UInt64s = np.empty((len(words), rows), np.uint64)
    for row, column in zip(first, words, strict=True):
        row[:] = column.values[start : start + rows]
    second = first + keys.second
    np.add(first, keys.first, first)
    finish(first, second)
    for position, column in enumerate(words):
        column.amend(Lanes(first[position], second[position]), start)
    return Lanes(first, second)


def leaf_key(column: Column, types: Types) -> ColumnKey:
    """The key of a column by its name and matching type."""
    return column_key(column.name, type_tag(column.type, types))


def hash_leaf(batch: pa.RecordBatch, column: Column, types: Types) -> Lanes:
    """The hashes of one, possibly nested, column; a NULL's tells its part of the path."""
    return finished(leaf_hashes(batch, column, leaf_key(column, types), types))


def leaf_hashes(
    batch: pa.RecordBatch, column: Column, key: ColumnKey, types: Types
) -> Words | Lanes:
    """The values of one, possibly nested, column: words where the type allows, else hashes."""
    array = _column(batch, column)
    if column.rendering:
        return _rendered(array, column, key, types)
    if len(column.path) == 1:
        return array_hashes(array, key, types)
    array, masks = _walk(array, column, key)
    hashes = array_hashes(array, key, types, len(column.path) - 1)
    if isinstance(hashes, Words):
        return replace(hashes, masks=hashes.masks + masks)
    for mask, marker in masks:
        cover(hashes, mask, marker)
    return hashes


def _rendered(array: pa.Array, column: Column, key: ColumnKey, types: Types) -> Lanes:
    """The hashes of the values' texts; a lossy one's is no text's."""
    from r2d2.hashing.renderings import Rendering

    for name in column.path[1:]:
        array = plain(array)
        position = array.type.get_field_index(name) if isinstance(array, pa.StructArray) else -1
        if position < 0:
            raise _absent(column)
        array = array.flatten()[position]
    texts, lossy = Rendering.of(column.rendering).texts(array)
    lanes = finished(array_hashes(texts, key, types))
    cover(lanes, lossy, key.null(1))
    return lanes


def _column(batch: pa.RecordBatch, column: Column) -> pa.Array:
    position = batch.schema.get_field_index(column.path[0])
    if position < 0:
        raise _absent(column)
    return batch.column(position)


def _walk(
    array: pa.Array, column: Column, key: ColumnKey
) -> tuple[pa.Array, tuple[ConstantRows, ...]]:
    """The array at the end of the path, and where structs on the way are NULL, innermost first."""
    masks: list[ConstantRows] = []
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


# A whole type, or one inside a list, map or struct; not a field's name, which a colon follows.
_NUMBER = re.compile(
    r"(?<![^<,:])(?:u?int(?:8|16|32|64)|float(?:16|32|64)|decimal\([^)]*\))(?![^,>])"
)


@lru_cache(maxsize=1 << 12)
def type_tag(logical_type: str, types: Types) -> str:
    """The matching class of a strict logical type: two columns match where their tags are equal.

    >>> type_tag("map<string,list<decimal(9,2)>>", Types.WIDENED)
    'map<string,list<number>>'
    """
    return _NUMBER.sub("number", logical_type) if types is Types.WIDENED else logical_type
