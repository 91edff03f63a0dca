"""How the children of one parent can be rebuilt from it: one scan of the parent for all of them.

Every proposal is proved on multisets of 128-bit row hashes: what the recipe selects is the child,
each row as often as there. What is chosen later is executed and compared value by value besides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from r2d2.errors import R2D2Error, TableError
from r2d2.lake.storage import Storage
from r2d2.model import Column, Table, Types
from r2d2.rebuild.rows import hashed, read_batches
from r2d2.recipes.columns import outputs
from r2d2.recipes.encoded import Encoded
from r2d2.recipes.grammar import Distinct, Kept, Leaf, Output, Project, Residual, Rows, Select
from r2d2.recipes.labels import Groups, Labels
from r2d2.recipes.predicates import find_predicate

BYTES_PER_KEPT_ROW = 24
"""A row of a residual of hashes: two words and a count."""


@dataclass(frozen=True, slots=True)
class Child:
    """A table that the parent contains; `names` maps its columns to the parent's."""

    table: Table
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Family:
    """A parent and those of its children for which a recipe from it is wanted."""

    parent: Table
    children: tuple[Child, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A recipe for a child from a parent, or why there is none.

    `rows` are the child's. A residual named by the recipe is not written yet: its bytes are an
    estimate, and its location is the child's.
    """

    child: str
    parent: str
    recipe: Leaf | None
    rows: int = 0
    reason: str = ""


def propose(storage: Storage, family: Family, types: Types) -> list[Proposal]:
    """What can be said of each child; an unreadable table is a reason, never an error."""
    try:
        parent = _Parent(storage, family, types)
    except TableError as error:
        return [
            Proposal(child.table.location, family.parent.location, None, 0, str(error))
            for child in family.children
        ]
    return [_proposal(storage, parent, number) for number in range(len(family.children))]


class _Parent:
    """The parent's rows, read once, with what is made of them for several children."""

    def __init__(self, storage: Storage, family: Family, types: Types) -> None:
        self.table, self.children, self.types = family.parent, family.children, types
        self.batches = list(read_batches(storage, family.parent, family.parent.columns))
        sets: dict[tuple[Column, ...], int] = {}
        self._set_of = [sets.setdefault(self._matched(child), len(sets)) for child in self.children]
        self._hashes = hashed(self.batches, list(sets), types)
        self._groups: dict[int, Groups] = {}

    def _matched(self, child: Child) -> tuple[Column, ...]:
        """The parent's columns under the child's names, in order of name."""
        own = {column.name: column for column in self.table.columns}
        matched = ((name, own[other]) for name, other in child.names.items())
        return tuple(
            sorted(
                (Column(name, column.type, column.path) for name, column in matched),
                key=lambda column: column.name,
            )
        )

    def groups(self, number: int) -> Groups:
        """The parent's rows as the child of that number sees them."""
        chosen = self._set_of[number]
        if chosen not in self._groups:
            lanes = self._hashes[chosen]
            self._groups[chosen] = Groups.of((lanes.first, lanes.second))
        return self._groups[chosen]

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
        partitions = set(self.table.details.get("partition_columns", "").split(","))
        return Encoded.of(pa.table(flat), paths, partitions)


def _field(array: pa.StructArray, name: str) -> pa.Array:
    """A struct's field, NULL where the struct is."""
    return array.flatten()[array.type.get_field_index(name)]


def _proposal(storage: Storage, parent: _Parent, number: int) -> Proposal:
    child = parent.children[number]
    own, other = child.table, parent.table
    try:
        if not _same_types(child, other):
            return Proposal(own.location, other.location, None, 0, "its columns have other types")
        columns = outputs(own.columns, other.columns, child.names)
        (lanes,) = hashed(
            list(read_batches(storage, own, own.columns)), [own.columns], parent.types
        )
        labels = parent.groups(number).labels((lanes.first, lanes.second))
        recipe = _recipe(parent, own, columns, labels)
    except R2D2Error as error:
        return Proposal(own.location, other.location, None, 0, str(error))
    if recipe is None:
        return Proposal(
            own.location,
            other.location,
            None,
            labels.child_rows,
            "the parent has some of its rows less often",
        )
    return Proposal(own.location, other.location, recipe, labels.child_rows)


def _same_types(child: Child, parent: Table) -> bool:
    types = {column.name: column.type for column in parent.columns}
    return all(types.get(child.names[column.name]) == column.type for column in child.table.columns)


def _recipe(
    parent: _Parent, child: Table, columns: tuple[Output, ...], labels: Labels
) -> Leaf | None:
    location = parent.table.location
    if not labels.possible:
        return None
    if (labels.child == labels.parent).all():
        return Project(location, columns)
    if (labels.child == 1).all():
        return Distinct(location, columns)
    found = find_predicate(parent.encoded, labels)
    if found is not None and found.atoms:
        return Select(location, columns, found.atoms)
    kept = int(np.count_nonzero(labels.child))
    size_bytes = kept * BYTES_PER_KEPT_ROW
    return Rows(location, columns, Residual(Kept.HASHES, child.location, kept, size_bytes))
