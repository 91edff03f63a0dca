"""The catalogue of a Spark session: listed for `apply`, and kept in step with the journal after it.

Where a deleted table has an external entry, that is renamed, whole as it is, and a view over the
recipe takes its name; where the table is live again the view goes and the entry has its name back.
All is done through the session's own catalogue; SQL text has names as identifiers that are quoted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from r2d2.deletion.catalogue import VERSION, CatalogueEntry, CatalogueListing, CataloguePartition
from r2d2.deletion.journal import Journal
from r2d2.deletion.parents import LakeNow
from r2d2.deletion.record import folder_of
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import Deletion, State
from r2d2.lake.inventory import layout_from
from r2d2.model import Table
from r2d2.recipes.grammar import residuals
from r2d2.recipes.json import from_data

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MARK = "r2d2.deletion"
"""The property of a view that is in the place of a deleted table's entry."""
_CATALOGUES = "spark.sql.catalog."


@dataclass(frozen=True, slots=True)
class CatalogueStep:
    """What was done with the entry of a table, or why nothing was."""

    table: str
    entry: str
    told: str
    is_done: bool = True


def listing_of(session: "SparkSession") -> CatalogueListing:
    """All tables, partitions and views that the session's own catalogue has."""
    catalogue = SessionCatalogue(session)
    settings = dict(session.sparkContext.getConf().getAll())
    names = {key.removeprefix(_CATALOGUES) for key in settings if key.startswith(_CATALOGUES)}
    others = sorted(name for name in names if "." not in name and name != "spark_catalog")
    entries = list(catalogue.entries())
    return CatalogueListing(VERSION, datetime.now(UTC), "spark_catalog", others, entries)


class SessionCatalogue:
    """The catalogue that a session calls `spark_catalog`, by its JVM."""

    def __init__(self, session: "SparkSession") -> None:
        self.session, self.jvm = session, session.sparkContext._jvm
        self.catalog = session._jsparkSession.sessionState().catalog()

    def entries(self) -> Iterator[CatalogueEntry]:
        """Each table and view; one that cannot be described says why."""
        for database in _values(self.catalog.listDatabases()):
            for name in _values(self.catalog.listTables(database)):
                if name.database().isDefined():
                    yield self._described(database, name)

    def _described(self, database: str, name: Any) -> CatalogueEntry:
        whole = ("spark_catalog", database, name.table())
        try:
            return self._entry(whole, self.catalog.getTableMetadata(name))
        except Exception as error:  # noqa: BLE001 - what cannot be described keeps all tables
            return CatalogueEntry(whole, "", problem=" ".join(str(error).split())[:200])

    def _entry(self, name: tuple[str, str, str], told: Any) -> CatalogueEntry:
        keys = _values(told.partitionColumnNames())
        parts = self.jvm.scala.Option.empty()
        found = _values(self.catalog.listPartitions(told.identifier(), parts)) if keys else []
        return CatalogueEntry(
            name,
            told.tableType().name(),
            self._place(told.storage()),
            _option(told.provider()),
            told.owner() or None,
            _option(told.comment()),
            [
                (field.name(), field.dataType().catalogString(), _option(field.getComment()))
                for field in told.schema().fields()
            ],
            keys,
            _pairs(told.properties()),
            [CataloguePartition(_pairs(p.spec()), self._place(p.storage())) for p in found],
            _option(told.viewText()),
        )

    def _place(self, storage: Any) -> str | None:
        uri = _option(storage.locationUri())
        return None if uri is None else self.jvm.org.apache.hadoop.fs.Path(uri).toString()

    def entry(self, name: tuple[str, str, str]) -> CatalogueEntry | None:
        """The entry of that name as it is now, None where there is none."""
        known = self._identifier(name)
        if not self.catalog.tableExists(known):
            return None
        return self._entry(name, self.catalog.getTableMetadata(known))

    def rename(self, name: tuple[str, str, str], new: tuple[str, str, str]) -> None:
        """Gives an entry another name, which nothing has; an external one's files stay."""
        self.catalog.renameTable(self._identifier(name), self._identifier(new))
        self.catalog.refreshTable(self._identifier(new))

    def drop_view(self, name: tuple[str, str, str]) -> None:
        """Removes a view."""
        self.catalog.dropTable(self._identifier(name), True, False)

    def _identifier(self, name: tuple[str, str, str]) -> Any:
        database = self.jvm.scala.Option.apply(name[1])
        return self.jvm.org.apache.spark.sql.catalyst.TableIdentifier(name[2], database)


def settle_catalogue(session: "SparkSession", journal: Journal) -> Iterator[CatalogueStep]:
    """Makes the session's catalogue agree with the journal; done twice, it does nothing more."""
    catalogue, now = SessionCatalogue(session), LakeNow(journal.place)
    for deletion in journal.state.deletions.values():
        data = deletion.record.get("catalogue", {}).get("entry")
        if data is None:
            continue
        entry = msgspec.convert(data, CatalogueEntry)
        try:
            if deletion.state in (State.TOMBSTONED, State.PURGING, State.PURGED):
                told = _with_view(catalogue, now, deletion, entry)
            elif deletion.state in (State.LIVE, State.REBUILT, State.GIVEN_UP):
                told = _with_entry(catalogue, deletion, entry)
            else:
                continue
            if told:
                yield CatalogueStep(deletion.table, entry.dotted, told)
        except R2D2Error as error:
            yield CatalogueStep(deletion.table, entry.dotted, str(error), is_done=False)


