"""Recipes for the children of a parent whose rows do not fit the memory: a few passes over it.

| pass | what is learnt of every child at once |
|---|---|
| one over each child | its tally (`RowTally`), and a summary of each column |
| one over the parent | the tally of the rows that the children's tightest atoms select together |
| `ranges`, over both | for children without a recipe yet, each row's label, by ranges of hashes |
| one more | as the first, with the tightest atoms of all the parent's columns for labelled rows |

The first pass finds whole tables, and selections by columns that the child has. Most children need
no other. Labels tell distinct rows, rows that the parent lacks, and the columns that the child
dropped; so many passes are made that the hashes of one range fit the memory.

Nothing is proposed on less than the whole multiset: the selected rows have the child's tally, or
its hashes were counted range by range. Partial rows are not told apart here (see
`predicate.partial_groups`): their child is listed by its hashes, if these fit the memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from r2d2.arrays import Bools, Int64s, array_of
from r2d2.errors import R2D2Error
from r2d2.formats.errors import table_problem
from r2d2.formats.uniform import plain_array, without_views
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import Counted, RowTally, Seen
from r2d2.hashing.rows import row_hashes
from r2d2.hashing.runs import hash_order, joined, positions_in, rows_in, taken
from r2d2.model import Column, Table, Types
from r2d2.recipes.find.from_one_parent import (
    BYTES_PER_COLUMN,
    MOST_ADDED_SHARE,
    MOST_REMOVED_RATIO,
    has_literals,
    listed_hashes,
    same_types,
    too_few_rows,
)
from r2d2.recipes.find.reading import inside, read_batches, type_inside
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
from r2d2.recipes.predicate.encode import plain_type
from r2d2.recipes.predicate.summaries import ColumnSummary, Exclusions, ParentColumn
from r2d2.storage.local import Storage

BYTES_PER_LABELLED_ROW = 96
"""Of a child in one range of hashes: words and counts, and as much again while it is sorted."""
BYTES_PER_LISTED_ROW = 64
"""Of a hash where a recipe that lists rows, or gives distinct ones, runs."""
MOST_RANGES = 16


def propose_streamed(request: Request, counts: RowCounts) -> list[Proposal]:
    """A proposal for each child; where there is a recipe, the reason tells the number of passes.

    Raises:
        TableError: the parent cannot be read.
    """
    parent = _Parent(counts.storage, counts.types, request.parent)
    found: dict[int, Proposal] = {}
    searches: dict[int, _Search] = {}
    for number, child in enumerate(request.children):
        try:
            searches[number] = _search(parent, child)
        except R2D2Error as error:
            found[number] = no_recipe(request.parent, child.table, str(error))
        except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
            found[number] = no_recipe(request.parent, child.table, table_problem(error))
    _select(parent, [search for search in searches.values() if search.may_be_selected])
    left = [s for s in searches.values() if not _decided_by_selection(parent, s)]
    _label(parent, left, counts.memory_bytes)
    for number, search in searches.items():
        found[number] = search.proposal(parent)
    return [found[number] for number in range(len(request.children))]


class _Parent:
    """The parent's rows, read batch by batch, and its columns that may stand in atoms."""

    def __init__(self, storage: Storage, types: Types, table: Table) -> None:
        self.storage, self.types, self.table = storage, types, table
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

    def batches(self, columns: Iterable[Column]) -> Iterator[pa.RecordBatch]:
        """All rows with these columns: one pass."""
        self.passes += 1
        names = {column.path[0] for column in columns}
        read = [column for column in self.table.columns if column.path[0] in names]
        yield from map(without_views, read_batches(self.storage, self.table, read))

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
class _Search:
    """The search for one child: the rows that it must give, and those found for them.

    `columns` are the parent's under the child's names, `target` the tally of the child's rows, or
    of those that the parent has. `summaries` are of these rows by the parent's paths.
    """

    child: ContainedTable
    columns: Columns
    outputs: tuple[Output, ...]
    rows: int
    target: RowTally
    summaries: dict[Path, ColumnSummary]
    exclusions: Exclusions
    selected: RowTally = field(default_factory=RowTally)
    inner: Leaf | Patch | None = None
    plus: Residual | None = None
    reason: str = ""

    @property
    def may_be_selected(self) -> bool:
        """Whether the atoms do not select more rows than the child has."""
        return self.target.rows > 0 and self.selected.rows <= self.target.rows

    def proposal(self, parent: _Parent) -> Proposal:
        """The answer."""
        if self.inner is None:
            return no_recipe(parent.table, self.child.table, self.reason, self.rows)
        recipe = self.inner
        if self.plus is not None:
            patch = recipe if isinstance(recipe, Patch) else Patch(recipe)
            recipe = replace(patch, plus=self.plus)
        location, parents = self.child.table.location, (parent.table.location,)
        told = f"found in {parent.passes} passes over its parent"
        return Proposal(location, parents, recipe, self.rows, told)


