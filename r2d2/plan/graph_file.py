"""A run's `graph.json`, as far as a plan needs it."""

from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from r2d2.errors import UsageError
from r2d2.hashing.finaliser import HASH_VERSION
from r2d2.lake.cached_inventory import INVENTORY_FILE, load_inventory
from r2d2.lake.inventory import take_inventory
from r2d2.model import Table, Types
from r2d2.settings.find import Settings, TextRule
from r2d2.storage.local import Storage


@dataclass(frozen=True, slots=True)
class ProvedEdge:
    """`child` is contained in `parent` up to `missing_rows` distinct rows, counted exactly.

    `columns` maps the child's columns to the parent's. `same_rows`: the child's rows are all
    distinct, and as many as the parent's, so that each is one of the parent's and all of these are.
    """

    child: str
    parent: str
    columns: tuple[tuple[str, str], ...]
    equal: bool
    cast: bool
    missing_rows: int = 0
    same_rows: bool = False

    @property
    def whole(self) -> bool:
        """Whether it is containment: near-containment is not transitive."""
        return self.missing_rows == 0


@dataclass(frozen=True, slots=True)
class GraphFile:
    """What `find` left behind: the lake, its settings, each table's snapshot, the edges."""

    lake: str
    settings: Settings
    snapshots: tuple[tuple[str, str], ...]
    problems: tuple[tuple[str, str], ...]
    degenerate: frozenset[str]
    edges: tuple[ProvedEdge, ...]


def load_graph(run: Path) -> GraphFile:
    """The graph of a folder that `r2d2 find --out` wrote.

    Raises:
        UsageError: there is none, or another version of r2d2 wrote it.
    """
    path = run / "graph.json"
    try:
        content = path.read_bytes()
        if msgspec.json.decode(content, type=_Version).hash_version != HASH_VERSION:
            raise UsageError(f"{path}: of another version of r2d2; run `r2d2 find` again")
        return _graph(msgspec.json.decode(content, type=_Graph))
    except OSError as error:
        remedy = "give the folder that `r2d2 find --out` wrote"
        raise UsageError(f"{path}: {error.strerror}; {remedy}") from error
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not a graph of r2d2's: {error!r}; run it again") from error
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {error}") from error


class _Version(msgspec.Struct):
    hash_version: int | str


class _Table(msgspec.Struct):
    location: str
    snapshot: str
    problem: str | None


class _Edge(msgspec.Struct):
    child: str
    parent: str
    columns: dict[str, str]
    equal: bool
    equal_after_cast: bool
    missing_rows: int
    child_rows: int | None
    parent_rows: int | None
    distinct_rows: int | None = None

    @property
    def same_rows(self) -> bool:
        """See ProvedEdge."""
        whole = self.missing_rows == 0 and not self.equal_after_cast
        rows = self.distinct_rows
        return whole and rows is not None and rows == self.child_rows == self.parent_rows


class _Graph(msgspec.Struct):
    lake: str
    settings: dict[str, Any]
    tables: list[_Table]
    edges: list[_Edge]
    degenerate: list[tuple[str, str]]


def tables_now(run: Path, graph: GraphFile, storage: Storage) -> dict[str, Table]:
    """The lake's tables by location; those that are as `find` saw them are not opened again.

    Raises:
        LakeError: the lake cannot be listed.
    """
    known = {}
    with suppress(OSError):  # a run of before there was such a file
        known = load_inventory((run / INVENTORY_FILE).read_bytes())
    inventory = take_inventory(storage, graph.settings, known)
    return {table.location: table for table in inventory.tables}


def _graph(data: _Graph) -> GraphFile:
    return GraphFile(
        data.lake,
        _settings(data.settings),
        tuple((table.location, table.snapshot) for table in data.tables),
        tuple((table.location, table.problem) for table in data.tables if table.problem),
        frozenset(child for child, _ in data.degenerate),
        tuple(
            ProvedEdge(
                edge.child,
                edge.parent,
                tuple(edge.columns.items()),
                edge.equal,
                edge.equal_after_cast,
                edge.missing_rows,
                edge.same_rows,
            )
            for edge in data.edges
        ),
    )


def _settings(data: Any) -> Settings:
    known = {field.name for field in fields(Settings)}
    values = {key: value for key, value in data.items() if key in known}
    rules = tuple(TextRule(rule["tables"], rule["overrides"]) for rule in data["text"])
    changed = {"types": Types(data["types"]), "stages": tuple(data["stages"]), "text": rules}
    return Settings(**(values | changed))
