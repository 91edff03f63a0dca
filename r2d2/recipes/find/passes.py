"""Passes over a parent beyond memory, and a first one over each of its children.

A pass selects, for every search at once, the parent's rows by the tightest atoms for its child's
rows. Nothing but tallies, summaries of columns and sets of atoms is held.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from threading import Event, Lock

import numpy as np
import pyarrow as pa

from r2d2.arrays import Bools, Positions, array_of
from r2d2.errors import R2D2Error
from r2d2.formats.uniform import without_views
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import RowTally
from r2d2.hashing.rows import row_hashes
from r2d2.hashing.runs import taken
from r2d2.model import Column, Table
from r2d2.recipes.find.from_one_parent import (
    has_literals,
    same_types,
)
from r2d2.recipes.find.reading import inside, read_batches, type_inside
from r2d2.recipes.find.request import Columns, ContainedTable, Proposal, no_recipe
from r2d2.recipes.find.row_counts import RowCounts
from r2d2.recipes.grammar import Leaf, Output, Patch, Path, Project, Residual, Select
from r2d2.recipes.predicate.encode import plain_type
from r2d2.recipes.predicate.summaries import (
    ColumnSummary,
    ColumnValues,
    Exclusions,
    ParentColumn,
    ParentColumns,
)

SAMPLES, SAMPLE_ROWS = 8, 1 << 12
LEAST_FLAG_BITS, MOST_FLAG_BITS = 16, 24
"""Of a child's flags, a byte each."""


