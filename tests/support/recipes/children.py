"""Children of small parents, and the labels of the parents' rows."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from r2d2.recipes.predicate import Predicate, find_predicate
from r2d2.recipes.predicate.columns import EncodedTable
from r2d2.recipes.predicate.row_labels import RowLabels


def identity(value: Any) -> Hashable:
    """What makes a value itself in an edge: NULL, NaN and zero are one each."""
    if isinstance(value, float):
        return ("float", repr(value + 0.0))
    return (type(value).__name__, value)


def row_identities(table: pa.Table, columns: Sequence[str]) -> list[Hashable]:
    """Each row as the child's columns have it."""
    columns_ = [[identity(v) for v in table.column(name).to_pylist()] for name in columns]
    return list(zip(*columns_, strict=True)) if columns_ else [()] * table.num_rows


def labels_of(parent: pa.Table, rows: Sequence[int], columns: Sequence[str]) -> RowLabels:
    """The labels of the child that has these rows of the parent, and of each the columns."""
    identities = row_identities(parent, columns)
    return labels_between(identities, [identities[row] for row in rows])


def labels_between(parent: Sequence[Hashable], child: Sequence[Hashable]) -> RowLabels:
    """The labels of a child given row by row."""
    numbers = {row: number for number, row in enumerate(dict.fromkeys(parent))}
    copies, own = Counter(parent), Counter(child)
    missing = sum(count for row, count in own.items() if row not in numbers)
    groups = np.array([numbers[row] for row in parent], np.int64)
    counts = np.array([copies[row] for row in numbers], np.int64)
    return RowLabels(groups, counts, np.array([own[row] for row in numbers], np.int64), missing)


def find(
    parent: pa.Table, rows: Sequence[int], columns: Sequence[str] | None = None
) -> Predicate | None:
    """What the search finds for the child with these rows and columns, all where None are given."""
    names = parent.column_names if columns is None else columns
    return find_predicate(EncodedTable.of(parent), labels_of(parent, rows, names))
