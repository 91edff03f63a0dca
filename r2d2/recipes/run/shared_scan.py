"""Recipes that read one parent, tried out or run together: one scan of it serves them all.

The parent's splits are read ahead by threads, and its rows go batch by batch to every recipe, each
of which compares them with its own table meanwhile. So no more than a few batches are held.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from threading import Lock
from typing import TypeAlias

import pyarrow as pa

from r2d2.formats.uniform import fitted, plain_schema
from r2d2.hashing.multiset import Copies
from r2d2.model import Split, Table
from r2d2.recipes.find.reading import ReadMeter, clock_of, read_ahead
from r2d2.recipes.find.streamed import BYTES_PER_LISTED_ROW
from r2d2.recipes.grammar import (
    Distinct,
    Leaf,
    Patch,
    Project,
    Recipe,
    Rows,
    Select,
    leaves,
    residuals,
)
from r2d2.recipes.run import (
    RecipeContext,
    Wanted,
    in_order,
    names_of,
    output_rows,
    parent_of,
    split_batches,
)
from r2d2.recipes.run.listed_rows import ByHashes, FirstOfEach, Picker, picker_of
from r2d2.recipes.run.residuals import PatchMaking, ResidualFolder
from r2d2.recipes.run.row_lists import HashedRows, RowListing, smallest
from r2d2.recipes.run.side_by_side import SideBySide
from r2d2.recipes.run.trial import MEMORY_BYTES, Trial, ended, problems_told
from r2d2.storage.local import Storage

Shared: TypeAlias = Project | Distinct | Select | Rows | Patch


def shared_scans(
    tables: Mapping[str, Table], work: Iterable[tuple[str, Recipe]], memory_bytes: int
) -> dict[str, list[tuple[str, Shared]]]:
    """The recipes that share a scan, by their parent.

    Lists of rows, patches and tables of distinct rows are among them as far as memory holds their
    hashes.
    """
    scans: dict[str, list[tuple[str, Shared]]] = defaultdict(list)
    left_bytes: dict[str, int] = defaultdict(lambda: memory_bytes // 2)
    for child, recipe in work:
        leaf = _leaf_of(recipe)
        if leaf is None:
            continue
        if not isinstance(recipe, Project | Select):
            is_list, parent = not isinstance(recipe, Distinct), tables.get(leaf.parent)
            rows = sum(residual.rows for residual in residuals(recipe))
            if not isinstance(recipe, Rows):
                own = tables[child].rows
                rows += memory_bytes if own is None else own
            size = rows * BYTES_PER_LISTED_ROW
            is_in_order = parent is not None and in_order(parent.splits) == tuple(parent.splits)
            if size > left_bytes[leaf.parent] or (is_list and not is_in_order):
                continue
            left_bytes[leaf.parent] -= size
        if isinstance(recipe, Shared):
            scans[leaf.parent].append((child, recipe))
    return scans


def _leaf_of(recipe: Recipe) -> Leaf | None:
    """The part of the recipe that reads a parent within a scan; None where it does not."""
    match recipe:
        case Patch(Rows(), _, minus) if minus is not None:
            return None
        case Patch(Project() | Select() | Rows() as inner):
            return inner
        case Project() | Distinct() | Select() | Rows():
            return recipe
        case _:
            return None


def try_out_together(
    storage: Storage,
    tables: Mapping[str, Table],
    work: Sequence[tuple[str, Shared]],
    folder: Path,
    memory_bytes: int = MEMORY_BYTES,
    threads: int = 1,
) -> list[Trial]:
    """The trial of each child's recipe; all read the same parent.

    Lists of rows are made before and written into the folder; the parent's splits are in order.

    A recipe's seconds are its part of the scan's, by the bytes of its columns, and those that its
    own rows took. On a local disk they are of the CPU, for which threads compete.
    """
    context = RecipeContext(storage, tables, ResidualFolder(folder), ReadMeter(storage))
    share = memory_bytes // (2 * len(work))
    runs = [_Run(context, tables[child], recipe, share) for child, recipe in work]
    with ExitStack() as stack:
        for run in runs:
            stack.callback(run.close)
        for run in runs:
            run.begin_list()
        _list_all(context, [run for run in runs if run.is_listing], threads)
        _list_all(context, [run for run in runs if run.lists_within()], threads)
        for run in runs:
            run.end_list(folder)
        _scan(context, runs, _Run.add, threads)
        return [run.trial(memory_bytes) for run in runs]


class _Run:
    """One recipe's run within the scan that it shares with others."""

    def __init__(
        self, context: RecipeContext, child: Table, recipe: Shared, memory_bytes: int
    ) -> None:
        self.context, self.child, self._asked = context, child, recipe
        self.recipe: Recipe = recipe
        (self.leaf,) = leaves(recipe)
        self.where = self.leaf.where if isinstance(self.leaf, Distinct | Select) else ()
        self.columns = self.leaf.columns
        self.listing: RowListing | PatchMaking | None = None
        self.patch: PatchMaking | None = None
        self.picker: Picker | None = None
        self.seconds, self.told = 0.0, list[Trial]()
        self.selected = set[int]()
        self.rows = 0
        self._clock = clock_of(context.storage)
        self.own: SideBySide | None = None
        with self.problems_told():
            self.own = SideBySide(context.storage, child, memory_bytes)
            if isinstance(recipe, Distinct):
                self.picker = FirstOfEach(recipe.columns, self.own.schema)

    def problems_told(self) -> AbstractContextManager[None]:
        """A context in which an error is this trial's problem."""
        return problems_told(self._asked, self.told)

    @property
    def is_open(self) -> bool:
        """Whether more of the parent's rows may matter."""
        return not self.told and self.own is not None and self.own.is_same

    @property
    def names(self) -> frozenset[str]:
        """The parent's columns that are read for it."""
        return names_of([(self.columns, self.where)])

    @property
    def is_listing(self) -> bool:
        """Whether the parent's rows are asked for to make its list or patch."""
        return self.listing is not None and not self.told

    def begin_list(self) -> None:
        """Begins to make the list or the patch of a recipe that has one."""
        if self.own is None:
            return
        with self.problems_told():
            made = self.own.rows, self.own.schema
            if isinstance(self.recipe, Rows):
                self.listing = RowListing.of_all(self.context, self.recipe, *made)
            elif isinstance(self.recipe, Patch):
                self.listing = self.patch = PatchMaking(self.recipe, *made)

    def list_rows(self, batch: pa.RecordBatch, made: "_MadeRows") -> None:
        """Takes the parent's next rows for its list or patch."""
        with self.problems_told():
            if self.listing is not None and (rows := made.of(batch)) is not None:
                self.listing.add(rows)

    def lists_within(self) -> bool:
        """Whether it now begins to list the rows of a patch that the parent has."""
        if self.patch is None or self.own is None or self.told:
            return False
        with self.problems_told():
            self.listing, asked = None, self.patch.asked_list()
            if asked is not None:
                made = self.own.rows, self.own.schema, self.patch.within
                self.listing = RowListing(self.context, asked, *made)
        return self.is_listing

    def end_list(self, folder: Path) -> None:
        """Writes its list or patch, after the parent's last row."""
        listing, patch, own = self.listing, self.patch, self.own
        if self.told or own is None or (listing is None and patch is None):
            return
        with self.problems_told():
            lists = listing.lists() if isinstance(listing, RowListing) else []
            if patch is None:
                self.recipe = smallest(lists).written(folder)
            else:
                self.recipe = recipe = patch.written(folder, lists)
                if isinstance(recipe, Patch) and recipe.plus is not None:
                    own.set_aside(patch.beyond, self.context.residual(recipe.plus))
            self.listing = self.patch = None
            self._begin_picking(own)

    def _begin_picking(self, own: SideBySide) -> None:
        """Begins to choose rows by the lists that were written."""
        match self.recipe:
            case (Rows() as leaf) | Patch(Rows() as leaf):
                self.picker = picker_of(leaf, own.schema, self.context.residual(leaf.residual))
                self.leaf, self.columns = leaf, self.picker.columns
            case Patch(minus=minus) if minus is not None:
                removed = Copies(self.context.residual(minus))
                self.picker = ByHashes((), own.schema, removed, are_kept=False)

    def add(self, batch: pa.RecordBatch, seconds: float, split: int) -> None:
        """Takes rows of a split of the parent, which were read in so many seconds.

        Where columns are left out, none of the rows is selected.
        """
        if self.own is None or not self.names.issubset(batch.schema.names):
            return
        clock = self._clock
        with self.problems_told():
            start = clock()
            rows = output_rows(batch, self.columns, self.where, self.rows)
            if rows is not None:
                self.selected.add(split)
                rows = rows if self.picker is None else self.picker.pick(rows)
            made = None if rows is None else fitted(rows, self.own.schema)
            sizes = {name: batch.column(name).nbytes for name in batch.schema.names}
            part = sum(map(sizes.__getitem__, self.names)) / max(1, sum(sizes.values()))
            self.seconds += clock() - start + part * seconds
            if made is not None:
                self.rows += made.num_rows
                self.own.add(made)

    def trial(self, memory_bytes: int) -> Trial:
        """The outcome, after the parent's last row."""
        if not self.told and self.own is not None:
            with self.problems_told():
                if self.picker is not None and self.own.is_same:
                    self.picker.check()
                made = self.context, self.child, self.recipe, self.own
                spent = self.seconds, self._read_bytes()
                self.told.append(ended(*made, spent, memory_bytes))
        return self.told[0]

    def _read_bytes(self) -> int:
        """The bytes that the recipe would read alone: all its columns only where it selects."""
        meter = self.context.meter or ReadMeter(self.context.storage)
        tests = names_of([((), self.where)]) if self.where else self.names
        parent = parent_of(self.context, self.leaf)
        read = [
            [
                (part, self.names if number in self.selected else tests)
                for part in meter.parts_with(split, [self.where])
            ]
            for number, split in enumerate(parent.splits)
        ]
        return meter.bytes_of(parent, read)

    def close(self) -> None:
        """Removes what waits in scratch files."""
        if self.own is not None:
            self.own.close()


