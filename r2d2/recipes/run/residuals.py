"""Residuals, the files that recipes keep: which rows go into them, their writing and reading.

A Patch adds the table's rows beyond those that its inner recipe gives, each as often as it is
missing; it takes away the rows that the inner recipe gives more often than the table has them.
Where the inner recipe lists rows by their hashes, these are those of the table's rows that the
parents have.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.arrays import Bools
from r2d2.errors import R2D2Error
from r2d2.formats.schema import flatten
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import Counted
from r2d2.hashing.runs import empty_run, hash_order
from r2d2.model import Types
from r2d2.recipes.find.reading import hashed
from r2d2.recipes.grammar import Leaf, Patch, Project, Recipe, Residual, ResidualKind, Rows, Union
from r2d2.recipes.run import RecipeContext, RecipeRunError, rebuilt

Batches = Sequence[pa.RecordBatch]
_ENCODING = {"first": "BYTE_STREAM_SPLIT", "second": "PLAIN", "copies": "DELTA_BINARY_PACKED"}
_HASHES = {"column_encoding": _ENCODING, "use_dictionary": False}


class ResidualError(R2D2Error):
    """The rows of a residual cannot be written to a file."""


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


def with_residuals(context: RecipeContext, recipe: Recipe, rows: Batches, folder: Path) -> Recipe:
    """The recipe for the table of these rows, with its residuals written into the folder.

    Raises:
        ResidualError: Parquet cannot hold the table's rows.
        RecipeRunError, TableError: a parent cannot be read.
    """
    match recipe:
        case Rows(residual=residual):
            hashes = _hash_table(Counted.of(_hashes(rows)))
            return replace(recipe, residual=_written(residual, hashes, folder))
        case Patch(inner, plus, minus):
            made = _made(context, inner, rows[0].schema)
            within, beyond = _divided(rows, made)
            filled = with_residuals(context, inner, within, folder)
            assert not isinstance(filled, Patch)
            return Patch(
                filled,
                None if plus is None else _written(plus, beyond, folder),
                None if minus is None else _written(minus, _surplus(rows, made), folder),
            )
        case _:
            return recipe


def _made(context: RecipeContext, inner: Leaf | Union, schema: pa.Schema) -> Counted:
    """All rows that the parents have for the table."""
    whole = Project(inner.parent, inner.columns) if isinstance(inner, Rows) else inner
    return Counted.of(_hashes(list(rebuilt(context, whole, schema))))


def _divided(rows: Batches, made: Counted) -> tuple[Batches, pa.Table]:
    """The rows that the parents have, and the others."""
    beyond = _beyond(_hashes(rows), made)
    table = pa.Table.from_batches(rows, rows[0].schema)
    within = table.filter(pa.array(~beyond)).combine_chunks().to_batches()
    return within or [rows[0].slice(0, 0)], table.filter(pa.array(beyond))


def _surplus(rows: Batches, made: Counted) -> pa.Table:
    """The hashes of rows that are made more often than the table has them, and how often."""
    left = made.counts.copy()
    places, counts, _ = made.held(Counted.of(_hashes(rows)))
    left[places] -= np.minimum(counts, left[places])
    over = left > 0
    return _hash_table(Counted(made.first[over], made.second[over], left[over]))


def _hash_table(rows: Counted) -> pa.Table:
    return pa.table({"first": rows.first, "second": rows.second, "copies": rows.counts})


def _hashes(batches: Batches) -> Lanes:
    if not batches:
        return empty_run()
    (lanes,) = hashed(batches, [flatten(batches[0].schema)], Types.STRICT)
    return lanes


def _beyond(rows: Lanes, made: Counted) -> Bools:
    """The mask of the rows that are copies of a hash beyond as many as were made."""
    in_order = hash_order(rows)
    distinct, order = Counted.in_order(in_order), in_order.order
    allowed = np.zeros(len(distinct.counts), np.int64)
    places, counts, _ = distinct.held(made)
    allowed[places] = counts
    starts = np.cumsum(distinct.counts) - distinct.counts
    nth = np.arange(len(order)) - np.repeat(starts, distinct.counts)
    beyond = np.empty(len(order), np.bool_)
    beyond[order] = nth >= np.repeat(allowed, distinct.counts)
    return beyond


def _written(residual: Residual, rows: pa.Table, folder: Path) -> Residual:
    sink = pa.BufferOutputStream()
    options = _HASHES if residual.kind is ResidualKind.HASHES else {}
    try:
        pq.write_table(rows, sink, compression="zstd", **options)
    except pa.ArrowException as error:
        raise ResidualError(f"its rows cannot be written to a Parquet file: {error}") from error
    content = sink.getvalue().to_pybytes()
    digest = hashlib.sha256(content).hexdigest()
    location = f"residuals/{digest[:32]}.parquet"
    path = folder / location
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Residual(residual.kind, location, len(rows), len(content), digest)
