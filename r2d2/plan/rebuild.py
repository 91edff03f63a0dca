"""A deleted table rebuilt by its plan, or shown as a SQL view; the table itself may be gone."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from r2d2.errors import R2D2Error, UsageError
from r2d2.formats.uniform import uniform
from r2d2.lake.inventory import layout_from
from r2d2.model import Table
from r2d2.plan.graph_file import load_graph, tables_now
from r2d2.plan.plan_file import Data
from r2d2.recipes.grammar import ResidualKind, parents, residuals
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
    name = entry["table"]
    _same_parents(context.tables, plan, name, entry["parents"])
    start = perf_counter()
    layout = layout_from(entry["layout"])
    made = list(rebuilt(context, from_data(entry["recipe"]), layout.rows_schema))
    if not made or OrderedRows.of(uniform(made)).fingerprint() != entry["evidence"]["fingerprint"]:
        raise R2D2Error(f"{name}: what came out is not the table that the plan saw")
    written = write_table(layout, made, place, name)
    rows = sum(batch.num_rows for batch in made)
    return RebuiltTable(name, written.files, rows, written.size_bytes, perf_counter() - start)


def _same_parents(
    tables: Mapping[str, Table], plan: Data, name: str, wanted: Iterable[str]
) -> dict[str, Table]:
    """The parents of these locations.

    Raises:
        R2D2Error: one is gone, or is not what the plan saw.
    """
    for parent in wanted:
        if parent not in tables:
            raise R2D2Error(f"{name}: its parent {parent} is gone")
        if tables[parent].snapshot != plan["snapshots"][parent]:
            raise R2D2Error(f"{name}: its parent {parent} changed since the plan was made")
    return {parent: tables[parent] for parent in wanted}


def view_of(
    plan: Data, run: Path, entry: Data, dialect: str, given: Mapping[str, tuple[str, ...]]
) -> str:
    """The deleted table as a SQL view over its parents: those `given` by name, others' files.

    Raises:
        UsageError: the dialect is unknown, or two tables would have one name.
        UnrenderableRecipeError: the dialect cannot express it, or would read other rows.
        R2D2Error: a parent or a residual is gone or changed.
    """
    from r2d2.recipes.readers import sources_of, units_of
    from r2d2.recipes.sql import view
    from r2d2.recipes.sql_names import SqlDialect, names_of

    known = [each.value for each in SqlDialect]
    if dialect not in known:
        raise UsageError(f"--dialect {dialect}: known are {', '.join(known)}")
    recipe, name = from_data(entry["recipe"]), entry["table"]
    names = names_of((table["table"] for table in plan["tables"]), given)
    unnamed = [parent for parent in parents(recipe) if parent not in given]
    files: dict[str, Path] = {}
    for residual in residuals(recipe):
        if residual.kind in (ResidualKind.KEYS, ResidualKind.ROWS):
            ResidualFolder(run)(residual)
            files[residual.location] = (run / residual.location).resolve()
    storage = storage_of(plan["lake"])
    tables = tables_now(run, load_graph(run), storage) if unnamed else {}
    read = _same_parents(tables, plan, name, unnamed)
    sql = SqlDialect(dialect)
    sources = sources_of(read, storage, sql, files)
    named = {parent: names[parent] for parent in parents(recipe) if parent in given}
    units = units_of(layout_from(entry["layout"]).schema, sql) if entry["layout"] else {}
    return view(names[name], recipe, {**named, **sources}, sql, units)