class _MadeRows:
    """The last batch's rows as a recipe makes them, with their hashes: once for all who ask."""

    def __init__(self, wanted: Wanted, schema: pa.Schema) -> None:
        self._wanted, self._schema, self._lock = wanted, schema, Lock()
        self._batch: pa.RecordBatch | None = None
        self._made: HashedRows | None = None

    def of(self, batch: pa.RecordBatch) -> HashedRows | None:
        """The rows that are made of the batch; None of none."""
        with self._lock:
            if batch is not self._batch:
                rows = output_rows(batch, *self._wanted)
                made = None if rows is None else HashedRows(fitted(rows, self._schema))
                self._batch, self._made = batch, made
            return self._made


_Add: TypeAlias = Callable[[_Run, pa.RecordBatch, float, int], None]


def _list_all(context: RecipeContext, runs: Sequence[_Run], threads: int) -> None:
    """Gives the rows of the parent to all lists; tables of the same columns share their hashes."""
    made: dict[tuple[Wanted, pa.Schema], _MadeRows] = {}
    of_run: dict[_Run, _MadeRows] = {}
    for run in runs:
        if run.own is not None:
            rows = (run.columns, run.where), run.own.schema
            of_run[run] = made.setdefault(rows, _MadeRows(*rows))

    def add(run: _Run, batch: pa.RecordBatch, seconds: float, split: int) -> None:
        # Where columns are left out, none of the rows is selected.
        if run.names.issubset(batch.schema.names):
            run.list_rows(batch, of_run[run])

    _scan(context, runs, add, threads)


