"""Results of `tables`, `find` and `plan` as a user of the library has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from r2d2.api.records import Columns, Frames, Records, html_table
from r2d2.errors import UsageError
from r2d2.graph import Graph
from r2d2.lake.inventory import Inventory
from r2d2.model import Column, Edge, Evidence, FunnelRow, Table, Verdict
from r2d2.plan.graph_file import GRAPH_NAME, PLAN_NAME, is_compared, load_graph
from r2d2.plan.plan_file import load_plan
from r2d2.plan.plan_form import PlannedUsage, PlanTotals
from r2d2.settings.find import Settings
from r2d2.stages.schema import degenerate_edge
from r2d2.text_tables import counted, human_bytes, pluralize, usd, visible

if TYPE_CHECKING:
    import pyarrow as pa

FUNNEL_NAME = "funnel.json"


class Tables(Records[Table]):
    """The tables of a lake, in order of location."""

    noun = "table"
    columns: ClassVar[Columns] = {
        "location": ("string", lambda table: table.location),
        "format": ("string", lambda table: str(table.format)),
        "eligible": ("bool", lambda table: table.eligible),
        "problem": ("string", lambda table: table.problem),
        "rows": ("int64", lambda table: table.rows),
        "size_bytes": ("int64", lambda table: table.size_bytes),
        "columns": ("strings", lambda table: [f"{c.name} {c.type}" for c in table.columns]),
        "snapshot": ("string", lambda table: table.snapshot),
        "must_keep": ("string", lambda table: table.must_keep),
    }


class Edges(Records[Edge]):
    """Edges of a graph, in order of child and parent."""

    noun = "edge"
    columns: ClassVar[Columns] = {
        "child": ("string", lambda edge: edge.child),
        "parent": ("string", lambda edge: edge.parent),
        "fraction": ("double", lambda edge: edge.fraction),
        "missing_rows": ("int64", lambda edge: edge.missing_rows),
        "child_rows": ("int64", lambda edge: edge.child_rows),
        "parent_rows": ("int64", lambda edge: edge.parent_rows),
        "equal": ("bool", lambda edge: edge.equal),
        "stage": ("string", lambda edge: edge.stage),
        "unmatched": ("strings", lambda edge: [str(column) for column in edge.unmatched]),
        "equal_after_cast": ("bool", lambda edge: edge.equal_after_cast),
    }


class EqualTables(Records[tuple[str, ...]]):
    """EqualTables of equal tables, each the tables' locations."""

    noun = "group"
    columns: ClassVar[Columns] = {
        "tables": ("strings", list),
        "count": ("int64", len),
    }


class Funnel(Records[FunnelRow]):
    """The work of each stage, in the order in which they ran."""

    noun = "stage"
    columns: ClassVar[Columns] = {
        "stage": ("string", lambda row: row.stage),
        "pairs": ("int64", lambda row: row.pairs),
        "refuted": ("int64", lambda row: row.refuted),
        "proved": ("int64", lambda row: row.proved),
        "left": ("int64", lambda row: row.left),
        "bytes_read": ("int64", lambda row: row.bytes_read),
        "rows_read": ("int64", lambda row: row.rows_read),
        "seconds": ("double", lambda row: row.seconds),
        "core_seconds": ("double", lambda row: row.core_seconds),
    }


class PlannedTable(msgspec.Struct, frozen=True):
    """A table's entry in a plan. What only deleted tables have is None for those that stay.

    `recipe` is plain data, as `r2d2 recipe show` prints it; `way` is `rebuild` or `view`.
    """

    table: str
    choice: str
    reason: str
    must_keep: str | None
    tenant: str | None
    parents: tuple[str, ...]
    recipe: dict[str, Any] | None
    keep_usd_per_month: float
    saving_usd_per_month: float
    latency_limit_s: float
    size_bytes: int
    frees_bytes: int
    usage: PlannedUsage
    way: str | None = None
    rebuild_usd_per_month: float | None = None
    rebuild_p95_s: float | None = None
    saving_at_least_usd_per_month: float | None = None
    saving_at_most_usd_per_month: float | None = None

    def __repr__(self) -> str:
        saved = f", {usd(self.saving_usd_per_month)} a month saved"
        return f"<{visible(self.table)}: {self.choice}{saved if self.choice == 'delete' else ''}>"


