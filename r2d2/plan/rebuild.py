"""A deleted table rebuilt by its plan, or shown as a SQL view; the table itself may be gone."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

import pyarrow as pa

from r2d2.errors import R2D2Error, UsageError
from r2d2.formats.errors import table_problem
from r2d2.formats.layout import Layout
from r2d2.lake.groups import require_live
from r2d2.lake.inventory import Inventory, layout_from, layout_of
from r2d2.model import FileInfo, Format, Table
from r2d2.plan.graph_file import (
    inventory_now,
    load_graph,
    run_of,
    tables_now,
)
from r2d2.plan.lake_now import WHERE_NOW, files_of_run, storage_of_plan
from r2d2.plan.plan_file import files_digest, not_deleted
from r2d2.plan.plan_form import Data
from r2d2.recipes.find.reading import read_batches
from r2d2.recipes.grammar import Project, Residual, ResidualKind, Select, parents, residuals
from r2d2.recipes.json import from_data
from r2d2.recipes.run import RecipeContext, rebuilt
from r2d2.recipes.run.held_rows import HELD_BYTES, HeldRows
from r2d2.recipes.run.residuals import ResidualFolder
from r2d2.recipes.run.shared_scan import rebuilt_together
from r2d2.recipes.run.write_table import table_at, write_table
from r2d2.storage import storage_of
from r2d2.storage.local import LocalStorage, Storage
from r2d2.storage.output import prepare, settle

ResidualRows = Callable[[Residual], pa.Table]
"""Gives the rows of a residual file."""


@dataclass(frozen=True, slots=True)
class RebuiltTable:
    """A table that came back: its files in the place, and what that took.

    `parents_told` are sentences on parents that are other by now than the plan saw. A table that
    `stood` in the place already was compared and left as it is.
    """

    table: str
    files: tuple[str, ...]
    rows: int
    size_bytes: int
    seconds: float
    parents_told: tuple[str, ...] = ()
    stood: bool = False


@dataclass(frozen=True, slots=True)
class LostTable:
    """A table that did not come back, and why."""

    table: str
    problem: str


def rebuild(
    plan: Data, run: Path, names: Iterable[str], place: Path, lake: str | None = None
) -> Iterator[RebuiltTable | LostTable]:
    """Each table written below `place` as it was below its lake, from its parents alone.

    The rows that come out decide: a parent that changed is read at the plan's version if its Delta
    log still has that, else as it is now, in `lake` where the plan's own was moved, and gives the
    table back only if its fingerprint is the plan's.

    Raises:
        UsageError: the plan does not delete a table of that name.
        R2D2Error: the run or the lake cannot be read.
    """
    settle(run)
    prepare(place)
    run = run_of(plan, run)
    entries = {t["table"]: t for t in plan["tables"] if t["choice"] == "delete"}
    wanted = list(names)
    for name in wanted:
        if name not in entries:
            raise not_deleted(run, name, plan)
    storage = storage_of(lake) if lake else storage_of_plan(plan, WHERE_NOW)
    require_live(storage, wanted, place)
    now = inventory_now(run, load_graph(run).settings, storage)
    then = files_of_run(plan, run)
    parents_now = replace(ParentsNow.of(plan, storage, now), files_then=then)
    for name in wanted:
        try:
            yield rebuild_table(parents_now, ResidualFolder(run), entries[name], place)
        except R2D2Error as error:
            yield LostTable(name, str(error))
        except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
            yield LostTable(name, table_problem(error))


def rebuild_table(
    parents_now: "ParentsNow",
    kept: ResidualRows,
    entry: Data,
    place: Path,
    memory_bytes: int = HELD_BYTES,
) -> RebuiltTable:
    """The table of a plan's entry, written below the place; one that stands there is compared.

    So many bytes of its rows are held, and as many of their hashes.

    Raises:
        R2D2Error: it does not come back, or something else is in its place.
    """
    name, fingerprint = entry["table"], entry["evidence"]["fingerprint"]
    layout, start = layout_from(entry["layout"]), perf_counter()
    rows = entry["evidence"]["rows"]
    stands = table_at(layout, place, name)
    if stands is not None and _layout_data(place, stands) == entry["layout"]:
        found = read_batches(LocalStorage(str(place)), stands, stands.columns)
        with _held(found, layout, rows, memory_bytes) as (_, found_fingerprint):
            if found_fingerprint == fingerprint:
                files = tuple(dict.fromkeys(split.file.path for split in stands.splits))
                seconds = perf_counter() - start
                return RebuiltTable(name, files, rows, stands.size_bytes, seconds, stood=True)
    with made_again(parents_now, kept, entry, memory_bytes) as (made, told):
        return _written(entry, made, place, start, told)


def _written(
    entry: Data,
    made: Iterable[pa.RecordBatch],
    place: Path,
    start: float,
    told: tuple[str, ...],
) -> RebuiltTable:
    name, rows = entry["table"], entry["evidence"]["rows"]
    written = write_table(layout_from(entry["layout"]), made, place, name)
    return RebuiltTable(name, written.files, rows, written.size_bytes, perf_counter() - start, told)


def rebuild_family(
    parents_now: "ParentsNow",
    work: Sequence[tuple[Data, Path]],
    threads: int = 2,
    memory_bytes: int = HELD_BYTES,
) -> Iterator[RebuiltTable]:
    """The tables that come of one reading of their parent, each below its place.

    The others need a reading of their own, or cannot be written. All are columns, or selected rows,
    of one parent, and nothing is at their places. They share the time of the reading, and memory.
    """
    entries = [entry for entry, _ in work]
    start = perf_counter()
    (parent,) = {name for entry in entries for name in entry["parents"]}
    tables, told = next(iter(parents_now.readings([parent])))
    context = RecipeContext(parents_now.storage, tables, no_residual)
    layouts = [layout_from(entry["layout"]) for entry in entries]
    recipes = [from_data(entry["recipe"]) for entry in entries]
    leaves = [recipe for recipe in recipes if isinstance(recipe, Project | Select)]
    schemas = [(leaf, layout.rows_schema) for leaf, layout in zip(leaves, layouts, strict=True)]
    share_bytes = memory_bytes // len(work)
    with ExitStack() as stack:
        held = [
            stack.enter_context(closing(HeldRows(layout, entry["evidence"]["rows"], share_bytes)))
            for layout, entry in zip(layouts, entries, strict=True)
        ]
        for number, rows in rebuilt_together(context, schemas, threads):
            held[number].add(rows)
        part_s = (perf_counter() - start) / len(work)
        for (entry, place), each in zip(work, held, strict=True):
            start = perf_counter() - part_s
            made, digest = each.end()
            if digest == entry["evidence"]["fingerprint"]:
                with suppress(Exception):
                    yield _written(entry, made, place, start, told)


def no_residual(residual: Residual) -> pa.Table:
    """Refuses to read a residual: the recipes at hand have none."""
    raise R2D2Error(f"{residual.location}: the recipe needs no residual")


@contextmanager
def made_again(
    parents_now: "ParentsNow", kept: ResidualRows, entry: Data, memory_bytes: int = HELD_BYTES
) -> Iterator[tuple[Iterable[pa.RecordBatch], tuple[str, ...]]]:
    """The table's rows from its parents, and sentences on those that changed.

    Raises:
        R2D2Error: the parents do not give the rows of its fingerprint.
    """
    fingerprint, rows = entry["evidence"]["fingerprint"], entry["evidence"]["rows"]
    layout, problems = layout_from(entry["layout"]), []
    for tables, told in parents_now.readings(entry["parents"]):
        context = RecipeContext(parents_now.storage, tables, kept)
        with ExitStack() as stack:
            try:
                coming = rebuilt(context, from_data(entry["recipe"]), layout.rows_schema)
                made, digest = stack.enter_context(_held(coming, layout, rows, memory_bytes))
            except R2D2Error as error:
                problem = str(error)
            except Exception as error:  # noqa: BLE001 - another reading of the parents may do
                problem = table_problem(error)
            else:
                if digest == fingerprint:
                    yield made, told
                    return
                problem = "what came out is not the table that the plan saw"
        problems.append("; ".join((problem, *told)))
    raise R2D2Error("; ".join(problems))


@dataclass(frozen=True, slots=True)
class ParentsNow:
    """The lake as it is now, in which the parents of a plan's tables are looked for."""

    storage: Storage
    snapshots: Mapping[str, str]
    entries: Mapping[str, Data]
    tables: Mapping[str, Table]
    files: Mapping[str, FileInfo]
    files_then: Mapping[str, Sequence[FileInfo]] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Data, storage: Storage, now: Inventory) -> "ParentsNow":
        """The lake of this inventory."""
        return cls(
            storage,
            plan["snapshots"],
            {entry["table"]: entry for entry in plan["tables"]},
            {table.location: table for table in now.tables},
            {file.path: file for file in now.listing.files},
        )

    def readings(
        self, parents: Iterable[str]
    ) -> Iterator[tuple[Mapping[str, Table], tuple[str, ...]]]:
        """The parents in the ways to read them, with sentences on those that changed.

        Delta tables are read at the plan's version first, and then as they are now.

        Raises:
            R2D2Error: one is gone.
        """
        ways = {parent: self._ways(parent) for parent in parents}
        for number in range(max(map(len, ways.values()))):
            chosen = {parent: each[min(number, len(each) - 1)] for parent, each in ways.items()}
            tables = {parent: table for parent, (table, _) in chosen.items()}
            yield tables, tuple(told for _, told in chosen.values() if told)

    def _ways(self, parent: str) -> list[tuple[Table, str]]:
        found = self._table(parent)
        snapshot, told = self.snapshots[parent], self._other(parent, found)
        if found.location != parent:
            told = f"{parent} is {found.location} now"
        elif found.snapshot == snapshot:
            same = files_digest(found.files) == self.entries[parent]["files_sha256"]
            return [(found, "" if same else told)]
        kind, _, version = snapshot.partition(":")
        if found.format != Format.DELTA or kind != "delta" or found.snapshot == snapshot:
            return [(found, told)]
        try:
            before = self._at_version(found.location, int(version))
        except Exception as error:  # noqa: BLE001 - the table as it is now may do
            problem = table_problem(error)
            return [(found, f"{told}, and its version {version} cannot be read: {problem}")]
        then = f"{parent} is read at version {version}, as the plan saw it"
        return [(before, then), (found, told)]

    def _other(self, parent: str, found: Table) -> str:
        """The sentence on a parent whose files are not those of the plan, by what differs."""
        then, now = (
            sorted((file.path, file.size_bytes) for file in files)
            for files in (self.files_then.get(parent, ()), found.files)
        )
        if then == now:  # its rows are looked at in any case
            return f"{parent} has other file times, as a copy has; names and sizes are the plan's"
        return f"{parent} changed since the plan"

    def of_parents(self, parents: Collection[str]) -> "ParentsNow":
        """As much of the lake as these parents need: of those that did not change, themselves."""
        now = {parent: self.tables[parent] for parent in parents if parent in self.tables}
        same = [p for p, table in now.items() if table.snapshot == self.snapshots[p]]
        return replace(self, tables=now, files={}) if len(same) == len(parents) else self

    def require(self, parents: Iterable[str]) -> None:
        """Passes where each parent is there, under its own name or another.

        Raises:
            R2D2Error: one is gone.
        """
        for parent in parents:
            self._table(parent)

    def _table(self, parent: str) -> Table:
        """The parent; where it is gone, the one of its size that came since."""
        if parent in self.tables:
            return self.tables[parent]
        size_bytes = self.entries[parent]["size_bytes"]
        for location, table in self.tables.items():
            came = location not in self.snapshots
            if came and table.eligible and table.size_bytes == size_bytes:
                return table
        raise R2D2Error(f"its parent {parent} is gone")

    def _at_version(self, location: str, version: int) -> Table:
        """The Delta table at the version.

        Raises:
            TableError: the log or the files of that version are gone.
        """
        from r2d2.formats.delta.table import inspect

        folder = "" if location == "." else location
        inside = f"{folder}/" if folder else ""
        files = [file for path, file in self.files.items() if path.startswith(inside)]
        table = inspect(self.storage, folder, files, self.files, version)
        return replace(table, location=location)


