"""Recipes for the children of one parent: one scan of the parent serves all of them.

Every proposal is proved on multisets of 128-bit row hashes: the rows that the recipe selects are
the child's, each as often as there. A recipe that a plan chooses is run, too, and its rows are
compared value by value.

A child with rows that the parent lacks, or has less often, gets the recipe for those that the
parent has, and the others go into a residual: up to a fifth of its rows, so that a table which is
mostly something else is not stored twice. Rows that no predicate selects are listed by their
hashes: the child's or, where these are a quarter as many, those that only the parent has.

A child that has rows more often than the parent may be a union of the parent's rows, or of some of
them, with themselves.

A parent's key may stand for all columns: a few columns in which no two of its rows are equal, so
that others need no reading. It is guessed from a sample and holds only once all rows have been
hashed over it. Then a row of a child that the parent contains is the parent's row with the same
key, for that one has all of its values: counting keys counts rows.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import combinations, islice
from math import log2, prod
from operator import itemgetter

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from r2d2.errors import R2D2Error, TableError
from r2d2.formats.errors import table_problem
from r2d2.formats.schema import logical_type
from r2d2.formats.united import typed_nulls
from r2d2.hashing.multiset import Counted
from r2d2.hashing.rows import type_tag
from r2d2.model import Column, Table, Types
from r2d2.recipes.find.reading import EMPTY, type_inside
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
    Union,
)
from r2d2.recipes.predicate import find_predicate
from r2d2.recipes.predicate.columns import ColumnSource, EncodedTable
from r2d2.recipes.predicate.encode import Codes, plain_type, ranks
from r2d2.recipes.predicate.row_labels import RowLabels

SAMPLE_ROWS = 1 << 14
MOST_KEY_COLUMNS, MOST_TRIALS = 3, 64
BYTES_PER_HASH_ROW = 8
"""Of a residual of hashes; positions among the parent's rows take fewer."""
BYTES_PER_FILE, BYTES_PER_COLUMN = 900, 350
"""The fixed size of a Parquet file of hashes, and that of each column of rows; from the dev lake.

A plan tries what looks cheapest first, so estimates that are too low would be tried one by one.
"""
MOST_ADDED_SHARE = 0.2
"""The share of a child's rows that a Patch may add from a residual."""
MOST_STRAYS, MOST_STRAY_SHARE = 16, 0.05
"""Rows, and their share of a child's, above which rows that are there again were loaded twice."""
MOST_LOADS, MOST_DIFFERENT_LOADS = 4, 2
"""As often rows may have been loaded, and in so many different numbers; drawn rows have more."""
MOST_REMOVED_RATIO = 0.25
"""To the child's distinct rows, how many a Patch may remove from the parent's.

A recipe that lists the child's rows survives rows appended to the parent, one that lists the others
does not: so it must be much smaller.
"""


def propose_from_parent(request: Request, counts: RowCounts) -> list[Proposal]:
    """A proposal for each child; an unreadable table is a reason, never an error."""
    try:
        parent = SearchedParent(request, counts)
    except TableError as error:
        return [no_recipe(request.parent, child.table, str(error)) for child in request.children]
    return [_proposal(parent, number) for number in range(len(request.children))]