class DeletedTable(PlannedTable, frozen=True, kw_only=True):
    """A table that a plan deletes: it has a recipe."""

    recipe: dict[str, Any]
    way: str
    rebuild_usd_per_month: float
    rebuild_p95_s: float
    saving_at_least_usd_per_month: float
    saving_at_most_usd_per_month: float


class PlannedTables(Records[PlannedTable]):
    """The tables of a plan with what becomes of them, in order of location."""

    noun = "table"
    columns: ClassVar[Columns] = {
        "table": ("string", lambda entry: entry.table),
        "choice": ("string", lambda entry: entry.choice),
        "saving_usd_per_month": ("double", lambda entry: entry.saving_usd_per_month),
        "frees_bytes": ("int64", lambda entry: entry.frees_bytes),
        "reads_per_month": ("double", lambda entry: entry.usage.reads_per_month),
        "rebuild_p95_s": ("double", lambda entry: entry.rebuild_p95_s),
        "latency_limit_s": ("double", lambda entry: entry.latency_limit_s),
        "way": ("string", lambda entry: entry.way),
        "parents": ("strings", lambda entry: list(entry.parents)),
        "reason": ("string", lambda entry: entry.reason),
        "must_keep": ("string", lambda entry: entry.must_keep),
        "tenant": ("string", lambda entry: entry.tenant),
        "size_bytes": ("int64", lambda entry: entry.size_bytes),
        "keep_usd_per_month": ("double", lambda entry: entry.keep_usd_per_month),
    }


class DeletedTables(Records[DeletedTable]):
    """The tables that a plan deletes, in order of location."""

    noun = "table"
    columns = PlannedTables.columns


@dataclass(frozen=True, slots=True, repr=False)
class LakeTables(Frames, Inventory):
    """The tables of a lake from metadata alone, and how many files were left out by reason.

    As a frame it is its `tables`.
    """

    tables: Tables
    lake: str = ""

    def __repr__(self) -> str:
        listed = sum(table.eligible for table in self.tables)
        return f"<{visible(self.lake)}: {counted(listed, len(self.tables) - listed)}>"

    def to_arrow(self) -> "pa.Table":
        """The tables as an Arrow table."""
        return self.tables.to_arrow()

    def _repr_html_(self) -> str:
        return html_table(repr(self)[1:-1], self.tables)


@dataclass(frozen=True, slots=True, repr=False)
class Run(Frames, Graph):
    """The graph that `find` made, with the lake's URL and the settings; as a frame its `edges`.

    `folder` is where its files are, None where it was not written. `warnings` are rules of the
    settings that matched nothing. Of a run that was opened, tables have no `files`, `splits` and
    `bounds`: these are facts of the lake, which is not looked at.
    """

    tables: Tables
    edges: Edges = field(default_factory=Edges)
    degenerate: Edges = field(default_factory=Edges)
    funnel: Funnel = field(default_factory=Funnel)
    lake: str = ""
    settings: Settings = field(default_factory=Settings)
    warnings: tuple[str, ...] = ()
    folder: Path | None = None
    undecided: int = 0

    @property
    def equal(self) -> EqualTables:
        """EqualTables of equal tables, each in order of location."""
        return EqualTables(self.classes())

    def to_arrow(self) -> "pa.Table":
        """The edges as an Arrow table."""
        return self.edges.to_arrow()

    @property
    def plan(self) -> "Plan | None":
        """The plan in the run's folder; None where none was made.

        Raises:
            UsageError: it was changed by hand, or another version of r2d2 wrote it.
        """
        if self.folder is None or not (self.folder / PLAN_NAME).is_file():
            return None
        return Plan.of(load_plan(self.folder / PLAN_NAME), self.folder)

    def open_pairs(self) -> int:
        """The number of pairs that no stage has decided."""
        return self.undecided

    def __repr__(self) -> str:
        compared = sum(table.eligible for table in self.tables)
        parts = (
            counted(compared, len(self.tables) - compared),
            pluralize(len(self.edges), "edge"),
            pluralize(len(self.equal), "group") + " of equal tables",
        )
        return f"<{visible(self.lake)}: {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        sizes = {table.location: table.size_bytes for table in self.tables}
        largest = sorted(self.edges, key=lambda edge: -sizes.get(edge.child, 0))
        return html_table(
            f"{repr(self)[1:-1]}; edges of the largest children first", Edges(largest)
        )


