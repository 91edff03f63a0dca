"""A few columns that tell a parent's rows apart, so that the others need not be read and hashed.

A key is guessed from a sample and holds only once all of the parent's rows have been hashed over
it: whoever guesses must look. Then a row of a child that the parent contains is the parent's row
with the same key, for that one has all of its values: counting keys counts rows.
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
class _Ranked:
    codes: Codes
    values: int


def likely_keys(sample: pa.RecordBatch, sets: Iterable[Columns]) -> dict[Columns, Columns]:
    """For each set of columns that has one, a subset of three at most that is a key of the sample.

    One key serves several sets where it can. Of the keys the one with the fewest possible values is
    taken: many values are rarely equal in a sample, and so say little of all rows.
    """
    sample = sample.slice(0, SAMPLE_ROWS)
    found: dict[Columns, Columns] = {}
    ranked: dict[tuple[str, ...], _Ranked | None] = {}
    for columns in sorted(sets, key=len):
        known = (key for key in found.values() if set(key) <= set(columns))
        key = next(known, None) or _key(sample, columns, ranked)
        if key is not None:
            found[columns] = key
    return found


def _key(
    sample: pa.RecordBatch, columns: Columns, ranked: dict[tuple[str, ...], _Ranked | None]
) -> Columns | None:
    """Numbers and dates are looked at first: they are the quickest to read."""
    plain = [column for column in columns if len(column.path) == 1]
    quick = [column for column in plain if _is_quick(sample.column(column.path[0]).type)]
    for some in (quick, plain):
        usable = {}
        for column in some:
            if column.path not in ranked:
                ranked[column.path] = _rank(sample.column(column.path[0]))
            if own := ranked[column.path]:
                usable[column] = own
        for guess in islice(_guesses(usable, sample.num_rows), MOST_TRIALS):
            if _tells_apart([usable[column] for column in guess], sample.num_rows):
                return guess
    return None


def _is_quick(type_: pa.DataType) -> bool:
    return bool(pt.is_integer(type_) or pt.is_temporal(type_))


def _rank(array: pa.Array) -> _Ranked | None:
    """The column's ranks, None where its type has none or floats, which are no keys."""
    type_ = plain_type(array.type)
    if type_ is None or pt.is_floating(type_):
        return None
    values, codes = ranks(pa.chunked_array([array.cast(type_)]))
    return _Ranked(codes, len(values) + 1)


def _guesses(usable: Mapping[Column, _Ranked], rows: int) -> Iterator[Columns]:
    """Sets of columns that have values enough for so many rows, those with the fewest first."""
    for count in range(1, MOST_COLUMNS + 1):
        some = combinations(usable, count)
        sized = [(prod(usable[column].values for column in own), own) for own in some]
        yield from (own for size, own in sorted(sized, key=itemgetter(0)) if size >= rows)


def _tells_apart(columns: Collection[_Ranked], rows: int) -> bool:
    together = np.zeros(rows, np.int64)
    for column in columns:
        together = together * (column.values + 1) + column.codes + 1
    return len(np.unique(together)) == rows