class SearchedParent:
    """The parent's rows, grouped by each child's columns, or by a key of these; and its columns."""

    def __init__(self, request: Request, counts: RowCounts) -> None:
        self.table, self.children = request.parent, request.children
        self.counts = counts
        self._reader = counts.reader(self.table)
        self._first = self._reader.first()
        self._shared = shared = [child.columns_of(self.table) for child in self.children]
        keys = self._likely_keys(shared)
        tried = [
            keys.get(columns, columns) if child.contained else columns
            for columns, child in zip(shared, self.children, strict=True)
        ]
        self._groups = counts.groups(self.table, self._reader, list(dict.fromkeys(tried)))
        self._columns = [
            key if key == columns or self._groups[key].is_key else columns
            for key, columns in zip(tried, shared, strict=True)
        ]
        left = [columns for columns in self._columns if columns not in self._groups]
        self._groups |= counts.groups(self.table, self._reader, list(dict.fromkeys(left)))

    def _likely_keys(self, sets: Sequence[Columns]) -> dict[Columns, Columns]:
        """Keys that may stand for all columns of a set; none where the rows are in memory."""
        if self._first is None or self.table.size_bytes <= self.counts.small_bytes:
            return {}
        return likely_keys(self._first, dict.fromkeys(sets))

    def labels(self, number: int) -> RowLabels:
        """How often the child of that number has each of the parent's rows."""
        child, columns = self.children[number], self._columns[number]
        names = {column.name for column in columns}
        child_columns = tuple(column for column in child.columns if column.name in names)
        return self._groups[columns].labels(self.counts.counted(child.table, child_columns))

    def labels_of(self, rows: Counted) -> RowLabels:
        """How often these have each of the parent's rows, by the columns of its first child."""
        return self._groups[self._columns[0]].labels(rows)

    def shared(self, number: int) -> set[Path]:
        """The parent's columns that the child of that number has."""
        return {column.path for column in self._shared[number]}

    @cached_property
    def encoded(self) -> EncodedTable:
        """The columns by which a predicate may select rows."""
        if self._first is None:
            return EncodedTable([], [0])
        partitions = set(self.table.details.get("partition columns", "").split(", "))
        sources = [
            ColumnSource(
                column.path,
                position,
                type_inside(self._first.schema, column.path),
                column.name in partitions,
                partial(self._reader.column, column),
            )
            for position, column in enumerate(self.table.columns)
            if has_literals(column, self._first)
        ]
        nested = [
            ColumnSource(path, position, EMPTY, False, partial(self._reader.nulls, column))
            for path, (position, column) in self._nested().items()
        ]
        plain = [source for source in sources if plain_type(source.type) is not None]
        return EncodedTable([*plain, *nested], self._reader.sizes())

    def _nested(self) -> dict[Path, tuple[int, Column]]:
        """Structs, and columns of types without literals, each with a position to go by."""
        found: dict[Path, tuple[int, Column]] = {}
        for position, column in enumerate(self.table.columns):
            path = column.path
            for end in range(1, len(path)):
                struct = Column(".".join(path[:end]), "struct", path[:end])
                found.setdefault(struct.path, (position, struct))
            if self._first and plain_type(type_inside(self._first.schema, path)) is None:
                found[path] = position, column
        return found


def has_literals(column: Column, rows: pa.RecordBatch) -> bool:
    """Whether SQL's literals are of the column's type: not where it is a UUID's or geometry's.

    JSON is compared as the text that it is.
    """
    return column.type in ("json", logical_type(type_inside(rows.schema, column.path)))


def _proposal(parent: SearchedParent, number: int) -> Proposal:
    contained = parent.children[number]
    child, table = contained.table, parent.table
    try:
        if not same_types(contained, table, parent.counts.types):
            return no_recipe(table, child, "its columns have other types")
        columns = contained.outputs_of(table)
        labels = parent.labels(number)
        recipe = _recipe(parent, number, columns, labels)
    except R2D2Error as error:
        return no_recipe(table, child, str(error))
    except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
        return no_recipe(table, child, table_problem(error))
    if recipe is None:
        return no_recipe(table, child, too_few_rows(labels.missing > 0), labels.child_rows)
    return Proposal(child.location, (table.location,), recipe, labels.child_rows)


def too_few_rows(are_lacking: bool) -> str:
    """Why no recipe is made of a parent with too few of the child's rows."""
    if are_lacking:
        return "the parent lacks too many of its rows"
    return "the parent has too many of its rows less often"


def same_types(child: ContainedTable, parent: Table, types: Types) -> bool:
    """Whether each column's types match, NULLs of no type aside, which any type holds.

    A text export's columns match those that they are rendered from.
    """
    if child.renderings:
        return True
    known = {column.name: column.type for column in parent.columns}
    pairs = ((c.type, known.get(child.names[c.name])) for c in child.matched)
    return all(theirs is not None and match(own, theirs, types) for own, theirs in pairs)


def match(one: str, other: str, types: Types) -> bool:
    """Whether the types are one, or numbers of any type where types are widened."""
    if typed_nulls(one, other) is not None:
        return True
    return types is Types.WIDENED and type_tag(one, types) == type_tag(other, types)


def _recipe(
    parent: SearchedParent, number: int, columns: tuple[Output, ...], labels: RowLabels
) -> Leaf | Union | Patch | None:
    child = parent.children[number].table
    if labels.is_contained:
        return _recipe_of_contained(parent, number, columns, labels)
    within = labels.within_parent()
    share = 1 - within.child_rows / labels.child_rows
    rows = labels.child_rows - within.child_rows
    may_be_loads = not labels.missing and not are_strays(rows, labels.child_rows)
    if may_be_loads and (loads := _loads(parent, number, columns, labels)) is not None:
        return loads
    if share > MOST_ADDED_SHARE:
        return None
    size_bytes = int(share * child.size_bytes) + BYTES_PER_COLUMN * len(child.columns)
    plus = Residual(ResidualKind.ROWS, child.location, rows, size_bytes)
    recipe = _recipe_of_contained(parent, number, columns, within)
    return replace(recipe, plus=plus) if isinstance(recipe, Patch) else Patch(recipe, plus)


