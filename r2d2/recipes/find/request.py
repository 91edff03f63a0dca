"""Requests for recipes, the batches they are searched in, and the proposals that answer them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import attrgetter
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from r2d2.formats.united import typed_nulls
from r2d2.graph import connected_components
from r2d2.hashing.renderings import as_texts
from r2d2.model import Column, Table
from r2d2.recipes.constants import Constant, RowNumber
from r2d2.recipes.grammar import Cast, Field, Output, Path, Recipe, Rendered, Source, Struct
from r2d2.recipes.literals import RecipeError

TASK_BYTES = 32 << 20
LEAST_TABLES, MOST_TABLES = 200, 1024
"""Of one batch: worth a task's start, and no more than other tasks wait for."""
MANY_TASKS = 64
BYTES_PER_HELD_ROW, VALUE_COPIES, BYTES_PER_VALUE, LEAST_ROW_BYTES = 64, 2, 8, 8
"""Measured with ten million rows of ten columns and five sets of them: 3.9 GB at the most."""
Columns = tuple[Column, ...]
"""In order of name, so that equal sets are equal tuples."""


@dataclass(frozen=True, slots=True)
class ContainedTable:
    """A table that another contains; `names` maps its columns to the other's.

    `constants` are its columns that need none of the other's, with what gives each back.
    `types` are those of its columns that are NULL only in one of the two, and so of no type.
    `contained`: both snapshots were compared, and the other has each of its distinct rows.
    `kept_class`: the class of equal tables that the other is of, where every plan keeps a member.
    `renderings`: the table is text, and each of its columns renders the other's so.
    `skippable`: not searched where a smaller kept class gives the table back from rows alone.
    """

    table: Table
    names: Mapping[str, str]
    contained: bool = False
    kept_class: str | None = None
    skippable: bool = False
    types: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Constant | RowNumber] = field(default_factory=dict)
    renderings: Mapping[str, str] = field(default_factory=dict)

    @property
    def matched(self) -> Columns:
        """The table's columns that are the other's, in the table's order."""
        if not self.constants:
            return self.table.columns
        return tuple(column for column in self.table.columns if column.name not in self.constants)

    @property
    def columns(self) -> Columns:
        """The table's columns that are the other's."""
        if not self.types:
            return by_name(self.matched)
        return by_name(
            Column(column.name, self.types.get(column.name, column.type), column.path)
            for column in self.matched
        )

    @property
    def columns_renamed(self) -> Columns:
        """The table's columns that are the other's, under its names."""
        return by_name(
            Column(
                self.names[column.name],
                self.types.get(column.name, column.type),
                column.path,
            )
            for column in self.matched
        )

    def columns_of(self, other: Table) -> Columns:
        """The other's columns under this table's names."""
        names = {theirs: ours for ours, theirs in self.names.items()}
        found = (
            Column(ours, self.types.get(ours, column.type), column.path)
            for column in other.columns
            if (ours := names.get(column.name)) is not None
        )
        return by_name(as_texts(found, self.renderings) if self.renderings else found)

    def outputs_of(self, other: Table) -> tuple[Output, ...]:
        """The table's top-level fields, made of the other's."""
        if not self.renderings:
            return outputs(self.table.columns, other.columns, self.names, self.constants)
        paths = {column.name: column.path for column in other.columns}
        rendered = {
            name: Rendered(paths[self.names[name]], rendering)
            for name, rendering in self.renderings.items()
        }
        sources = {**rendered, **self.constants}
        return tuple(Output(c.path[0], sources[c.name]) for c in self.table.columns)


@dataclass(frozen=True, slots=True)
class Request:
    """A parent, and children it contains for each of which a recipe from it is searched."""

    parent: Table
    children: tuple[ContainedTable, ...]

    @property
    def tables(self) -> list[Table]:
        """The tables that are read for the proposals."""
        return [self.parent, *(child.table for child in self.children)]


@dataclass(frozen=True, slots=True)
class UnionRequest:
    """A table, and tables it contains with all of its columns: it may be some of them together.

    Each part's `names` map its columns to the table's, one to one.
    """

    table: Table
    parts: tuple[ContainedTable, ...]

    @property
    def tables(self) -> list[Table]:
        """The tables that are read for the proposals."""
        return [self.table, *(part.table for part in self.parts)]


@dataclass(frozen=True, slots=True)
class ColumnHolder:
    """A table that has all columns of another: `names` maps these to its own.

    `columns` are those of its columns, under the other's names.
    """

    table: Table
    names: Mapping[str, str]
    columns: Columns


