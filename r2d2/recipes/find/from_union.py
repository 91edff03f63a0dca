"""Recipes for a table that is several of the tables it contains together: a year from its months.

Each of its distinct rows must occur as often as in the chosen parts together: an exact cover of a
multiset, in which a part may stand up to four times (loads that overlap). Rows that are in the same
parts, each time as often, are one class for the search; classes are found by random weights of the
parts, so that disjoint parts leave about one class each. On the matrix of parts × classes a subset
is searched: each part that still fits is taken in turn, and where that leaves rows over, by
`predicate.set_cover` (at most 500 steps, fewer on large matrices). It is searched with the largest
parts first and with the smallest: the table may go while its quarters stay, and with its quarters
while its months stay. The union found is counted once more, row by row.

Where there is no such subset and no row occurs twice, the table may be its parts' rows once each: a
union of parts that overlap. The largest are taken, as long as one has rows that those before lack.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.arrays import Int64s
from r2d2.errors import R2D2Error
from r2d2.formats import format_named
from r2d2.hashing.multiset import Counted, HashIndex
from r2d2.hashing.rows import row_hashes
from r2d2.hashing.runs import sorted_unique
from r2d2.model import Column, Table, Types
from r2d2.recipes.find.from_one_parent import match
from r2d2.recipes.find.reading import hashed, inside, read_batches, type_inside
from r2d2.recipes.find.request import (
    Columns,
    ContainedTable,
    Proposal,
    UnionRequest,
    by_name,
    outputs,
)
from r2d2.recipes.find.row_counts import RowCounts
from r2d2.recipes.grammar import Project, Union, parents
from r2d2.recipes.predicate.set_cover import MOST_CELLS, exact_subset, may_sum_to
from r2d2.storage.local import Storage

MOST_PARTS = 400
"""Of one union: a year has 366 days."""
MOST_TIMES = 4
"""As often one part may stand in a union."""
SAMPLED_BYTES, SAMPLES, SAMPLE_ROWS = 1 << 20, 8, 1 << 10
SEED = 20260402


def propose_from_parts(request: UnionRequest, counts: RowCounts) -> list[Proposal]:
    """The table as its largest parts together and as its smallest: none, one or two proposals.

    A part that cannot be read is left out. Nothing is read where the numbers of rows rule it out,
    and little where a sampled row of a large table does.
    """
    if not has_rows_enough(request):
        return []
    try:
        if request.table.size_bytes > SAMPLED_BYTES and _lacks_a_sampled_row(request, counts):
            return []
        whole = counts.counted(request.table, by_name(request.table.columns))
    except R2D2Error:
        return []
    unions = set(_unions(request, whole, counts))
    location = request.table.location
    return [
        Proposal(location, parents(union), union, whole.rows)
        for union in sorted(unions, key=lambda union: len(union.parts))
    ]


def _lacks_a_sampled_row(request: UnionRequest, counts: RowCounts) -> bool:
    """Whether one of some rows of the table is in no part, seen by its numbers and times alone.

    These are read in a small part of the time that all columns take.
    """
    table = request.table
    parts = [part for part in request.parts if _same_columns(table, part, counts.types)]
    if not are_columnar((table, *(part.table for part in parts))):
        return False
    columns = quick_columns(counts.storage, table)
    if not columns:
        return False
    samples = sampled_rows(counts.storage, table, columns)
    sets = (most_telling(samples, columns), columns)
    return any(_lacks_one(samples, some, parts, counts) for some in sets)


def are_columnar(tables: Iterable[Table]) -> bool:
    """Whether a few columns of each can be read in less time than all."""
    return all(format_named(table.format).is_columnar for table in tables)


def quick_columns(storage: Storage, table: Table) -> Columns:
    """The table's numbers and times."""
    first = next(read_batches(storage, table, table.columns), None)
    return by_name([] if first is None else [c for c in table.columns if _is_quick(first, c)])


