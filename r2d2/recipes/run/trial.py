"""The trial of a recipe: it is run, and its rows are compared with the table it replaces."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from r2d2.errors import R2D2Error
from r2d2.formats.errors import table_problem
from r2d2.formats.uniform import uniform
from r2d2.lake.inventory import layout_of
from r2d2.model import Table
from r2d2.recipes.find.reading import read_batches
from r2d2.recipes.grammar import Recipe
from r2d2.recipes.run import RecipeContext, rebuilt
from r2d2.recipes.run.compare import OrderedRows
from r2d2.recipes.run.residuals import ResidualFolder, with_residuals
from r2d2.storage.local import Storage


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of a run: the recipe with its residual written, or the problem that it met.

    `seconds` are for reading the parents and making the rows; `fingerprint` is of the rows as a
    multiset, whatever their order; `layout` says how the table is written back.
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
    """The trial of the recipe on the lake; its residuals are written into the folder.

    A table that cannot be written back in its own format is a problem too.
    """
    try:
        rows = uniform(list(read_batches(storage, child, child.columns)))
        if not rows:
            return Trial(recipe, "the table has no rows")
        context = RecipeContext(storage, tables, ResidualFolder(folder))
        recipe = with_residuals(context, recipe, rows, folder)
        layout = layout_of(storage, child)
        start = perf_counter()
        made = list(rebuilt(context, recipe, rows[0].schema))
        seconds = perf_counter() - start
        ordered = OrderedRows.of(rows)
        difference = ordered.difference(made)
    except R2D2Error as error:
        return Trial(recipe, str(error))
    except OSError:
        raise  # the run's own folder: it is full, or may not be written
    except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
        return Trial(recipe, table_problem(error))
    return Trial(recipe, difference, seconds, len(ordered.order), ordered.fingerprint(), layout)