def are_strays(rows: int, of: int) -> bool:
    """Whether so many of a table's rows are too few to be a load of their own."""
    return rows <= of * (MOST_STRAY_SHARE if rows > MOST_STRAYS else MOST_ADDED_SHARE)


def _loads(
    parent: SearchedParent, number: int, columns: tuple[Output, ...], labels: RowLabels
) -> Union | None:
    """A union that has some of the parent's rows several times: a table that was loaded twice.

    Its first part are the rows that the child has at least as often as the parent, the second those
    that it has twice as often, and so on; each must be all rows or those of a predicate.
    """
    location, copies = parent.table.location, labels.copies
    times = labels.child // copies
    if (times * copies != labels.child).any():
        most = int(labels.child[0])
        is_even = most <= MOST_LOADS and bool((labels.child == most).all())
        return Union((Distinct(location, columns),) * most) if is_even else None
    loads = np.unique(times[times > 0]).tolist()
    if len(loads) > MOST_DIFFERENT_LOADS or loads[-1] > MOST_LOADS:
        return None
    parts: list[Leaf] = []
    for load in range(1, loads[-1] + 1):
        if load == 1 or load - 1 in loads:
            rows = replace(labels, child=np.where(times >= load, copies, 0))
            found = _whole_or_selected(parent, number, columns, rows)
        if found is None:
            return None
        parts.append(found)
    return Union(tuple(parts))


def _whole_or_selected(
    parent: SearchedParent, number: int, columns: tuple[Output, ...], labels: RowLabels
) -> Project | Select | None:
    """The recipe of all the parent's rows, or of those that a predicate selects."""
    if labels.is_whole:
        return Project(parent.table.location, columns)
    predicate = find_predicate(parent.encoded, labels, parent.shared(number))
    if predicate is None or not predicate.atoms:
        return None
    return Select(parent.table.location, columns, predicate.atoms)


def _recipe_of_contained(
    parent: SearchedParent, number: int, columns: tuple[Output, ...], labels: RowLabels
) -> Leaf | Patch:
    if (found := unlisted(parent, number, columns, labels)) is not None:
        return found
    location, child = parent.table.location, parent.children[number].table
    listed = int(np.count_nonzero(labels.child))
    removed = int(np.count_nonzero(labels.child < labels.parent))
    if removed <= MOST_REMOVED_RATIO * listed:
        return Patch(Project(location, columns), minus=row_list(child, removed, len(labels.groups)))
    return Rows(location, columns, row_list(child, listed, len(labels.groups)))


def unlisted(
    parent: SearchedParent, number: int, columns: tuple[Output, ...], labels: RowLabels
) -> Project | Distinct | Select | None:
    """The recipe of all the parent's rows, or of those of a predicate, each as often or once."""
    if (labels.child == 1).all() and not labels.is_whole:
        return Distinct(parent.table.location, columns)
    if (found := _whole_or_selected(parent, number, columns, labels)) is not None:
        return found
    every = replace(labels, child=np.where(labels.child > 0, labels.copies, 0))
    repeated = np.count_nonzero(every.child > 1)
    if (labels.child <= 1).all() and repeated > MOST_STRAY_SHARE * np.count_nonzero(labels.child):
        selected = _whole_or_selected(parent, number, columns, every)
        if isinstance(selected, Select):
            return Distinct(parent.table.location, columns, selected.where)
    return None


def row_list(child: Table, count: int, parent_rows: int | None) -> Residual:
    """The residual of so many of the parent's rows that is to be written for the child.

    It is about as large as their positions: n log(N/n) bits and a few, or a bit for each row.
    """
    listed_bytes = count * BYTES_PER_HASH_ROW
    if parent_rows is not None and parent_rows >= count > 0:
        bits = min(parent_rows, count * (log2(parent_rows / count) + 2))
        listed_bytes = min(listed_bytes, int(bits) // 8)
    return Residual(ResidualKind.HASHES, child.location, count, BYTES_PER_FILE + listed_bytes)


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
    for count in range(1, MOST_KEY_COLUMNS + 1):
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
