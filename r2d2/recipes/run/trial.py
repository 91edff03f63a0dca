"""A chosen recipe is run and its result compared with the table that it is to replace."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from r2d2.errors import R2D2Error
from r2d2.formats.uniform import uniform
from r2d2.lake.layouts import layout_of
from r2d2.model import Table
from r2d2.recipes.find.reading import read_batches
from r2d2.recipes.grammar import Recipe
from r2d2.recipes.run import RecipeContext, rebuilt
from r2d2.recipes.run.compare import Ordered
from r2d2.recipes.run.residuals import Residuals, with_residuals
from r2d2.storage.local import Storage


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
        kitchen = RecipeContext(storage, tables, Residuals(folder))
        recipe = with_residuals(kitchen, recipe, own, folder)
        layout = layout_of(storage, child)
        start = perf_counter()
        made = list(rebuilt(kitchen, recipe, own[0].schema))
        seconds = perf_counter() - start
        ordered = Ordered.of(own)
        differs = ordered.difference(made)
    except R2D2Error as error:
        return Trial(recipe, str(error))
    return Trial(recipe, differs, seconds, len(ordered.order), ordered.fingerprint(), layout)
