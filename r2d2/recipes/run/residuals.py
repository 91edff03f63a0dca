"""Residuals, the files that recipes keep: which rows go into them, their writing and reading.

A Patch adds the table's rows beyond those that its inner recipe gives, each as often as it is
missing; it takes away the rows that the inner recipe gives more often than the table has them.
Where the inner recipe lists rows, these are those of the table's rows that the parents have.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.arrays import Bools, Int64s, array_of
from r2d2.errors import RecipeRunError
from r2d2.formats.schema import flatten
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import Counted, HashList
from r2d2.hashing.runs import (
    empty_run,
    hash_order,
    joined,
    positions_in,
    taken,
)
from r2d2.model import Types
from r2d2.recipes.find.reading import hashed
from r2d2.recipes.grammar import (
    Leaf,
    Patch,
    Project,
    Recipe,
    Residual,
    Rows,
    Union,
)
from r2d2.recipes.run import RecipeContext, rebuilt
from r2d2.recipes.run.row_lists import (
    BY_HASH,
    HashedRows,
    Rereadable,
    RowList,
    about,
    parquet_bytes,
    row_lists,
    smallest,
    write_residual,
)

WORTH_ANOTHER_LIST_BYTES = 1 << 12
"""A list of the rows to be removed from all others that is so small stays as it is."""


@dataclass(frozen=True, slots=True)
class ResidualFolder:
    """The residual files of a run's folder; recipes name them by their location in it."""

    folder: Path

    def __call__(self, residual: Residual) -> pa.Table:
        """The file's rows.

        Raises:
            RecipeRunError: as for its content.
        """
        return pq.read_table(pa.BufferReader(self.content(residual)))

    def content(self, residual: Residual) -> bytes:
        """The file's bytes.

        Raises:
            RecipeRunError: it is gone or outside the folder, or its bytes are not the plan's.
        """
        root = self.folder.resolve()
        path = root / residual.location
        try:
            # A link or `..` on the way leads elsewhere, and no plan's word is enough to open that.
            if ".." in path.parts or path.resolve() != path or root not in path.parents:
                raise RecipeRunError(f"{path}: a residual is a file within the run's folder {root}")
            if not path.is_file():
                raise RecipeRunError(f"{path}: No such file")
            content = path.read_bytes()
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = getattr(error, "strerror", None) or error
            raise RecipeRunError(f"{path}: {reason}") from error
        if hashlib.sha256(content).hexdigest() != residual.sha256:
            raise RecipeRunError(f"{path}: not the residual that the plan was made with")
        return content


def with_residuals(
    context: RecipeContext, recipe: Recipe, rows: Rereadable, schema: pa.Schema, folder: Path
) -> Recipe:
    """The recipe for the table of these rows, with its residuals written into the folder.

    Of all rows only their hashes are held.

    Raises:
        ResidualError: Parquet cannot hold the table's rows.
        RecipeRunError, TableError: a parent cannot be read.
    """
    match recipe:
        case Rows():
            listed = Counted.of(_hashes(rows(), schema))
            return smallest(row_lists(context, recipe, rows, schema, listed)).written(folder)
        case Patch():
            making = PatchMaking(recipe, rows, schema)
            for batch in rebuilt(context, making.read, schema):
                making.add(HashedRows(batch))
            asked, within = making.asked_list(), making.within
            lists = [] if asked is None else row_lists(context, asked, rows, schema, within)
            return making.written(folder, lists)
        case _:
            return recipe