@dataclass(frozen=True, slots=True, repr=False)
class Plan(Frames):
    """A plan of what to delete; `data` is all of it, as `plan.json` has it.

    As a frame it is its `tables`.
    """

    lake: str
    tables: PlannedTables
    totals: PlanTotals
    warnings: tuple[str, ...]
    data: Mapping[str, Any]
    folder: Path | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any], folder: Path | None = None) -> "Plan":
        """The plan of a plan file's data."""
        tables = msgspec.convert(data["tables"], list[PlannedTable])
        totals = msgspec.convert(data["totals"], PlanTotals)
        return cls(
            data["lake"], PlannedTables(tables), totals, tuple(data["warnings"]), data, folder
        )

    @property
    def deleted(self) -> DeletedTables:
        """The tables that the plan deletes, in order of location."""
        chosen = [entry for entry in self.data["tables"] if entry["choice"] == "delete"]
        return DeletedTables(msgspec.convert(chosen, list[DeletedTable]))

    @property
    def kept(self) -> PlannedTables:
        """The tables that stay, in order of location."""
        return PlannedTables(entry for entry in self.tables if entry.choice == "keep")

    def to_arrow(self) -> "pa.Table":
        """The tables and what becomes of them, as an Arrow table."""
        return self.tables.to_arrow()

    def __repr__(self) -> str:
        compared = sum(is_compared(entry.must_keep) for entry in self.tables)
        tables = counted(compared, len(self.tables) - compared)
        deleted = f"{len(self.deleted):,} of {tables} deleted"
        saved = usd(self.totals.saving_usd_per_month)
        freed = human_bytes(self.totals.freed_bytes)
        return f"<plan for {visible(self.lake)}: {deleted}, {freed} freed, {saved} a month saved>"

    def _repr_html_(self) -> str:
        most = sorted(self.deleted, key=lambda entry: -entry.saving_usd_per_month)
        return html_table(f"{repr(self)[1:-1]}; what saves most first", PlannedTables(most))


class _TableRead(msgspec.Struct):
    location: str
    format: str
    columns: list[tuple[str, str]]
    rows: int | None
    size_bytes: int
    snapshot: str
    problem: str | None
    unreadable: bool
    must_keep: str | None
    details: dict[str, str]

    def table(self) -> Table:
        return Table(
            self.location,
            self.format,
            tuple(Column(name, type_, ()) for name, type_ in self.columns),
            self.rows,
            self.size_bytes,
            snapshot=self.snapshot,
            details=self.details,
            problem=self.problem,
            unreadable=self.unreadable,
            must_keep=self.must_keep,
        )


class _EvidenceRead(msgspec.Struct):
    evidence: list[tuple[str, Verdict, str]]


class _RunRead(msgspec.Struct):
    """What a run's graph has beside what a plan needs of it."""

    tables: list[_TableRead]
    edges: list[_EvidenceRead]
    degenerate: list[tuple[str, str]]
    skipped: dict[str, int]
    open_pairs: int


def read_run(folder: Path) -> Run:
    """The run of a folder that `find` wrote.

    Raises:
        UsageError: there is none, or another version of r2d2 wrote it.
    """
    graph = load_graph(folder)
    try:
        read = msgspec.json.decode((folder / GRAPH_NAME).read_bytes(), type=_RunRead)
        funnel = msgspec.json.decode((folder / FUNNEL_NAME).read_bytes(), type=list[FunnelRow])
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}; run `r2d2 find` again") from error
    except ValueError as error:
        raise UsageError(f"{folder}: not a run of r2d2's: {error}; run it again") from error
    tables = {each.location: each.table() for each in read.tables}
    return Run(
        Tables(tables.values()),
        edges=Edges(
            replace(edge, evidence=tuple(Evidence(*told) for told in more.evidence))
            for edge, more in zip(graph.edges, read.edges, strict=True)
        ),
        degenerate=Edges(degenerate_edge(tables[c], tables[p]) for c, p in read.degenerate),
        funnel=Funnel(funnel),
        skipped=read.skipped,
        owners=graph.owners,
        lake=graph.lake,
        settings=graph.settings,
        warnings=graph.warnings,
        folder=folder,
        undecided=read.open_pairs,
    )
