"""`graph.json` of a run's folder: the lake, its tables and edges as `find` saw them.

The facts of a table are what a plan needs of it: its bytes, and why it must stay.

A plan names the run's files by SHA-256. Those of an earlier plan are in the run's `earlier`.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from hashlib import sha256
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import msgspec

from r2d2.errors import UsageError
from r2d2.hashing.finaliser import HASH_VERSION
from r2d2.lake.inventory import INVENTORY_FILE, Inventory, load_inventory, take_inventory
from r2d2.model import Edge, FileInfo, Table, Types, UnmatchedColumn
from r2d2.settings.find import Settings, TableRule, TextRule
from r2d2.storage.local import Storage
from r2d2.storage.output import EARLIER, earlier_place
from r2d2.text_tables import by_number, pluralize

GRAPH_NAME = "graph.json"
RECIPES_NAME = "recipes.json"
CHANGED = "it changed since `r2d2 find` looked at it; run that again"
CAME = "it came since `r2d2 find` looked at the lake; run that again"
NOT_JUDGED = "it cannot be judged: "
"""The beginning of the reason that keeps a table which could not be read."""
NOT_ELIGIBLE = "it is not eligible: "
PLAN_NAME = "plan.json"
"""A run's plan in its folder."""


@dataclass(frozen=True, slots=True)
class GraphFile:
    """The graph of a run: the lake, the settings, each table's snapshot, edges without evidence.

    `owners` tells which owners of files `find` looked at, `found_with` the settings as the file has
    them, `sha256` which file it is, `warnings` which rules of these settings fitted nothing,
    `left_out` why tables have no edges, also those that were damaged as their rows showed. `sizes`
    are the tables' bytes.
    """

    lake: str
    settings: Settings
    snapshots: tuple[tuple[str, str], ...]
    degenerate: frozenset[str]
    edges: tuple[Edge, ...]
    owners: Mapping[str, Any] = field(default_factory=dict)
    found_with: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""
    warnings: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    formats: Mapping[str, str] = field(default_factory=dict)

    def ignored(self) -> dict[tuple[str, str], list[str]]:
        """By child and parent, the child's columns that the parent lacks and no recipe gives."""
        return {
            (edge.child, edge.parent): [c.column for c in edge.unmatched if not c.is_given]
            for edge in self.edges
            if edge.ignores
        }


def left_out(problem: str, unreadable: bool) -> str:
    """The reason that keeps a table with this problem."""
    return (NOT_JUDGED if unreadable else NOT_ELIGIBLE) + problem


def is_compared(must_keep: str | None) -> bool:
    """Whether `find` compared the table with others, by the reason that keeps it."""
    return not (must_keep or "").startswith((NOT_JUDGED, NOT_ELIGIBLE, CAME))


def load_graph(run: Path) -> GraphFile:
    """The graph of a folder that `r2d2 find --out` wrote.

    Raises:
        UsageError: there is none, or another version of r2d2 wrote it.
    """
    path = run / GRAPH_NAME
    try:
        content = path.read_bytes()
        if msgspec.json.decode(content, type=_Version).hash_version != HASH_VERSION:
            raise UsageError(f"{path}: of another version of r2d2; run `r2d2 find` again")
        return _graph(msgspec.json.decode(content, type=_GraphData), sha256(content).hexdigest())
    except OSError as error:
        raise no_graph(run, error) from error
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not a graph of r2d2's: {error!r}; run it again") from error
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {error}") from error


def no_graph(run: Path, error: OSError) -> UsageError:
    """The error for a place without a graph that can be read, and what to give instead."""
    remedy = "give the folder that `r2d2 find --out` wrote"
    if run.is_file():
        return UsageError(f"{run}: a file; {remedy}, such as {run.parent}")
    if run.is_dir() and not (run / GRAPH_NAME).exists():
        return UsageError(f"{run}: no run, as it has no {GRAPH_NAME}; {remedy}")
    return UsageError(f"{run / GRAPH_NAME}: {error.strerror}; {remedy}")


def run_of(plan: Mapping[str, Any], run: Path) -> Path:
    """The folder of the files that the plan was made with: the run's, or one in its `earlier`.

    The run's own where there is none.
    """
    named = plan["run"]["graph_sha256"], plan["run"]["recipes_sha256"]
    for folder in (run, *earlier_runs(run)):
        with suppress(OSError):
            files = (folder / name for name in (GRAPH_NAME, RECIPES_NAME))
            if tuple(sha256(file.read_bytes()).hexdigest() for file in files) == named:
                return folder
    return run