class PatchMaking:
    """The making of a patch's residuals, while the rows come that its parents have for it."""

    def __init__(self, recipe: Patch, rows: Rereadable, schema: pa.Schema) -> None:
        self._recipe, self._rows, self._schema = recipe, rows, schema
        self._lanes = _hashes(rows(), schema)
        self._table = Counted.of(self._lanes)
        self._made = np.zeros(len(self._table.counts), np.int64)
        self._others = [empty_run()]

    @property
    def read(self) -> Leaf | Union:
        """The recipe of the rows that are to come: all of the parent's where some are listed."""
        inner = self._recipe.recipe
        return Project(inner.parent, inner.columns) if isinstance(inner, Rows) else inner

    def add(self, rows: HashedRows) -> None:
        """Takes more rows: how often the parents have each of the table's."""
        ordered = hash_order(rows.whole)
        distinct, counts = ordered.distinct(), ordered.counts()
        positions = positions_in(Lanes(self._table.first, self._table.second), distinct)
        is_held = positions >= 0
        self._made[positions[is_held]] += counts[is_held]
        if self._recipe.minus is not None:
            self._others.append(taken(ordered.hashes, np.flatnonzero(np.repeat(~is_held, counts))))

    @cached_property
    def within(self) -> Counted:
        """The table's rows that the parents have, after the last one."""
        return _counted_where(self._table, np.minimum(self._table.counts, self._made))

    @cached_property
    def beyond(self) -> Bools:
        """The mask of the table's rows that the parents lack, after the last one."""
        return _beyond(self._lanes, self._made)

    @cached_property
    def _removed(self) -> tuple[int, bytes]:
        """The number of the rows that only the parents have, and the file that lists them."""
        surplus = _counted_where(self._table, np.maximum(self._made - self._table.counts, 0))
        removed = _together(surplus, Counted.of(joined(self._others)))
        hashes = HashList(removed)
        hashes.add(Lanes(self._table.first, self._table.second))
        return len(removed.first), parquet_bytes(hashes.table(), BY_HASH)

    def asked_list(self) -> Rows | None:
        """The recipe whose lists of the rows within are to be made, after the last row."""
        inner, minus = self._recipe.recipe, self._recipe.minus
        if isinstance(inner, Rows):
            return inner
        if minus is None or not isinstance(inner, Project):
            return None
        is_small = len(self._removed[1]) <= WORTH_ANOTHER_LIST_BYTES
        return None if is_small else Rows(inner.parent, inner.columns, minus)

    def written(self, folder: Path, lists: Sequence[RowList]) -> Recipe:
        """The recipe with its residuals in the folder; the lists are those that were asked for."""
        inner, plus, minus = self._recipe.recipe, self._recipe.plus, self._recipe.minus
        least = smallest(lists) if lists else None
        if least is not None and isinstance(inner, Rows):
            inner = least.written(folder)
        if plus is not None:
            beyond = _rows_where(self._rows(), self._schema, self.beyond)
            plus = write_residual(plus, len(beyond), parquet_bytes(beyond), folder)
        if minus is not None:
            count, content = self._removed
            instead = least if isinstance(inner, Project) else None
            if instead is not None and about(len(instead.content)) < len(content):
                inner, minus = instead.written(folder), None
            else:
                minus = write_residual(minus, count, content, folder)
        return inner if plus is None and minus is None else Patch(inner, plus, minus)


def _counted_where(rows: Counted, counts: Int64s) -> Counted:
    """Those of the rows with a count above zero."""
    some = counts > 0
    return Counted(rows.first[some], rows.second[some], counts[some])


def _together(one: Counted, other: Counted) -> Counted:
    """The rows of both, which have none in common."""
    lanes = joined([Lanes(rows.first, rows.second) for rows in (one, other)])
    order = hash_order(lanes).order
    counts = np.concatenate([one.counts, other.counts]).take(order)
    return Counted(lanes.first.take(order), lanes.second.take(order), counts)


def _rows_where(rows: Iterable[pa.RecordBatch], schema: pa.Schema, mask: Bools) -> pa.Table:
    start, kept = 0, []
    for batch in rows:
        some = mask[start : start + batch.num_rows]
        start += batch.num_rows
        if some.any():
            kept.append(batch.filter(array_of(some, pa.bool_())))
    return pa.Table.from_batches(kept, schema)


def _hashes(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Lanes:
    (lanes,) = hashed(batches, [flatten(schema)], Types.STRICT)
    return lanes


def _beyond(rows: Lanes, allowed: Int64s) -> Bools:
    """The mask of the rows that are copies of a hash beyond as many as are allowed of it."""
    in_order = hash_order(rows)
    counts, order = in_order.counts(), in_order.order
    nth = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    beyond = np.empty(len(order), np.bool_)
    beyond[order] = nth >= np.repeat(allowed, counts)
    return beyond