@contextmanager
def _held(
    batches: Iterator[pa.RecordBatch], layout: Layout, rows: int, memory_bytes: int
) -> Iterator[tuple[Iterable[pa.RecordBatch], str]]:
    """The rows, about so many, and their fingerprint."""
    with closing(HeldRows(layout, rows, memory_bytes)) as held:
        for batch in batches:
            held.add(batch)
        yield held.end()


def _layout_data(place: Path, table: Table) -> Data:
    """The layout of a table in the place, as a plan has it."""
    data: Data = json.loads(json.dumps(layout_of(LocalStorage(str(place)), table)))
    return data


def _changed(tables: Mapping[str, Table], plan: Data, wanted: Iterable[str]) -> tuple[str, ...]:
    """Those of the parents that are other by now than the plan saw.

    Raises:
        R2D2Error: one is gone.
    """
    parents = list(wanted)
    for parent in parents:
        if parent not in tables:
            raise R2D2Error(f"its parent {parent} is gone")
    snapshots = plan["snapshots"]
    return tuple(each for each in parents if tables[each].snapshot != snapshots[each])


def view_of(
    plan: Data,
    run: Path,
    entry: Data,
    dialect: str,
    given: Mapping[str, tuple[str, ...]],
    tables: Mapping[str, Table] | None = None,
) -> str:
    """The deleted table as a SQL view over its parents: those `given` by name, others' files.

    The lake is listed where its `tables` by location are not known.

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
    run, recipe, name = run_of(plan, run), from_data(entry["recipe"]), entry["table"]
    names = names_of((table["table"] for table in plan["tables"]), given)
    unnamed = [parent for parent in parents(recipe) if parent not in given]
    files: dict[str, Path] = {}
    for residual in residuals(recipe):
        if residual.kind in (ResidualKind.KEYS, ResidualKind.ROWS):
            ResidualFolder(run)(residual)
            files[residual.location] = (run / residual.location).resolve()
    storage = storage_of(plan["lake"])
    tables = tables or (tables_now(run, load_graph(run), storage) if unnamed else {})
    if changed := _changed(tables, plan, unnamed):
        raise R2D2Error(f"{name}: its parent {changed[0]} changed since the plan was made")
    read = {parent: tables[parent] for parent in unnamed}
    sql = SqlDialect(dialect)
    sources = sources_of(read, storage, sql, files)
    named = {parent: names[parent] for parent in parents(recipe) if parent in given}
    units = units_of(layout_from(entry["layout"]).schema, sql) if entry["layout"] else {}
    return view(names[name], recipe, {**named, **sources}, sql, units)