def _scan(context: RecipeContext, runs: Sequence[_Run], add: _Add, threads: int) -> None:
    """Adds the rows of the parent to all runs; an error in reading it is everyone's problem."""
    wanted, clock = [(run.columns, run.where) for run in runs], clock_of(context.storage)
    meter = context.meter or ReadMeter(context.storage)

    def rows_of(split: Split) -> Iterator[pa.RecordBatch]:
        return split_batches(context.storage, meter, split, wanted)

    try:
        splits = parent_of(context, runs[0].leaf).splits if runs else ()
        with (
            ThreadPoolExecutor(threads) as pool,
            closing(read_ahead(splits, rows_of, threads, clock)) as batches,
        ):
            for told in batches:
                open_ = [run for run in runs if run.is_open]
                if not open_:
                    return
                list(pool.map(lambda run, told=told: add(run, *told), open_))
    except Exception as error:
        for run in runs:
            if not run.told:
                with run.problems_told():
                    raise error


def rebuilt_together(
    context: RecipeContext, work: Sequence[tuple[Project | Select, pa.Schema]], threads: int
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows of each recipe under its schema, with its number; all read one parent, once.

    Raises:
        RecipeRunError, TableError: the parent cannot be read.
        MisfitError: its values do not fit a schema.
    """
    leaves = [leaf for leaf, _ in work]
    wanted = [(leaf.columns, leaf.where if isinstance(leaf, Select) else ()) for leaf in leaves]
    splits = parent_of(context, leaves[0]).splits
    for leaf in leaves[1:]:
        parent_of(context, leaf)
    schemas = [plain_schema(schema) for _, schema in work]
    made, meter = [0] * len(work), context.meter or ReadMeter(context.storage)

    def rows_of(split: Split) -> Iterator[pa.RecordBatch]:
        return split_batches(context.storage, meter, split, wanted)

    with closing(read_ahead(splits, rows_of, threads)) as batches:
        for batch, _, _ in batches:
            for number, (columns, where) in enumerate(wanted):
                # Where columns are left out, none of the rows is selected.
                if names_of([(columns, where)]).issubset(batch.schema.names):
                    rows = output_rows(batch, columns, where, made[number])
                    if rows is not None:
                        made[number] += rows.num_rows
                        yield number, fitted(rows, schemas[number])