def _search(parent: _Parent, child: ContainedTable) -> _Search:
    """The child's search, after one pass over its rows.

    Raises:
        R2D2Error: it cannot be read, or there is no recipe whatever its rows are.
    """
    table = child.table
    if not same_types(child, parent.table):
        raise R2D2Error("its columns have other types")
    columns = child.columns_of(parent.table)
    made = outputs(table.columns, parent.table.columns, child.names)
    summaries = parent.summaries(column.path for column in columns)
    sources = [
        (summaries[theirs.path], own.path)
        for own, theirs in zip(child.columns, columns, strict=True)
        if theirs.path in summaries
    ]
    target = RowTally()
    for batch in read_batches(parent.storage, table, child.columns):
        (lanes,) = row_hashes(batch, [child.columns], parent.types)
        target.add(lanes)
        for summary, path in sources:
            summary.add(inside(batch, path))
    exclusions = _exclusions(parent, summaries, target.rows)
    return _Search(child, columns, made, target.rows, target, summaries, exclusions)


def _exclusions(parent: _Parent, summaries: dict[Path, ColumnSummary], rows: int) -> Exclusions:
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


def _select(parent: _Parent, searches: Sequence[_Search]) -> None:
    """One pass over the parent: the tallies of the rows that each search's atoms select.

    It ends where every search has selected more rows than its child has.
    """
    if not searches:
        return
    parent.forget()
    paths = {atom.column.path for search in searches for atom in search.exclusions.candidates}
    hashed = {column.path for search in searches for column in search.columns}
    read = [column for column in parent.table.columns if column.path in paths | hashed]
    for batch in parent.batches(read):
        live = [search for search in searches if search.may_be_selected]
        if not live:
            return
        columns = {path: parent.columns[path].values(inside(batch, path)) for path in paths}
        masks = [search.exclusions.selected(columns, batch.num_rows) for search in live]
        some: Bools = np.logical_or.reduce(masks)
        if not some.any():
            continue
        rows = batch if some.all() else batch.filter(array_of(some, pa.bool_()))
        sets = list(dict.fromkeys(search.columns for search in live))
        hashes = dict(zip(sets, row_hashes(rows, sets, parent.types), strict=True))
        for search, mask in zip(live, masks, strict=True):
            lanes, chosen = hashes[search.columns], mask[some]
            search.selected.add(Lanes(lanes.first[chosen], lanes.second[chosen]))


def _decided_by_selection(parent: _Parent, search: _Search) -> bool:
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


@dataclass(slots=True, eq=False)
class _Labels:
    """What a child's labels add up to; see `predicate.row_labels` for the words.

    `within` is the tally of the child's rows that the parent has, `summaries` are of all groups
    that it has of these. `listed` counts these groups, `surplus` those of which the parent has more
    rows, `others` (up to a limit) those of which the child has none.
    """

    within: RowTally
    summaries: dict[Path, ColumnSummary]
    listed: int = 0
    surplus: int = 0
    others: int = 0
    most_copies: int = 0
    are_lacking: bool = False

    def add(self, child: Counted, parent_counts: Int64s) -> None:
        """Adds a range: the child's groups, and how many rows of each the parent has."""
        within = np.minimum(child.counts, parent_counts)
        self.within.add(Lanes(child.first, child.second), within)
        self.listed += int(np.count_nonzero(within))
        self.surplus += int(np.count_nonzero(parent_counts > child.counts))
        self.most_copies = max(self.most_copies, int(within.max(initial=0)))
        self.are_lacking |= not parent_counts.all()