def earlier_runs(run: Path) -> list[Path]:
    """The folders of earlier plans in the run's folder, the last that was made first."""
    made = []
    for folder in (run / EARLIER).glob("*"):
        with suppress(OSError):
            made.append(((folder / PLAN_NAME).stat().st_mtime_ns, folder))
    return [folder for _, folder in sorted(made, reverse=True)]


def needed_by_plans(run: Path, tables: Collection[str], paths: Sequence[str]) -> dict[str, str]:
    """The parents of deleted tables that are gone from the lake, with the reason to keep each.

    All plans of the run's folder count, also the one that lies there and its `earlier` ones. The
    lake has these tables and, in order, these paths of files: a table may be a part of others now.
    """
    above = run.absolute().parent
    inner = above.name == EARLIER and (above.parent / GRAPH_NAME).is_file()
    root = above.parent if inner else run
    reasons: dict[str, str] = {}
    for folder in (root, *earlier_runs(root)):
        content, plan = b"", _PlanRead()
        with suppress(OSError, ValueError):  # what is no plan rebuilds nothing
            content = (folder / PLAN_NAME).read_bytes()
            plan = msgspec.json.decode(content, type=_PlanRead)
        place = earlier_place(root, content) if folder == root else f"{EARLIER}/{folder.name}"
        for entry in plan.tables:
            gone = entry.choice == "delete" and entry.table not in tables
            if gone and not all(_among(paths, path) for path, *_ in entry.files):
                told = f"rebuilds {entry.table} from it, and {entry.table} is gone"
                for parent in entry.parents:
                    reasons.setdefault(parent, f"an earlier plan ({place}) {told}")
    return reasons


def _among(paths: Sequence[str], path: str) -> bool:
    at = bisect_left(paths, path)
    return at < len(paths) and paths[at] == path


def tables_now(run: Path, graph: GraphFile, storage: Storage) -> dict[str, Table]:
    """The lake's tables by location; those that are as `find` saw them are not opened again.

    Raises:
        LakeError: the lake cannot be listed.
    """
    tables = inventory_now(run, graph.settings, storage).tables
    return {table.location: table for table in tables}


def inventory_now(run: Path, settings: Settings, storage: Storage) -> Inventory:
    """The lake's inventory; tables that are as the folder's run saw them are not opened again.

    Raises:
        LakeError: the lake cannot be listed.
    """
    known = {}
    with suppress(OSError):  # a run of before there was such a file
        known = load_inventory((run / INVENTORY_FILE).read_bytes())
    return take_inventory(storage, settings, known)


def files_inside(location: str, own: Iterable[FileInfo], paths: Sequence[str]) -> tuple[str, ...]:
    """The paths, which are in order, that lie in the table's folder and are not its own."""
    mine = {file.path for file in own}
    folder = "" if location == "." else f"{location}/"
    first = bisect_left(paths, folder)
    below = takewhile(lambda path: path.startswith(folder), islice(paths, first, None))
    return tuple(path for path in below if path not in mine)


class _Version(msgspec.Struct):
    hash_version: int | str


class _EntryRead(msgspec.Struct):
    """A table of a plan of any version: what its deletion and its rebuild need."""

    table: str
    choice: str
    parents: list[str] = []
    files: list[tuple[str, int, str]] = []


class _PlanRead(msgspec.Struct):
    tables: list[_EntryRead] = []


class _TableData(msgspec.Struct):
    location: str
    snapshot: str
    problem: str | None = None
    unreadable: bool = False
    size_bytes: int = 0
    format: str = ""


class _EdgeData(msgspec.Struct):
    """An edge as the file has it: the columns are an object, and evidence is not read."""

    child: str
    parent: str
    fraction: float
    missing_rows: int
    child_rows: int | None
    parent_rows: int | None
    equal: bool
    stage: str
    equal_after_cast: bool
    columns: dict[str, str]
    distinct_rows: int | None = None
    unmatched: tuple[UnmatchedColumn, ...] = ()
    equal_after_parsing: dict[str, str] = {}