def aside(deletion: Deletion, entry: CatalogueEntry) -> tuple[str, str, str]:
    """The name that the entry of a deleted table has meanwhile."""
    catalogue, database, table = entry.name
    return catalogue, database, f"{table}__r2d2_{deletion.id[:12]}"


def _with_view(
    catalogue: SessionCatalogue, now: LakeNow, deletion: Deletion, entry: CatalogueEntry
) -> str:
    waiting, there = aside(deletion, entry), catalogue.entry(entry.name)
    if catalogue.entry(waiting) is None:
        _check_same(entry, there)
        text = view_text(now, deletion, entry.name)
        catalogue.rename(entry.name, waiting)
    elif there is None:
        text = view_text(now, deletion, entry.name)
    else:
        _check_ours(deletion, there)
        _check_parents(catalogue, now, deletion, entry)
        return ""
    try:
        catalogue.session.sql(text)
        made = catalogue.entry(entry.name)
        if made is None or not _same_columns(made, entry):
            raise R2D2Error("the view would have other columns than its entry")
    except Exception as error:
        catalogue.drop_view(entry.name)
        catalogue.rename(waiting, entry.name)
        reason = str(error).partition("\n")[0]
        raise R2D2Error(f"no view: {reason}; the entry has its name still") from error
    return f"a view over its recipe has its name, and the entry is {waiting[2]} until an undo"


def _check_parents(
    catalogue: SessionCatalogue, now: LakeNow, deletion: Deletion, entry: CatalogueEntry
) -> None:
    """Passes where the parents are as they were; else the view goes, as it gives other rows."""
    try:
        parents_as_they_were(now, deletion)
    except R2D2Error as error:
        catalogue.drop_view(entry.name)
        waiting = aside(deletion, entry)[2]
        raise R2D2Error(f"{error}: the view was dropped, the entry is {waiting}") from error


def _check_same(entry: CatalogueEntry, there: CatalogueEntry | None) -> None:
    if there is None or there.location != entry.location:
        raise R2D2Error("no view: the entry is gone, or another, since the catalogue was listed")
    if there.kind != "EXTERNAL":
        told = f"no view: it is {there.kind.lower()}"
        raise R2D2Error(f"{told}, and the catalogue would move its files with its name")


def _check_ours(deletion: Deletion, there: CatalogueEntry) -> None:
    if not _is_ours(deletion, there):
        raise R2D2Error(f"somebody made another {there.dotted}: drop it, and run this again")


def _is_ours(deletion: Deletion, there: CatalogueEntry) -> bool:
    return there.kind == "VIEW" and there.parameters.get(MARK) == deletion.id


def _same_columns(made: CatalogueEntry, entry: CatalogueEntry) -> bool:
    """Whether the view has the entry's columns; an entry that tells none, as Delta's, has any."""
    wanted = [(name, type_) for name, type_, _ in entry.columns]
    return not wanted or [(name, type_) for name, type_, _ in made.columns] == wanted


def _with_entry(catalogue: SessionCatalogue, deletion: Deletion, entry: CatalogueEntry) -> str:
    waiting, there = aside(deletion, entry), catalogue.entry(entry.name)
    if catalogue.entry(waiting) is None:
        return ""
    is_given_up = deletion.state is State.GIVEN_UP
    if there is not None and is_given_up and not _is_ours(deletion, there):
        raise R2D2Error(f"its owner made another: drop {waiting[2]}, which was the deleted table's")
    if there is not None:
        _check_ours(deletion, there)
        catalogue.drop_view(entry.name)
    catalogue.rename(waiting, entry.name)
    whose = "; the deleted table was given up, so it has what is at its place now"
    return f"the entry has its name back{whose if is_given_up else ''}"


def parents_as_they_were(now: LakeNow, deletion: Deletion) -> dict[str, Table]:
    """The lake's tables by location, where those that the deleted one is rebuilt from are as then.

    Raises:
        R2D2Error: one changed, or is gone.
    """
    tables = {t.location: t for t in now.inventory(deletion.record["find"]).tables}
    for parent, told in deletion.record["parents"].items():
        if parent not in tables or tables[parent].snapshot != told["snapshot"]:
            raise R2D2Error(f"no view: its parent {parent} is gone, or changed since")
    return tables


def view_text(now: LakeNow, deletion: Deletion, name: tuple[str, str, str]) -> str:
    """`CREATE VIEW` over a deleted table's recipe, which reads its parents by their places.

    Raises:
        UnrenderableRecipeError: SQL cannot express the recipe exactly.
        R2D2Error: a parent changed, or is gone.
    """
    from r2d2.recipes.readers import sources_of, units_of
    from r2d2.recipes.sql import view
    from r2d2.recipes.sql_names import SqlDialect

    entry, storage = deletion.record["entry"], now.place.storage
    recipe, sql = from_data(entry["recipe"]), SqlDialect.SPARK
    tables = parents_as_they_were(now, deletion)
    kept = {
        residual.location: Path(storage.absolute(f"{folder_of(deletion.id)}/{residual.location}"))
        for residual in residuals(recipe)
    }
    read = {parent: tables[parent] for parent in deletion.parents}
    sources = sources_of(read, storage, sql, kept)
    units = units_of(layout_from(entry["layout"]).schema, sql) if entry["layout"] else {}
    return view(name, recipe, sources, sql, units, {MARK: deletion.id})


def _values(sequence: Any) -> list[Any]:
    return [sequence.apply(number) for number in range(sequence.size())]


def _option(option: Any) -> Any:
    return option.get() if option.isDefined() else None


def _pairs(found: Any) -> dict[str, str]:
    pairs = _values(found.toSeq())
    return {pair._1(): pair._2() for pair in pairs}