def sampled_rows(storage: Storage, table: Table, columns: Columns) -> list[pa.RecordBatch]:
    """Some rows of each of some splits, in these columns."""
    splits = table.splits[:: -(-len(table.splits) // SAMPLES)]
    each = (read_batches(storage, replace(table, splits=(split,)), columns) for split in splits)
    return [batch.slice(0, SAMPLE_ROWS) for batches in each for batch in islice(batches, 1)]


def most_telling(samples: Sequence[pa.RecordBatch], columns: Columns) -> Columns:
    """The column of most values, the one that most rows differ in."""
    distinct = [sum(len(pc.unique(inside(s, c.path))) for s in samples) for c in columns]
    return (columns[int(np.argmax(distinct))],)


def _lacks_one(
    samples: Sequence[pa.RecordBatch],
    columns: Columns,
    parts: Sequence[ContainedTable],
    counts: RowCounts,
) -> bool:
    """Whether one of the sampled rows, of which only these columns are looked at, is in no part."""
    sampled = HashIndex(sorted_unique(*hashed(samples, [columns], counts.types)))
    found, names = np.zeros(len(sampled.run), np.bool_), {column.name for column in columns}
    for part in parts:
        columns = tuple(column for column in part.columns_renamed if column.name in names)
        with suppress(R2D2Error):  # a part that cannot be read is left out
            for batch in read_batches(counts.storage, part.table, columns):
                places = sampled.positions(*row_hashes(batch, [columns], counts.types))
                found[places[places >= 0]] = True
        if found.all():
            return False
    return True


def _is_quick(rows: pa.RecordBatch, column: Column) -> bool:
    type_ = type_inside(rows.schema, column.path)
    return bool(pt.is_integer(type_) or pt.is_temporal(type_))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A part, the table's distinct rows that it has by their places, and how often it has each."""

    child: ContainedTable
    places: Int64s
    counts: Int64s
    rows: int
    times: int


def has_rows_enough(request: UnionRequest, times: int = MOST_TIMES) -> bool:
    """Whether the parts, each so often, have as many rows as the table, as far as is known."""
    rows = [part.table.rows for part in request.parts]
    known = [number for number in rows if number is not None]
    whole_rows = request.table.rows
    return whole_rows is None or len(known) < len(rows) or times * sum(known) >= whole_rows


def _unions(request: UnionRequest, whole: Counted, counts: RowCounts) -> Iterator[Union]:
    parts = []
    for child in request.parts:
        part = _part(request.table, whole, child, counts)
        if part:
            parts.append(part)
    parts.sort(key=lambda part: (-part.rows, part.child.table.location))
    covers = _covers(whole, [part for part in parts if part.times])
    for chosen in covers:
        yield _union(request.table, chosen)
    if not covers and (whole.counts == 1).all():
        chosen = _overlapping(whole, parts)
        if 1 < len(chosen) <= MOST_PARTS:
            yield _union(request.table, chosen, distinct=True)


def _covers(whole: Counted, parts: Sequence[_Part]) -> list[list[_Part]]:
    places = np.repeat(np.arange(len(parts)), [part.times for part in parts])
    if not may_sum_to([parts[place].rows for place in places.tolist()], whole.rows):
        return []
    classes = _classes(whole, parts)
    if classes is None:
        return []
    covers = []
    for order in (places, places[::-1]):
        subset = _subset(classes[0][order], classes[1])
        if subset is not None:
            chosen = [parts[place] for place in order[subset]]
            if _is_whole(whole, chosen):
                covers.append(chosen)
    return covers


def _part(table: Table, whole: Counted, child: ContainedTable, counts: RowCounts) -> _Part | None:
    """The part; None unless it has rows, and none that the table lacks or all that it has.

    `times` is how often it may stand in a union: 0 where it has a row more often than the table.
    """
    if not _same_columns(table, child, counts.types):
        return None
    try:
        part = counts.counted(child.table, child.columns_renamed)
    except R2D2Error:
        return None
    is_less = part.rows < whole.rows or len(part.counts) < len(whole.counts)
    if not part.rows or not is_less:
        return None
    places, held, missing = whole.held(part)
    if missing:
        return None
    times = int((whole.counts[places] // held).min())
    return _Part(child, places, held, part.rows, min(times, MOST_TIMES))


def _same_columns(table: Table, child: ContainedTable, types: Types) -> bool:
    """Whether the part's columns are the table's, one to one, and of types that match."""
    own = {column.name: column.type for column in table.columns}
    part = {child.names.get(column.name): column.type for column in child.columns}
    return own.keys() == part.keys() and all(match(own[name], part[name], types) for name in own)


def _classes(whole: Counted, parts: Sequence[_Part]) -> tuple[Int64s, Int64s] | None:
    """How often each part has a row of each class (parts × classes), and how often the table.

    None where these are too many.
    """
    random = np.random.default_rng(SEED)
    weights = random.integers(0, 2**64, len(parts) + 1, np.uint64) | np.uint64(1)
    marks = whole.counts.astype(np.uint64) * weights[-1]
    for part, weight in zip(parts, weights, strict=False):
        marks[part.places] += part.counts.astype(np.uint64) * weight
    _, firsts, class_of = np.unique(marks, return_index=True, return_inverse=True)
    if len(firsts) * len(parts) > MOST_CELLS:
        return None
    matrix = np.zeros((len(parts), len(firsts)), np.int64)
    for number, part in enumerate(parts):
        matrix[number, class_of[part.places]] = part.counts
    return matrix, whole.counts[firsts]


def _subset(matrix: Int64s, need: Int64s) -> Int64s | None:
    left, taken = need.copy(), []
    for number, counts in enumerate(matrix):
        if (counts <= left).all():
            left -= counts
            taken.append(number)
    if left.any():
        return exact_subset(matrix, need, MOST_PARTS)
    return np.array(taken) if len(taken) <= MOST_PARTS else None


def _overlapping(whole: Counted, parts: Sequence[_Part]) -> list[_Part]:
    """Parts that have all rows together, none within the others; () where there are none.

    The largest are taken first, as long as one has rows that those before lack.
    """
    taken, times = list[_Part](), np.zeros(len(whole.counts), np.int64)
    for part in parts:
        if not times[part.places].all():
            times[part.places] += 1
            taken.append(part)
    if not times.all():
        return []
    for part in reversed(tuple(taken)):
        if (times[part.places] > 1).all():
            times[part.places] -= 1
            taken.remove(part)
    return taken


def _is_whole(whole: Counted, parts: Sequence[_Part]) -> bool:
    left = whole.counts.copy()
    for part in parts:
        left[part.places] -= part.counts
    return not left.any()


def _union(table: Table, parts: Sequence[_Part], distinct: bool = False) -> Union:
    ordered = sorted(parts, key=lambda part: part.child.table.location)
    return Union(tuple(_project(table, part.child) for part in ordered), distinct)


def _project(table: Table, child: ContainedTable) -> Project:
    part = child.table
    names = {theirs: ours for ours, theirs in child.names.items()}
    return Project(part.location, outputs(table.columns, part.columns, names))