class StreamedParent:
    """The parent's rows, read batch by batch, and its columns that may stand in atoms."""

    def __init__(self, counts: RowCounts, table: Table) -> None:
        storage = counts.storage
        self.storage, self.types, self.table = storage, counts.types, table
        self.threads = counts.threads
        self.passes = 0
        first = next(read_batches(storage, table, table.columns), None)
        partitions = set(table.details.get("partition columns", "").split(", "))
        self.columns: dict[Path, ParentColumn] = {}
        for position, column in enumerate(table.columns):
            if first is None or not has_literals(column, first):
                continue
            type_ = plain_type(type_inside(first.schema, column.path))
            if type_ is not None:
                self.columns[column.path] = ParentColumn(
                    column.path, position, type_, column.name in partitions
                )

    def each_batch(
        self, columns: Iterable[Column], work: Callable[[pa.RecordBatch], bool | None]
    ) -> None:
        """One pass: the work is done on all rows with these columns, by threads; False ends it."""
        self.passes += 1
        read, is_over = self._read(columns), Event()

        def work_through(table: Table) -> None:
            for batch in read_batches(self.storage, table, read):
                if is_over.is_set() or work(without_views(batch)) is False:
                    is_over.set()
                    return

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(work_through, self._parts))

    def sample(self, columns: Iterable[Column]) -> Iterator[pa.RecordBatch]:
        """Some rows with these columns, from all over the table."""
        read, parts = self._read(columns), self._parts
        for part in parts[:: -(-len(parts) // SAMPLES)] if parts else ():
            for batch in islice(read_batches(self.storage, part, read), 1):
                yield without_views(batch.slice(0, SAMPLE_ROWS))

    def _read(self, columns: Iterable[Column]) -> list[Column]:
        names = {column.path[0] for column in columns}
        return [column for column in self.table.columns if column.path[0] in names]

    @property
    def _parts(self) -> list[Table]:
        return [replace(self.table, splits=(split,)) for split in self.table.splits]

    def values_of(self, batch: pa.RecordBatch) -> ColumnValues:
        """The batch's values of columns that are asked for, in their plain types."""
        return cache(lambda path: self.columns[path].values(inside(batch, path)))

    def forget(self) -> None:
        """Makes the columns as new: one pass tells all of them."""
        self.columns = {
            path: ParentColumn(path, column.position, column.type, column.is_partition)
            for path, column in self.columns.items()
        }

    def summaries(self, paths: Iterable[Path]) -> dict[Path, ColumnSummary]:
        """Empty summaries of those of the columns that may stand in atoms."""
        return {p: ColumnSummary(self.columns[p].type) for p in paths if p in self.columns}


@dataclass(slots=True, eq=False)
class Search:
    """The search for one child: the rows that it must give, and those found for them.

    `columns` are the parent's under the child's names, `target` the tally of the child's rows, or
    of those that the parent has. `summaries` are of these rows by the parent's paths.
    """

    child: ContainedTable
    columns: Columns
    outputs: tuple[Output, ...]
    rows: int
    target: RowTally
    met: "MetHashes"
    summaries: dict[Path, ColumnSummary]
    exclusions: Exclusions
    selected: RowTally = field(default_factory=RowTally)
    is_refuted: bool = False
    inner: Leaf | Patch | None = None
    plus: Residual | None = None
    reason: str = ""

    @property
    def may_be_selected(self) -> bool:
        """Whether the atoms select no row that is not the child's, as far as is known."""
        return 0 < self.target.rows >= self.selected.rows and not self.is_refuted

    def look(self, lanes: Lanes) -> Positions:
        """Those of the rows, which all atoms select, that are surely not the child's."""
        wrong = self.met.missing(lanes)
        self.is_refuted |= len(wrong) > 0
        return wrong

    def proposal(self, parent: StreamedParent) -> Proposal:
        """The answer."""
        if self.inner is None:
            refused = no_recipe(parent.table, self.child.table, self.reason, self.rows)
            return replace(refused, passes=parent.passes)
        recipe = self.inner
        if self.plus is not None:
            patch = recipe if isinstance(recipe, Patch) else Patch(recipe)
            recipe = replace(patch, plus=self.plus)
        location, parents = self.child.table.location, (parent.table.location,)
        return Proposal(location, parents, recipe, self.rows, passes=parent.passes)


class MetHashes:
    """The child's hashes by a few of their bits: of other hashes about as many seem met as not."""

    def __init__(self, rows: int) -> None:
        size = min(max(rows.bit_length(), LEAST_FLAG_BITS), MOST_FLAG_BITS)
        self._flags, self._shift = np.zeros(1 << size, np.bool_), np.uint64(64 - size)

    def add(self, lanes: Lanes) -> None:
        """Adds hashes."""
        self._flags[lanes.first >> self._shift] = True

    def missing(self, lanes: Lanes) -> Positions:
        """The rows whose hashes were surely not added."""
        return np.flatnonzero(~self._flags[lanes.first >> self._shift])


def search_of(parent: StreamedParent, child: ContainedTable) -> Search:
    """The child's search, after one pass over its rows.

    Raises:
        R2D2Error: it cannot be read, or there is no recipe whatever its rows are.
    """
    table = child.table
    if not same_types(child, parent.table, parent.types):
        raise R2D2Error("its columns have other types")
    columns = child.columns_of(parent.table)
    made = child.outputs_of(parent.table)
    # A text export's values are texts, which bound none of the parent's.
    summaries = parent.summaries(column.path for column in columns if not column.rendering)
    sources = [
        (summaries[theirs.path], own.path)
        for own, theirs in zip(child.columns, columns, strict=True)
        if theirs.path in summaries
    ]
    target, met = RowTally(), MetHashes(table.rows or 0)
    for batch in read_batches(parent.storage, table, child.columns):
        (lanes,) = row_hashes(batch, [child.columns], parent.types)
        target.add(lanes)
        met.add(lanes)
        for summary, path in sources:
            summary.add(inside(batch, path))
    exclusions = exclusions_of(parent, summaries, target.rows)
    return Search(child, columns, made, target.rows, target, met, summaries, exclusions)


def exclusions_of(
    parent: StreamedParent, summaries: dict[Path, ColumnSummary], rows: int
) -> Exclusions:
    columns = ((parent.columns[path], summary) for path, summary in summaries.items())
    return Exclusions(
        [
            candidate
            for column, summary in columns
            for candidate in summary.candidates(
                column.path, column.position, column.is_partition, rows
            )
        ]
    )


def select(parent: StreamedParent, searches: Sequence[Search]) -> None:
    """One pass over the parent: the tallies of the rows that each search's atoms select.

    It ends where every search has selected a row that is not its child's. Atoms are chosen from
    samples; where these select a wrong row, they are chosen anew with it for another pass; and
    where these select too many rows, all atoms are looked at.
    """
    if not searches:
        return
    possible, sampled = _selectable(parent, searches), parent.columns
    settled = [search for search in possible if search.exclusions.settle(sampled)]
    _select_all(parent, settled)
    again = [
        search
        for search in settled
        if _may_need_others(parent, search) and _has_others(search.exclusions, sampled)
    ]
    _select_anew(parent, again)
    left = [search for search in again if search.exclusions.is_settled]
    left = [search for search in left if _may_need_others(parent, search)]
    for search in left:
        search.exclusions.look_at_all()
    _select_anew(parent, left)


def _has_others(exclusions: Exclusions, columns: ParentColumns) -> bool:
    """Whether other atoms may do: those chosen anew where wrong rows are known, else all."""
    if exclusions.is_outdated:
        return exclusions.settle(columns)
    exclusions.look_at_all()
    return True


def _select_anew(parent: StreamedParent, searches: Sequence[Search]) -> None:
    for search in searches:
        search.selected, search.is_refuted = RowTally(), False
    _select_all(parent, searches)


def _may_need_others(parent: StreamedParent, search: Search) -> bool:
    """Whether a look at all atoms may tell more: too many rows were selected, or by others."""
    if not search.may_be_selected:
        return True
    return search.selected == search.target and search.exclusions.chosen(parent.columns) is None


def _selectable(parent: StreamedParent, searches: Sequence[Search]) -> list[Search]:
    """Those searches of which no sampled row is selected by all atoms and surely not the child's.

    Each is shown some of the parent's rows, so that it knows good atoms early.
    """
    parent.forget()
    atoms = {atom.column.path for search in searches for atom in search.exclusions.candidates}
    hashed = {column.path for search in searches for column in search.columns}
    left = list(searches)
    for search in left:
        search.is_refuted = False
    for batch in parent.sample([c for c in parent.table.columns if c.path in atoms | hashed]):
        values = parent.values_of(batch)
        masks = [search.exclusions.selected(values, batch.num_rows) for search in left]
        sets = list(dict.fromkeys(search.columns for search in left))
        hashes = dict(zip(sets, row_hashes(batch, sets, parent.types), strict=True))
        for search, mask in zip(left, masks, strict=True):
            search.look(taken(hashes[search.columns], np.flatnonzero(mask)))
        left = [search for search in left if search.may_be_selected]
    return left


def _select_all(parent: StreamedParent, searches: Sequence[Search]) -> None:
    if not searches:
        return
    parent.forget()
    atoms = {path for search in searches for path in search.exclusions.paths}
    hashed = {column.path for search in searches for column in search.columns}
    lock = Lock()

    def take_selected(batch: pa.RecordBatch) -> bool:
        live = [search for search in searches if search.may_be_selected]
        values = parent.values_of(batch)
        masks = [search.exclusions.selected(values, batch.num_rows) for search in live]
        some: Bools = np.logical_or.reduce(masks) if masks else np.zeros(batch.num_rows, np.bool_)
        if not some.any():
            return bool(live)
        rows = batch if some.all() else batch.filter(array_of(some, pa.bool_()))
        sets = list(dict.fromkeys(search.columns for search in live))
        hashes = dict(zip(sets, row_hashes(rows, sets, parent.types), strict=True))
        for search, mask in zip(live, masks, strict=True):
            lanes, chosen, tally = hashes[search.columns], mask[some], RowTally()
            lanes = Lanes(lanes.first[chosen], lanes.second[chosen])
            tally.add(lanes)
            with lock:
                search.selected.add_tally(tally)
                wrong = search.look(lanes)
            exclusions = search.exclusions
            if len(wrong) and exclusions.is_settled and exclusions.every_path <= atoms | hashed:
                exclusions.add_wrong(values, np.flatnonzero(mask)[wrong])
        return True

    read = [column for column in parent.table.columns if column.path in atoms | hashed]
    parent.each_batch(read, take_selected)


def decided_by_selection(parent: StreamedParent, search: Search) -> bool:
    """Whether the selected rows are the target; the search's recipe then gives these."""
    if not search.target.rows or search.selected != search.target:
        return False
    chosen = search.exclusions.chosen(parent.columns)
    if chosen is None:
        return False
    location = parent.table.location
    if chosen:
        atoms = tuple(candidate.atom() for candidate in chosen)
        search.inner = Select(location, search.outputs, atoms)
    else:
        search.inner = Project(location, search.outputs)
    return True
