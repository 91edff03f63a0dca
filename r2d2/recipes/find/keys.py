"""Keys: a few columns in which no two of a parent's rows are equal, so that others need no reading.

A key is guessed from a sample and holds only once all of the parent's rows have been hashed over
it, which whoever guesses must do. Then a row of a child that the parent contains is the parent's
row with the same key, for that one has all of its values: counting keys counts rows.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, islice
from math import prod
from operator import itemgetter

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from r2d2.model import Column
from r2d2.recipes.find.request import Columns
from r2d2.recipes.predicate.encode import Codes, plain_type, ranks

SAMPLE_ROWS = 1 << 14
MOST_COLUMNS, MOST_TRIALS = 3, 64


@dataclass(frozen=True, slots=True, eq=False)
class _RankedColumn:
    codes: Codes
    values: int


def likely_keys(sample: pa.RecordBatch, sets: Iterable[Columns]) -> dict[Columns, Columns]:
    """For each set of columns that has one, a subset of three at most that is a key of the sample.

    One key serves several sets where it can. Of the keys the one with the fewest possible values is
    taken: many values are rarely equal in a sample, and so say little of all rows.
    """
    sample = sample.slice(0, SAMPLE_ROWS)
    keys: dict[Columns, Columns] = {}
    ranked: dict[tuple[str, ...], _RankedColumn | None] = {}
    for columns in sorted(sets, key=len):
        known = (key for key in keys.values() if set(key) <= set(columns))
        key = next(known, None) or _key(sample, columns, ranked)
        if key is not None:
            keys[columns] = key
    return keys


def _key(
    sample: pa.RecordBatch, columns: Columns, ranked: dict[tuple[str, ...], _RankedColumn | None]
) -> Columns | None:
    """A key of the sample; numbers and dates are tried first, which are the quickest to read."""
    top_level = [column for column in columns if len(column.path) == 1]
    quick = [column for column in top_level if _is_quick(sample.column(column.path[0]).type)]
    for tried in (quick, top_level):
        usable = {}
        for column in tried:
            if column.path not in ranked:
                ranked[column.path] = _rank(sample.column(column.path[0]))
            if ranked_column := ranked[column.path]:
                usable[column] = ranked_column
        for guess in islice(_guesses(usable, sample.num_rows), MOST_TRIALS):
            if _is_key([usable[column] for column in guess], sample.num_rows):
                return guess
    return None


def _is_quick(type_: pa.DataType) -> bool:
    return bool(pt.is_integer(type_) or pt.is_temporal(type_))


def _rank(array: pa.Array) -> _RankedColumn | None:
    """The column's ranks; None for types without ranks, and for floats, which are no keys."""
    type_ = plain_type(array.type)
    if type_ is None or pt.is_floating(type_):
        return None
    values, codes = ranks(pa.chunked_array([array.cast(type_)]))
    return _RankedColumn(codes, len(values) + 1)


def _guesses(usable: Mapping[Column, _RankedColumn], rows: int) -> Iterator[Columns]:
    """Sets of columns with enough values for so many rows, small sets and few values first."""
    for count in range(1, MOST_COLUMNS + 1):
        sized = [
            (prod(usable[column].values for column in columns), columns)
            for columns in combinations(usable, count)
        ]
        yield from (columns for size, columns in sorted(sized, key=itemgetter(0)) if size >= rows)


def _is_key(columns: Collection[_RankedColumn], rows: int) -> bool:
    together = np.zeros(rows, np.int64)
    for column in columns:
        together = together * (column.values + 1) + column.codes + 1
    return len(np.unique(together)) == rows
