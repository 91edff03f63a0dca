"""A chosen recipe is run and its result compared with the table that it is to replace."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.errors import R2D2Error
from r2d2.lake.schema import flatten
from r2d2.lake.storage import Storage
from r2d2.model import Table, Types
from r2d2.rebuild.compare import difference
from r2d2.rebuild.execute import Kitchen, RecipeRunError, rebuilt
from r2d2.rebuild.rows import hashed, read_batches
from r2d2.rebuild.uniform import uniform
from r2d2.recipes.grammar import Recipe, Residual, Rows
from r2d2.recipes.labels import Groups


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of running a recipe: the recipe with its residual written, or why it failed.

    `seconds` are for reading the parents and making the rows; `fingerprint` is of the rows as a
    multiset, whatever their order.
    """

    recipe: Recipe
    problem: str | None
    seconds: float = 0.0
    rows: int = 0
    fingerprint: str = ""


def residuals_in(folder: Path) -> "_Residuals":
    """Residual files of a run, by the location that recipes name them with."""
    return _Residuals(folder)


@dataclass(frozen=True, slots=True)
class _Residuals:
    folder: Path

    def __call__(self, residual: Residual) -> pa.Table:
        path = self.folder / residual.location
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RecipeRunError(f"{path}: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != residual.sha256:
            raise RecipeRunError(f"{path}: not the residual that the plan was made with")
        return pq.read_table(pa.BufferReader(content))


def try_out(
    storage: Storage, tables: Mapping[str, Table], child: Table, recipe: Recipe, folder: Path
) -> Trial:
    """Runs the recipe on the lake, and compares value by value; residuals go into the folder."""
    try:
        own = uniform(list(read_batches(storage, child, child.columns)))
        if not own:
            return Trial(recipe, "the table has no rows")
        if isinstance(recipe, Rows):
            recipe = replace(recipe, residual=_written(recipe.residual, own, folder))
        start = perf_counter()
        kitchen = Kitchen(storage, tables, residuals_in(folder))
        made = list(rebuilt(kitchen, recipe, own[0].schema))
        seconds = perf_counter() - start
        differs = difference(own, made)
    except R2D2Error as error:
        return Trial(recipe, str(error))
    rows = sum(batch.num_rows for batch in own)
    return Trial(recipe, differs, seconds, rows, fingerprint(own))


def fingerprint(batches: list[pa.RecordBatch]) -> str:
    """A digest of the rows as a multiset: their sorted hashes, each as often as it occurs."""
    (lanes,) = hashed(batches, [flatten(batches[0].schema)], Types.STRICT)
    order = np.lexsort((lanes.second, lanes.first))
    digest = hashlib.sha256(lanes.first[order].tobytes())
    digest.update(lanes.second[order].tobytes())
    return digest.hexdigest()[:32]


def _written(residual: Residual, own: list[pa.RecordBatch], folder: Path) -> Residual:
    (lanes,) = hashed(own, [flatten(own[0].schema)], Types.STRICT)
    groups = Groups.of((lanes.first, lanes.second))
    rows = pa.table({"first": groups.first, "second": groups.second, "copies": groups.counts})
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd", column_encoding=_PLAIN, use_dictionary=False)
    content = sink.getvalue().to_pybytes()
    digest = hashlib.sha256(content).hexdigest()
    location = f"residuals/{digest[:32]}.parquet"
    path = folder / location
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Residual(residual.kept, location, len(rows), len(content), digest)


_PLAIN = {"first": "BYTE_STREAM_SPLIT", "second": "PLAIN", "copies": "DELTA_BINARY_PACKED"}
