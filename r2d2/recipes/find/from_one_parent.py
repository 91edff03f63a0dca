"""How the children of one parent can be rebuilt from it: one scan of the parent for all of them.

Every proposal is proved on multisets of 128-bit row hashes: what the recipe selects is the child,
each row as often as there. What is chosen later is executed and compared value by value besides.

A child of whose rows the parent lacks some, or has some less often, gets the recipe for those that
the parent has, and the others are kept aside: up to a fifth of its rows, so that a table which is
mostly something else is not kept twice. Rows that nothing tells apart are listed by their hashes:
those of the child or, where these are a quarter as many, those that only the parent has.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np

from r2d2.errors import R2D2Error, TableError
from r2d2.model import Table
from r2d2.recipes.find.keys import likely_keys
from r2d2.recipes.find.reading import type_inside
from r2d2.recipes.find.request import Columns, ContainedTable, Proposal, Request, no_recipe
from r2d2.recipes.find.row_counts import RowCounts
from r2d2.recipes.grammar import (
    Distinct,
    Leaf,
    Output,
    Patch,
    Path,
    Project,
    Residual,
    ResidualKind,
    Rows,
    Select,
    outputs,
)
from r2d2.recipes.predicate import find_predicate
from r2d2.recipes.predicate.columns import ColumnSource, EncodedTable
from r2d2.recipes.predicate.row_labels import RowLabels

BYTES_PER_KEPT_ROW = 24
"""A row of a residual of hashes: two words and a count."""
BYTES_PER_FILE, BYTES_PER_COLUMN = 900, 350
"""What a Parquet file takes besides: of hashes, and for each column of rows; seen on the dev lake.

A plan tries what looks cheapest, so that hopes for small files would be tried one by one.
"""
MOST_PATCHED_SHARE = 0.2
"""Of a child's rows, how many a Patch may keep aside."""
MOST_TAKEN_AWAY = 0.25
"""As many distinct rows as the child has, how many a Patch may take away from the parent's.

A recipe that lists the child's rows outlives rows appended to the parent, one that lists the others
does not: so it must be much smaller.
"""


def propose_from_parent(family: Request, counts: RowCounts) -> list[Proposal]:
    """What can be said of each child; an unreadable table is a reason, never an error."""
    try:
        parent = _Parent(family, counts)
    except TableError as error:
        return [no_recipe(family.parent, child.table, str(error)) for child in family.children]
    return [_proposal(parent, number) for number in range(len(family.children))]


class _Parent:
    """The parent's rows, with what is made of them for several children."""

    def __init__(self, family: Request, counts: RowCounts) -> None:
        self.table, self.children = family.parent, family.children
        self.counts = counts
        self._reading = counts.reading(self.table)
        self._first = self._reading.first()
        self._whole = whole = [child.columns_of(self.table) for child in self.children]
        keys = self._keys(whole)
        seen = [
            keys.get(columns, columns) if child.contained else columns
            for columns, child in zip(whole, self.children, strict=True)
        ]
        self._groups = counts.groups(self.table, self._reading, list(dict.fromkeys(seen)))
        self._columns = [
            some if some == columns or self._groups[some].is_key else columns
            for some, columns in zip(seen, whole, strict=True)
        ]
        left = [columns for columns in self._columns if columns not in self._groups]
        self._groups |= counts.groups(self.table, self._reading, list(dict.fromkeys(left)))

    def _keys(self, sets: Sequence[Columns]) -> dict[Columns, Columns]:
        """Columns that may stand for all: worth a look where the rows are not all kept."""
        if self._first is None or self.table.size_bytes <= self.counts.small_bytes:
            return {}
        return likely_keys(self._first, dict.fromkeys(sets))

    def labels(self, number: int) -> RowLabels:
        """How often the child of that number has each of the parent's rows."""
        child, columns = self.children[number], self._columns[number]
        names = {column.name for column in columns}
        own = tuple(column for column in child.columns if column.name in names)
        return self._groups[columns].labels(self.counts.counted(child.table, own))

    def shared(self, number: int) -> set[Path]:
        """The parent's columns that the child of that number has."""
        return {column.path for column in self._whole[number]}

    @cached_property
    def encoded(self) -> EncodedTable:
        """The columns by which rows may be selected."""
        if self._first is None:
            return EncodedTable([], [0])
        partitions = set(self.table.details.get("partition columns", "").split(", "))
        sources = [
            ColumnSource(
                column.path,
                position,
                type_inside(self._first.schema, column.path),
                column.name in partitions,
                partial(self._reading.column, column),
            )
            for position, column in enumerate(self.table.columns)
        ]
        return EncodedTable(sources, self._reading.sizes())


def _proposal(parent: _Parent, number: int) -> Proposal:
    child = parent.children[number]
    own, other = child.table, parent.table
    try:
        if not _same_types(child, other):
            return no_recipe(other, own, "its columns have other types")
        columns = outputs(own.columns, other.columns, child.names)
        labels = parent.labels(number)
        recipe = _recipe(parent, number, columns, labels)
    except R2D2Error as error:
        return no_recipe(other, own, str(error))
    if recipe is None:
        reason = (
            "the parent lacks too many of its rows"
            if labels.missing
            else "the parent has too many of its rows less often"
        )
        return no_recipe(other, own, reason, labels.child_rows)
    return Proposal(own.location, (other.location,), recipe, labels.child_rows)


def _same_types(child: ContainedTable, parent: Table) -> bool:
    types = {column.name: column.type for column in parent.columns}
    return all(types.get(child.names[column.name]) == column.type for column in child.table.columns)


def _recipe(
    parent: _Parent, number: int, columns: tuple[Output, ...], labels: RowLabels
) -> Leaf | Patch | None:
    child = parent.children[number].table
    if labels.is_contained:
        return _exact(parent, number, columns, labels)
    within = labels.within_parent()
    share = 1 - within.child_rows / labels.child_rows
    if share > MOST_PATCHED_SHARE:
        return None
    rows = labels.child_rows - within.child_rows
    size_bytes = int(share * child.size_bytes) + BYTES_PER_COLUMN * len(child.columns)
    plus = Residual(ResidualKind.ROWS, child.location, rows, size_bytes)
    recipe = _exact(parent, number, columns, within)
    return replace(recipe, plus=plus) if isinstance(recipe, Patch) else Patch(recipe, plus)


def _exact(
    parent: _Parent, number: int, columns: tuple[Output, ...], labels: RowLabels
) -> Leaf | Patch:
    location, child = parent.table.location, parent.children[number].table
    if labels.is_whole:
        return Project(location, columns)
    if (labels.child == 1).all():
        return Distinct(location, columns)
    found = find_predicate(parent.encoded, labels, parent.shared(number))
    if found is not None and found.atoms:
        return Select(location, columns, found.atoms)
    kept = int(np.count_nonzero(labels.child))
    others = int(np.count_nonzero(labels.child < labels.parent))
    if others <= MOST_TAKEN_AWAY * kept:
        return Patch(Project(location, columns), minus=_hashes(child, others))
    return Rows(location, columns, _hashes(child, kept))


def _hashes(child: Table, count: int) -> Residual:
    size_bytes = BYTES_PER_FILE + count * BYTES_PER_KEPT_ROW
    return Residual(ResidualKind.HASHES, child.location, count, size_bytes)
