"""Rebuilds a deleted table by the plan that deleted it; the table itself may be gone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from r2d2.errors import R2D2Error, UsageError
from r2d2.formats.uniform import uniform
from r2d2.lake.inventory import layout_from
from r2d2.plan.graph_file import load_graph, tables_now
from r2d2.plan.plan_file import Data
from r2d2.recipes.json import from_data
from r2d2.recipes.run import RecipeContext, rebuilt
from r2d2.recipes.run.residuals import ResidualFolder
from r2d2.recipes.run.trial import OrderedRows
from r2d2.recipes.run.write_table import write_table
from r2d2.storage import storage_of
from r2d2.storage.output import prepare, settle


@dataclass(frozen=True, slots=True)
class RebuiltTable:
    """A table that came back: its files in the place, and what that took."""

    table: str
    files: tuple[str, ...]
    rows: int
    size_bytes: int
    seconds: float


def rebuild(plan: Data, run: Path, names: Iterable[str], place: Path) -> Iterator[RebuiltTable]:
    """Each table written below `place` as it was below its lake, from its parents alone.

    Raises:
        UsageError: the plan does not delete a table of that name.
        R2D2Error: a parent is gone or changed, or what came out is not what the plan saw.
    """
    settle(run)
    prepare(place)
    entries = {t["table"]: t for t in plan["tables"] if t["choice"] == "delete"}
    storage = storage_of(plan["lake"])
    context = RecipeContext(storage, tables_now(run, load_graph(run), storage), ResidualFolder(run))
    for name in names:
        if name not in entries:
            raise UsageError(f"the plan deletes no table {name!r}")
        yield _rebuilt(context, plan, entries[name], place)


def _rebuilt(context: RecipeContext, plan: Data, entry: Data, place: Path) -> RebuiltTable:
    name, snapshots = entry["table"], plan["snapshots"]
    for parent in entry["parents"]:
        table = context.tables.get(parent)
        if table is None:
            raise R2D2Error(f"{name}: its parent {parent} is gone")
        if table.snapshot != snapshots[parent]:
            raise R2D2Error(f"{name}: its parent {parent} changed since the plan was made")
    start = perf_counter()
    layout = layout_from(entry["layout"])
    made = list(rebuilt(context, from_data(entry["recipe"]), layout.rows_schema))
    if not made or OrderedRows.of(uniform(made)).fingerprint() != entry["evidence"]["fingerprint"]:
        raise R2D2Error(f"{name}: what came out is not the table that the plan saw")
    written = write_table(layout, made, place, name)
    rows = sum(batch.num_rows for batch in made)
    return RebuiltTable(name, written.files, rows, written.size_bytes, perf_counter() - start)
