"""How the children of one parent can be rebuilt from it: one scan of the parent for all of them.

Every proposal is proved on multisets of 128-bit row hashes: what the recipe selects is the child,
each row as often as there. What is chosen later is executed and compared value by value besides.

A child of whose rows the parent lacks some, or has some less often, gets the recipe for those that
the parent has, and the others are kept aside: up to a fifth of its rows, so that a table which is
mostly something else is not kept twice. Rows that nothing tells apart are listed by their hashes:
those of the child or, where these are a quarter as many, those that only the parent has.
"""

from dataclasses import replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from r2d2.errors import R2D2Error, TableError
from r2d2.model import Table
from r2d2.rebuild.counting import Counts
from r2d2.rebuild.family import Child, Family, Proposal
from r2d2.recipes.columns import outputs
from r2d2.recipes.encoded import Encoded
from r2d2.recipes.grammar import (
    Distinct,
    Kept,
    Leaf,
    Output,
    Patch,
    Project,
    Residual,
    Rows,
    Select,
)
from r2d2.recipes.labels import Labels
from r2d2.recipes.predicates import find_predicate

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


def propose(family: Family, counts: Counts) -> list[Proposal]:
    """What can be said of each child; an unreadable table is a reason, never an error."""
    try:
        parent = _Parent(family, counts)
    except TableError as error:
        return [_without(family.parent, child.table, str(error)) for child in family.children]
    return [_proposal(parent, number) for number in range(len(family.children))]


def _without(parent: Table, child: Table, reason: str, rows: int = 0) -> Proposal:
    return Proposal(child.location, (parent.location,), None, rows, reason)


class _Parent:
    """The parent's rows, read once, with what is made of them for several children."""

    def __init__(self, family: Family, counts: Counts) -> None:
        self.table, self.children = family.parent, family.children
        self.counts = counts
        self.batches = counts.batches(self.table)
        self._columns = [child.columns_of(self.table) for child in self.children]
        self._groups = counts.groups(self.table, self.batches, list(dict.fromkeys(self._columns)))

    def labels(self, number: int) -> Labels:
        """How often the child of that number has each of the parent's rows."""
        child = self.children[number]
        rows = self.counts.counted(child.table, child.columns)
        return self._groups[self._columns[number]].labels(rows)

    @cached_property
    def encoded(self) -> Encoded:
        """The columns by which rows may be selected."""
        flat: dict[str, pa.ChunkedArray] = {}
        paths = {}
        table = pa.Table.from_batches(self.batches)
        for column in self.table.columns:
            array = table.column(column.path[0])
            for name in column.path[1:]:
                array = pa.chunked_array([_field(chunk, name) for chunk in array.chunks])
            flat[column.name] = array
            paths[column.name] = column.path
        partitions = set(self.table.details.get("partition columns", "").split(", "))
        return Encoded.of(pa.table(flat), paths, partitions)


def _field(array: pa.StructArray, name: str) -> pa.Array:
    """A struct's field, NULL where the struct is."""
    return array.flatten()[array.type.get_field_index(name)]


def _proposal(parent: _Parent, number: int) -> Proposal:
    child = parent.children[number]
    own, other = child.table, parent.table
    try:
        if not _same_types(child, other):
            return _without(other, own, "its columns have other types")
        columns = outputs(own.columns, other.columns, child.names)
        labels = parent.labels(number)
        recipe = _recipe(parent, own, columns, labels)
    except R2D2Error as error:
        return _without(other, own, str(error))
    if recipe is None:
        reason = (
            "the parent lacks too many of its rows"
            if labels.missing
            else "the parent has too many of its rows less often"
        )
        return _without(other, own, reason, labels.child_rows)
    return Proposal(own.location, (other.location,), recipe, labels.child_rows)


def _same_types(child: Child, parent: Table) -> bool:
    types = {column.name: column.type for column in parent.columns}
    return all(types.get(child.names[column.name]) == column.type for column in child.table.columns)


def _recipe(
    parent: _Parent, child: Table, columns: tuple[Output, ...], labels: Labels
) -> Leaf | Patch | None:
    if labels.possible:
        return _exact(parent, child, columns, labels)
    within = labels.within_parent()
    share = 1 - within.child_rows / labels.child_rows
    if share > MOST_PATCHED_SHARE:
        return None
    rows = labels.child_rows - within.child_rows
    size_bytes = int(share * child.size_bytes) + BYTES_PER_COLUMN * len(child.columns)
    plus = Residual(Kept.ROWS, child.location, rows, size_bytes)
    recipe = _exact(parent, child, columns, within)
    return replace(recipe, plus=plus) if isinstance(recipe, Patch) else Patch(recipe, plus)


def _exact(
    parent: _Parent, child: Table, columns: tuple[Output, ...], labels: Labels
) -> Leaf | Patch:
    location = parent.table.location
    if (labels.child == labels.parent).all():
        return Project(location, columns)
    if (labels.child == 1).all():
        return Distinct(location, columns)
    found = find_predicate(parent.encoded, labels)
    if found is not None and found.atoms:
        return Select(location, columns, found.atoms)
    kept = int(np.count_nonzero(labels.child))
    others = int(np.count_nonzero(labels.child < labels.parent))
    if others <= MOST_TAKEN_AWAY * kept:
        return Patch(Project(location, columns), minus=_hashes(child, others))
    return Rows(location, columns, _hashes(child, kept))


def _hashes(child: Table, count: int) -> Residual:
    size_bytes = BYTES_PER_FILE + count * BYTES_PER_KEPT_ROW
    return Residual(Kept.HASHES, child.location, count, size_bytes)