@dataclass(frozen=True, slots=True)
class SeveralRequest:
    """Tables of the same columns that none contains, and those that have these columns.

    Each may be rows of some of the others; the children are among these. Of large tables whose few
    columns do not tell that they are none, the smallest are read whole, up to so many bytes.
    """

    children: tuple[Table, ...]
    others: tuple[ColumnHolder, ...]
    whole_bytes: float

    @property
    def tables(self) -> list[Table]:
        """The tables that are read for the proposals."""
        return [other.table for other in self.others]


AnyRequest: TypeAlias = Request | UnionRequest | SeveralRequest


@dataclass(frozen=True, slots=True)
class Proposal:
    """A recipe for a child from its parents, or the reason why there is none.

    `rows` are the child's, `passes` those over a parent whose rows exceed the memory. A residual
    that the recipe names is not written yet: its bytes are an estimate, and its location is the
    child's.
    """

    child: str
    parents: tuple[str, ...]
    recipe: Recipe | None
    rows: int = 0
    reason: str = ""
    passes: int = 0


def held_bytes(request: Request | UnionRequest) -> int:
    """About how much memory the search takes that holds its tables' rows, by the inventory.

    Every row's hash is held over each set of columns, and in its order; of a parent all columns,
    as values and as codes, where no few of them give a predicate.
    """
    first, *others = request.tables
    hashed = max(map(rows_of, others), default=0)
    if isinstance(request, UnionRequest):
        return (rows_of(first) + hashed) * BYTES_PER_HELD_ROW
    sets = {child.columns_of(first) for child in request.children}
    values = rows_of(first) * len(first.columns) * BYTES_PER_VALUE
    return (rows_of(first) * len(sets) + hashed) * BYTES_PER_HELD_ROW + VALUE_COPIES * values


def rows_of(table: Table) -> int:
    """The table's rows, or as many as its bytes may be at most."""
    return table.size_bytes // LEAST_ROW_BYTES if table.rows is None else table.rows


def no_recipe(parent: Table, child: Table, reason: str, rows: int = 0) -> Proposal:
    """The proposal that says why the parent gives no recipe."""
    return Proposal(child.location, (parent.location,), None, rows, reason)


def no_recipes(request: AnyRequest, reason: str) -> list[Proposal]:
    """The proposals that say why the request's children get no recipe."""
    if not isinstance(request, Request):
        return []
    return [no_recipe(request.parent, child.table, reason) for child in request.children]


def by_name(columns: Iterable[Column]) -> Columns:
    """The columns in order of name."""
    return tuple(sorted(columns, key=attrgetter("name")))


def batches(requests: Sequence[AnyRequest]) -> list[list[int]]:
    """The requests' numbers by batch, one for each task; ascending in each.

    Requests that share tables are neighbours, and a batch reads each of its tables once. It is cut
    where its tables outgrow a task: a large one stands alone. A SeveralRequest comes to the batch
    that reads most of its tables anyway, and changes no batch of the others.
    """
    several = [n for n, each in enumerate(requests) if isinstance(each, SeveralRequest)]
    plain = [n for n, each in enumerate(requests) if not isinstance(each, SeveralRequest)]
    cut = [[plain[n] for n in batch] for batch in _cut([requests[n] for n in plain])]
    _add_to_batches(cut, several, requests)
    return [sorted(batch) for batch in cut]


