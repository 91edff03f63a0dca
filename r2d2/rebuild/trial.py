"""A chosen recipe is run and its result compared with the table that it is to replace."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa

from r2d2.errors import R2D2Error
from r2d2.lake.schema import flatten
from r2d2.lake.storage import Storage
from r2d2.model import Table, Types
from r2d2.rebuild.compare import difference
from r2d2.rebuild.execute import Kitchen, rebuilt
from r2d2.rebuild.layout import layout_of
from r2d2.rebuild.residual import Residuals, with_residuals
from r2d2.rebuild.rows import hashed, read_batches
from r2d2.rebuild.uniform import uniform
from r2d2.recipes.grammar import Recipe


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of running a recipe: the recipe with its residual written, or why it failed.

    `seconds` are for reading the parents and making the rows; `fingerprint` is of the rows as a
    multiset, whatever their order; `layout` is what the table is to be written back as.
    """

    recipe: Recipe
    problem: str | None
    seconds: float = 0.0
    rows: int = 0
    fingerprint: str = ""
    layout: Mapping[str, Any] = field(default_factory=dict)


def try_out(
    storage: Storage, tables: Mapping[str, Table], child: Table, recipe: Recipe, folder: Path
) -> Trial:
    """Runs the recipe on the lake, and compares value by value; residuals go into the folder.

    A table that could not be written back in its own format is a problem too.
    """
    try:
        own = uniform(list(read_batches(storage, child, child.columns)))
        if not own:
            return Trial(recipe, "the table has no rows")
        kitchen = Kitchen(storage, tables, Residuals(folder))
        recipe = with_residuals(kitchen, recipe, own, folder)
        layout = layout_of(storage, child)
        start = perf_counter()
        made = list(rebuilt(kitchen, recipe, own[0].schema))
        seconds = perf_counter() - start
        differs = difference(own, made)
    except R2D2Error as error:
        return Trial(recipe, str(error))
    rows = sum(batch.num_rows for batch in own)
    return Trial(recipe, differs, seconds, rows, fingerprint(own), layout)


def fingerprint(batches: list[pa.RecordBatch]) -> str:
    """A digest of the rows as a multiset: their sorted hashes, each as often as it occurs."""
    (lanes,) = hashed(batches, [flatten(batches[0].schema)], Types.STRICT)
    order = np.lexsort((lanes.second, lanes.first))
    digest = hashlib.sha256(lanes.first[order].tobytes())
    digest.update(lanes.second[order].tobytes())
    return digest.hexdigest()[:32]
