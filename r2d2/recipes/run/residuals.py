"""Residuals, the files that recipes keep: which rows go into them, their writing and reading.

A Patch adds the table's rows beyond those that its inner recipe gives, each as often as it is
missing; it takes away the rows that the inner recipe gives more often than the table has them.
Where the inner recipe lists rows, these are those of the table's rows that the parents have.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.arrays import Bools, Int64s, array_of
from r2d2.errors import RecipeRunError
from r2d2.formats.schema import flatten
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import Counted, HashList
from r2d2.hashing.rows import row_hashes
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
    Rereadable,
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
        case Patch(inner, plus, minus):
            lanes = _hashes(rows(), schema)
            table = Counted.of(lanes)
            made, others = _made(context, inner, schema, table, minus is not None)
            within = _counted_where(table, np.minimum(table.counts, made))
            if isinstance(inner, Rows):
                lists = row_lists(context, inner, rows, schema, within)
                inner = smallest(lists).written(folder)
            if plus is not None:
                beyond = _rows_where(rows(), schema, _beyond(lanes, made))
                plus = write_residual(plus, len(beyond), parquet_bytes(beyond), folder)
            if minus is not None:
                surplus = _counted_where(table, np.maximum(made - table.counts, 0))
                removed = _together(surplus, others)
                hashes = HashList(removed)
                hashes.add(Lanes(table.first, table.second))
                content = parquet_bytes(hashes.table(), BY_HASH)
                if isinstance(inner, Project) and len(content) > WORTH_ANOTHER_LIST_BYTES:
                    instead = Rows(inner.parent, inner.columns, minus)
                    least = smallest(row_lists(context, instead, rows, schema, within))
                    if about(len(least.content)) < len(content):
                        inner, minus = least.written(folder), None
                if minus is not None:
                    minus = write_residual(minus, len(removed.first), content, folder)
            return inner if plus is None and minus is None else Patch(inner, plus, minus)
        case _:
            return recipe


def _made(
    context: RecipeContext, inner: Leaf | Union, schema: pa.Schema, table: Counted, keep: bool
) -> tuple[Int64s, Counted]:
    """How often the parents have each of the table's rows; and, where kept, their other rows."""
    whole = Project(inner.parent, inner.columns) if isinstance(inner, Rows) else inner
    counts = np.zeros(len(table.counts), np.int64)
    run, others = Lanes(table.first, table.second), [empty_run()]
    for batch in rebuilt(context, whole, schema):
        (lanes,) = row_hashes(batch, [flatten(schema)], Types.STRICT)
        ordered = hash_order(lanes)
        positions = positions_in(run, ordered.distinct())
        is_held = positions >= 0
        counts[positions[is_held]] += ordered.counts()[is_held]
        if keep:
            is_other = np.repeat(~is_held, ordered.counts())
            others.append(taken(ordered.hashes, np.flatnonzero(is_other)))
    return counts, Counted.of(joined(others))


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