def _cut(requests: Sequence[AnyRequest]) -> list[list[int]]:
    reads = sum(len(request.tables) for request in requests)
    most = min(MOST_TABLES, max(LEAST_TABLES, -(-reads // MANY_TASKS)))
    cut: list[list[int]] = []
    batch_sizes: dict[str, int] = {}
    count = 0
    for number in _neighbours(requests):
        sizes = {table.location: table.size_bytes for table in requests[number].tables}
        count += len(sizes)
        together = batch_sizes | sizes
        if not cut or count > most or sum(together.values()) > TASK_BYTES:
            cut.append([])
            together, count = sizes, len(sizes)
        cut[-1].append(number)
        batch_sizes = together
    return cut


def _add_to_batches(
    cut: list[list[int]], numbers: Iterable[int], requests: Sequence[AnyRequest]
) -> None:
    """Adds these requests, each where most of its bytes are read, as long as that is no more than
    one task's bytes of other tables."""
    batch_of = {
        t.location: n for n, batch in enumerate(cut) for i in batch for t in requests[i].tables
    }
    room = Counter(dict.fromkeys(range(len(cut)), TASK_BYTES))
    for number in numbers:
        shared = Counter[int]()
        sizes = {table.location: table.size_bytes for table in requests[number].tables}
        for location, size_bytes in sizes.items():
            if location in batch_of:
                shared[batch_of[location]] += 1 + size_bytes
        fitting = [n for n, held in shared.items() if sum(sizes.values()) - held <= room[n]]
        home = max(fitting, key=lambda n: (shared[n], -n), default=len(cut))
        if home == len(cut):
            cut.append([])
            room[home] = TASK_BYTES
        room[home] -= sum(s for location, s in sizes.items() if batch_of.get(location) != home)
        batch_of |= {location: home for location in sizes if batch_of.get(location, home) == home}
        cut[home].append(number)


def _neighbours(requests: Sequence[AnyRequest]) -> list[int]:
    """The requests' numbers, those that share tables directly or through others side by side."""
    tables = [[table.location for table in request.tables] for request in requests]
    numbers = {location: n for n, location in enumerate(sorted(set(chain(*tables))))}
    shared = [(numbers[first], numbers[other]) for first, *others in tables for other in others]
    left, right = np.array(shared, np.int64).reshape(-1, 2).T
    component = connected_components(len(numbers), left, right)
    return sorted(range(len(requests)), key=lambda each: component[numbers[tables[each][0]]])


_Leaf: TypeAlias = tuple[Path, Field | Cast | Constant | RowNumber]
"""A flattened column's path in the child, and what it is of the parent, or in all rows."""


def outputs(
    child: Sequence[Column],
    parent: Sequence[Column],
    names: Mapping[str, str],
    constants: Mapping[str, Constant | RowNumber] = MappingProxyType({}),
) -> tuple[Output, ...]:
    """The child's top-level fields in order, made of the parent's, or constants.

    `names` maps each other column to the parent's, as an edge's `columns` do. A struct of the child
    is a whole `Field` where the parent has one with exactly its fields in their order, and a
    `Struct` otherwise, NULL where the parent's struct around its parts is. A column of another type
    is a `Cast`. Whether that gives the child's values is left to the proof.

    Raises:
        RecipeError: a column is not mapped to one of the parent's.
    """
    known = {column.name: column for column in parent}
    matched = [column for column in child if column.name not in constants]
    missing = [column.name for column in matched if names.get(column.name) not in known]
    if missing:
        raise RecipeError(f"the parent has no column for {', '.join(missing)}")
    found = {c.name: _of_type(known[names[c.name]], c.type) for c in matched}
    sources: Mapping[str, Field | Cast | Constant | RowNumber] = {**found, **constants}
    leaves: list[_Leaf] = [(column.path, sources[column.name]) for column in child]
    if all(len(path) == 1 for path, _ in leaves):
        return tuple(Output(path[0], source) for path, source in leaves)
    return _fields(leaves, [column.path for column in parent])


def _of_type(column: Column, type_: str) -> Field | Cast:
    """The parent's column in that type, which may be the same or one of NULLs alone."""
    is_same = typed_nulls(type_, column.type) is not None
    return Field(column.path) if is_same else Cast(column.path, column.type, type_)


def _fields(leaves: Sequence[_Leaf], known: Sequence[Path]) -> tuple[Output, ...]:
    """One output for each first name of the child's paths; leaves of one field lie side by side."""
    return tuple(
        Output(name, _source([(path[1:], source) for path, source in group], known))
        for name, group in groupby(leaves, key=lambda leaf: leaf[0][0])
    )


def _source(leaves: Sequence[_Leaf], known: Sequence[Path]) -> Source:
    path, source = leaves[0]
    if not path:
        return source
    origin = _origin(leaves)
    whole = [Field(path) for path in known if origin and path[: len(origin)] == origin]
    if whole == [source for _, source in leaves] == [Field((*origin, *path)) for path, _ in leaves]:
        return Field(origin)
    return Struct(origin, _fields(leaves, known))


def _origin(leaves: Sequence[_Leaf]) -> Path:
    """The parent's struct in which every part lies as deep as in the child's; () where none is."""
    found = [(path, s.path) for path, s in leaves if isinstance(s, Field | Cast)]
    origins = {source[: max(0, len(source) - len(path))] for path, source in found}
    return origins.pop() if len(origins) == 1 else ()
