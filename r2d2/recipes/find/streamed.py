"""Recipes for the children of a parent whose rows do not fit the memory: a few passes over it.

| pass | what is learnt of every child at once |
|---|---|
| one over each child | its tally (`RowTally`), and a summary of each column |
| up to three over the parent | the tally of the rows that the children's tightest atoms select |
| `ranges`, over both | for children without a recipe yet, each row's label, by ranges of hashes |
| up to three more | as the first, with atoms of all the parent's columns for labelled rows |

The first pass finds whole tables, and selections by columns that the child has: by those atoms that
some of the rows need (see `predicate.summaries.Exclusions`). Most children need no other. Labels
tell distinct rows, rows that the parent lacks, and the columns that the child dropped; so many
passes are made that the hashes of one range fit the memory.

Nothing is proposed on less than the whole multiset: the selected rows have the child's tally, or
its hashes were counted range by range. Partial rows are not told apart here (see
`predicate.partial_groups`): their child is listed by its hashes, if these fit the memory.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import numpy as np
import pyarrow as pa

from r2d2.arrays import Int64s, Positions, array_of
from r2d2.errors import R2D2Error
from r2d2.formats.errors import table_problem
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import Counted, HashIndex, RowTally, Seen
from r2d2.hashing.rows import row_hashes
from r2d2.hashing.runs import HashFilter, joined, rows_in, taken
from r2d2.recipes.find.from_one_parent import (
    BYTES_PER_COLUMN,
    MOST_ADDED_SHARE,
    MOST_REMOVED_RATIO,
    row_list,
    too_few_rows,
)
from r2d2.recipes.find.passes import (
    Search,
    StreamedParent,
    decided_by_selection,
    exclusions_of,
    search_of,
    select,
)
from r2d2.recipes.find.reading import inside, read_batches
from r2d2.recipes.find.request import ContainedTable, Proposal, Request, no_recipe
from r2d2.recipes.find.row_counts import RowCounts
from r2d2.recipes.grammar import (
    Distinct,
    Patch,
    Path,
    Project,
    Residual,
    ResidualKind,
    Rows,
)
from r2d2.recipes.predicate.summaries import ColumnSummary

BYTES_PER_LABELLED_ROW, BYTES_PER_SORTED_ROW = 32, 64
"""Of a child in one range of hashes: words and counts; and while it is sorted."""
BYTES_PER_LISTED_ROW = 64
"""Of a hash where a recipe that lists rows, or gives distinct ones, runs."""
MOST_RANGES = 16


def propose_streamed(request: Request, counts: RowCounts) -> list[Proposal]:
    """A proposal for each child, with the number of passes that were made over the parent.

    Raises:
        TableError: the parent cannot be read.
    """
    parent = StreamedParent(counts, request.parent)
    found: dict[int, Proposal] = {}
    searches: dict[int, Search] = {}

    def search_for(number: int) -> None:
        child = request.children[number]
        try:
            searches[number] = search_of(parent, child)
        except R2D2Error as error:
            found[number] = no_recipe(request.parent, child.table, str(error))
        except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
            found[number] = no_recipe(request.parent, child.table, table_problem(error))

    with ThreadPoolExecutor(parent.threads) as pool:
        list(pool.map(search_for, range(len(request.children))))
    searches = dict(sorted(searches.items()))
    select(parent, [search for search in searches.values() if search.may_be_selected])
    left = [s for s in searches.values() if not decided_by_selection(parent, s)]
    _label(parent, left, counts.memory_bytes)
    for number, search in searches.items():
        found[number] = search.proposal(parent)
    return [found[number] for number in range(len(request.children))]


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


def _label(parent: StreamedParent, searches: Sequence[Search], memory_bytes: int) -> None:
    """Decides the searches by labels of the parent's rows, made in ranges of hashes."""
    room = max(1, memory_bytes // 2)
    searches = _few_enough(searches, room * MOST_RANGES)
    if not searches:
        return
    ranges = -(-_labelled_bytes([search.rows for search in searches]) // room)
    every = [column.path for column in parent.table.columns]
    labels = [_Labels(RowTally(), parent.summaries(every)) for _ in searches]
    for number in range(ranges):
        _label_range(parent, searches, labels, (number, ranges))
    labelled = list(zip(searches, labels, strict=True))
    open_ = [pair for pair in labelled if not _decided_by_labels(parent, *pair, memory_bytes)]
    again = [pair for pair in open_ if _may_have_other_atoms(parent, *pair)]
    for search, found in again:
        search.target, search.selected = found.within, RowTally()
        search.exclusions = exclusions_of(parent, found.summaries, search.rows)
    select(parent, [search for search, _ in again])
    chosen = [search for search, _ in again if decided_by_selection(parent, search)]
    for search, found in open_:
        if search not in chosen:
            _list_rows(parent, search, found, memory_bytes)


def _few_enough(searches: Sequence[Search], most_bytes: int) -> list[Search]:
    """The smallest children, that together need no more; the others have a reason."""
    few: list[Search] = []
    for search in sorted(searches, key=lambda search: search.rows):
        if _labelled_bytes([each.rows for each in (*few, search)]) <= most_bytes:
            few.append(search)
        else:
            search.reason = (
                "no simple predicate selects its rows, and these exceed the memory: to compare them"
                f" takes more than {MOST_RANGES} passes"
            )
    return few


def _labelled_bytes(rows: Sequence[int]) -> int:
    """The memory for labels of children of so many rows."""
    return BYTES_PER_LABELLED_ROW * sum(rows) + BYTES_PER_SORTED_ROW * max(rows, default=0)


def _label_range(
    parent: StreamedParent,
    searches: Sequence[Search],
    labels: Sequence[_Labels],
    part: tuple[int, int],
) -> None:
    """Reads the children and the parent, and labels the rows of one range of hashes."""
    children = [_counted(parent, search.child, part) for search in searches]
    indexes = [HashIndex(Lanes(child.first, child.second)) for child in children]
    filters = [HashFilter.of([index.run]) for index in indexes]
    held = [np.zeros(len(index.run), np.int64) for index in indexes]
    others = [Seen() for _ in searches]
    sets = list(dict.fromkeys(search.columns for search in searches))
    locks = [Lock() for _ in searches]

    def label(batch: pa.RecordBatch) -> None:
        hashes = dict(zip(sets, row_hashes(batch, sets, parent.types), strict=True))
        for place, (search, found) in enumerate(zip(searches, labels, strict=True)):
            lanes = hashes[search.columns]
            counts_others = found.others <= MOST_REMOVED_RATIO * search.rows
            rows = rows_in(lanes, *part) if counts_others else filters[place].passing(lanes)
            lanes = taken(lanes, rows)
            positions = indexes[place].positions(lanes)
            is_held = positions >= 0
            members, at = rows[is_held], positions[is_held]
            with locks[place]:
                np.add.at(held[place], at, 1)
                if counts_others:
                    found.others += len(others[place].new(taken(lanes, np.flatnonzero(~is_held))))
                if (held[place][at] > children[place].counts[at]).any():
                    found.summaries.clear()  # a row is partial, and so no atoms are looked for
                if len(members):
                    _add_rows(found.summaries, batch, members)

    parent.each_batch(parent.table.columns, label)
    for child, counts, found in zip(children, held, labels, strict=True):
        found.add(child, counts)


def _add_rows(
    summaries: Mapping[Path, ColumnSummary], batch: pa.RecordBatch, rows: Positions
) -> None:
    """Adds these rows of the batch to the summaries of its columns."""
    taken_rows = None if len(rows) == batch.num_rows else array_of(rows, pa.int64())
    for path, summary in summaries.items():
        array = inside(batch, path)
        summary.add(array if taken_rows is None else array.take(taken_rows))


def _counted(parent: StreamedParent, child: ContainedTable, part: tuple[int, int]) -> Counted:
    """The child's rows in one range of hashes."""
    runs = []
    for batch in read_batches(parent.storage, child.table, child.columns):
        (lanes,) = row_hashes(batch, [child.columns], parent.types)
        runs.append(taken(lanes, rows_in(lanes, *part)))
    return Counted.of(joined(runs))


def _decided_by_labels(
    parent: StreamedParent, search: Search, found: _Labels, memory_bytes: int
) -> bool:
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


def _may_have_other_atoms(parent: StreamedParent, search: Search, found: _Labels) -> bool:
    """Whether labelled rows may have tighter atoms than the child's, and none is partial."""
    is_new = found.within != search.target or len(found.summaries) > len(search.summaries)
    return not found.surplus and is_new


def _list_rows(parent: StreamedParent, search: Search, found: _Labels, memory_bytes: int) -> None:
    """The recipe that lists the child's rows by their hashes, or the others."""
    location, child = parent.table.location, search.child.table
    removed, parent_rows = found.others + found.surplus, parent.table.rows
    is_patch = removed <= MOST_REMOVED_RATIO * found.listed
    if max(found.listed, removed if is_patch else 0) * BYTES_PER_LISTED_ROW > memory_bytes:
        search.reason = "no simple predicate selects its rows, whose list exceeds the memory"
    elif is_patch:
        whole = Project(location, search.outputs)
        search.inner = Patch(whole, minus=row_list(child, removed, parent_rows))
    else:
        search.inner = Rows(location, search.outputs, row_list(child, found.listed, parent_rows))