class _GraphData(msgspec.Struct):
    lake: str
    settings: dict[str, Any]
    tables: list[_TableData]
    edges: list[_EdgeData]
    degenerate: list[tuple[str, str]]
    owners: dict[str, Any] = {}
    warnings: tuple[str, ...] = ()


def _graph(data: _GraphData, digest: str) -> GraphFile:
    return GraphFile(
        data.lake,
        find_settings(data.settings),
        tuple((table.location, table.snapshot) for table in data.tables),
        frozenset(child for child, _ in data.degenerate),
        tuple(map(_edge, data.edges)),
        data.owners,
        data.settings,
        digest,
        data.warnings,
        {t.location: left_out(t.problem, t.unreadable) for t in data.tables if t.problem},
        {table.location: table.size_bytes for table in data.tables},
        {table.location: table.format for table in data.tables},
    )


def _edge(data: _EdgeData) -> Edge:
    return Edge(
        data.child,
        data.parent,
        data.fraction,
        data.missing_rows,
        data.child_rows,
        data.parent_rows,
        data.equal,
        data.stage,
        data.equal_after_cast,
        data.distinct_rows,
        tuple(data.columns.items()),
        unmatched=data.unmatched,
        renderings=tuple(data.equal_after_parsing.items()),
    )


def find_settings(data: Any) -> Settings:
    """The settings of `find` from a graph's or a plan's file."""
    known = {field.name for field in fields(Settings)}
    values = {key: value for key, value in data.items() if key in known}
    rules = tuple(TextRule(rule["tables"], rule["overrides"]) for rule in data["text"])
    changed = {"types": Types(data["types"]), "stages": tuple(data["stages"]), "text": rules}
    for name in ("ignore_columns", "include", "exclude"):
        changed[name] = tuple(data.get(name, ()))
    changed["tables"] = tuple(TableRule(**rule) for rule in data.get("tables", ()))
    return Settings(**(values | changed))


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table's bytes, those of them that no other table needs, and the reason why it must stay.

    `files` are its own; `inside` are paths of others in its folder, where a recipe rebuilds it.
    """

    size_bytes: int
    unique_bytes: int
    must_keep: str | None = None
    files: tuple[FileInfo, ...] = ()
    inside: tuple[str, ...] = ()
    format: str = ""

    def is_partitioned(self) -> bool:
        """Whether the names of its files' folders hold columns, as `day=2026-01-01`."""
        return any("=" in part for file in self.files for part in file.path.split("/")[:-1])


def facts_of(
    tables: Mapping[str, Table], graph: GraphFile, linked: Collection[str] = ()
) -> dict[str, TableFacts]:
    """The facts of every table of the lake as it is now, in order of location.

    The bytes of `linked` files stay when a table goes, as they have other names too.
    """
    unique = _unique_bytes(tables, linked)
    snapshots = dict(graph.snapshots)
    return {
        location: TableFacts(
            table.size_bytes,
            unique[location],
            _must_keep(table, snapshots.get(location), graph),
            table.files,
            format=table.format,
        )
        for location, table in sorted(tables.items())
    }


def gone_since(graph: GraphFile, locations: Collection[str]) -> Iterator[str]:
    """A sentence on the tables of the graph that are not in the lake any more."""
    gone = [location for location, _ in graph.snapshots if location not in locations]
    if gone:
        tables = f"{pluralize(len(gone), 'table')} {by_number(len(gone), 'is', 'are')} gone"
        yield f"{tables} since `r2d2 find`, such as {gone[0]}; run that again"


def _must_keep(table: Table, snapshot: str | None, graph: GraphFile) -> str | None:
    if snapshot is None:
        return CAME
    if snapshot != table.snapshot:
        return CHANGED
    if table.problem is not None:
        return left_out(table.problem, table.unreadable)
    if table.location in graph.left_out:
        return graph.left_out[table.location]
    if table.location in graph.degenerate:
        return "it has no rows or no columns"
    return table.must_keep


def _unique_bytes(tables: Mapping[str, Table], linked: Collection[str]) -> dict[str, int]:
    """The bytes of each table that nothing else needs: its deletion frees them."""
    holders = Counter(file.path for table in tables.values() for file in table.files)
    return {
        location: sum(
            file.size_bytes
            for file in table.files
            if holders[file.path] == 1 and file.path not in linked
        )
        for location, table in tables.items()
    }