def _label(parent: _Parent, searches: Sequence[_Search], memory_bytes: int) -> None:
    """Decides the searches by labels of the parent's rows, made in ranges of hashes."""
    room = memory_bytes // 2 // BYTES_PER_LABELLED_ROW
    searches = _few_enough(searches, room * MOST_RANGES)
    ranges = -(-sum(search.rows for search in searches) // max(1, room)) or 1
    if not searches:
        return
    every = [column.path for column in parent.table.columns]
    labels = [_Labels(RowTally(), parent.summaries(every)) for _ in searches]
    for number in range(ranges):
        _label_range(parent, searches, labels, (number, ranges))
    labelled = list(zip(searches, labels, strict=True))
    open_ = [pair for pair in labelled if not _decided_by_labels(parent, *pair, memory_bytes)]
    again = [pair for pair in open_ if _may_have_other_atoms(parent, *pair)]
    for search, found in again:
        search.target, search.selected = found.within, RowTally()
        search.exclusions = _exclusions(parent, found.summaries, search.rows)
    _select(parent, [search for search, _ in again])
    chosen = [search for search, _ in again if _decided_by_selection(parent, search)]
    for search, found in open_:
        if search not in chosen:
            _list_rows(parent, search, found, memory_bytes)


def _few_enough(searches: Sequence[_Search], most_rows: int) -> list[_Search]:
    """The smallest children, that together have no more rows; the others have a reason."""
    few, rows = [], 0
    for search in sorted(searches, key=lambda search: search.rows):
        rows += search.rows
        if rows <= most_rows:
            few.append(search)
        else:
            search.reason = (
                "no simple predicate selects its rows, and these exceed the memory: to compare them"
                f" takes more than {MOST_RANGES} passes"
            )
    return few


def _label_range(
    parent: _Parent,
    searches: Sequence[_Search],
    labels: Sequence[_Labels],
    part: tuple[int, int],
) -> None:
    """Reads the children and the parent, and labels the rows of one range of hashes."""
    children = [_counted(parent, search.child, part) for search in searches]
    held = [np.zeros(len(child.counts), np.int64) for child in children]
    others = [Seen() for _ in searches]
    sets = list(dict.fromkeys(search.columns for search in searches))
    for batch in parent.batches(parent.table.columns):
        hashes = dict(zip(sets, row_hashes(batch, sets, parent.types), strict=True))
        arrays = {path: plain_array(inside(batch, path)) for path in parent.columns}
        for place, (search, found) in enumerate(zip(searches, labels, strict=True)):
            rows = rows_in(hashes[search.columns], *part)
            ordered = hash_order(taken(hashes[search.columns], rows))
            distinct, counts = ordered.distinct(), ordered.counts()
            run = Lanes(children[place].first, children[place].second)
            positions = positions_in(run, distinct)
            is_held = positions >= 0
            held[place][positions[is_held]] += counts[is_held]
            if found.others <= MOST_REMOVED_RATIO * search.rows:
                found.others += len(others[place].new(taken(distinct, np.flatnonzero(~is_held))))
            members = rows[ordered.order[np.repeat(is_held, counts)]]
            if len(members):
                taken_rows = array_of(members, pa.int64())
                for path, summary in found.summaries.items():
                    whole = len(members) == batch.num_rows
                    summary.add(arrays[path] if whole else arrays[path].take(taken_rows))
    for child, counts, found in zip(children, held, labels, strict=True):
        found.add(child, counts)


def _counted(parent: _Parent, child: ContainedTable, part: tuple[int, int]) -> Counted:
    """The child's rows in one range of hashes."""
    runs = []
    for batch in read_batches(parent.storage, child.table, child.columns):
        (lanes,) = row_hashes(batch, [child.columns], parent.types)
        runs.append(taken(lanes, rows_in(lanes, *part)))
    return Counted.of(joined(runs))


def _decided_by_labels(parent: _Parent, search: _Search, found: _Labels, memory_bytes: int) -> bool:
    """Whether the labels alone tell the recipe, or that there is none."""
    table, location = search.child.table, parent.table.location
    missing = search.rows - found.within.rows
    share = missing / search.rows if search.rows else 0.0
    if share > MOST_ADDED_SHARE:
        search.reason = too_few_rows(found.are_lacking)
        return True
    if missing:
        size_bytes = int(share * table.size_bytes) + BYTES_PER_COLUMN * len(table.columns)
        search.plus = Residual(ResidualKind.ROWS, table.location, missing, size_bytes)
    if not found.others and not found.surplus:
        search.inner = Project(location, search.outputs)
    elif not found.others and found.most_copies == 1:
        if search.rows * BYTES_PER_LISTED_ROW > memory_bytes:
            search.reason = "it is the parent's distinct rows, and too many to tell apart in memory"
        else:
            search.inner = Distinct(location, search.outputs)
    return search.inner is not None or bool(search.reason)


def _may_have_other_atoms(parent: _Parent, search: _Search, found: _Labels) -> bool:
    """Whether labelled rows may have tighter atoms than the child's, and none is partial."""
    is_new = found.within != search.target or len(found.summaries) > len(search.summaries)
    return not found.surplus and is_new


def _list_rows(parent: _Parent, search: _Search, found: _Labels, memory_bytes: int) -> None:
    """The recipe that lists the child's rows by their hashes, or the others."""
    location, child = parent.table.location, search.child.table
    removed = found.others + found.surplus
    is_patch = removed <= MOST_REMOVED_RATIO * found.listed
    if max(found.listed, removed if is_patch else 0) * BYTES_PER_LISTED_ROW > memory_bytes:
        search.reason = "no simple predicate selects its rows, whose list exceeds the memory"
    elif is_patch:
        whole = Project(location, search.outputs)
        search.inner = Patch(whole, minus=listed_hashes(child, removed))
    else:
        search.inner = Rows(location, search.outputs, listed_hashes(child, found.listed))
