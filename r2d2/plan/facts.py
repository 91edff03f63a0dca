"""What the program needs to know of a table, and why one stays whatever it costs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from r2d2.model import Table
from r2d2.plan.graph_file import GraphFile

CHANGED = "it changed since `r2d2 find` looked at it; run that again"


@dataclass(frozen=True, slots=True)
class Facts:
    """A table's bytes, those of them that no other table needs, and why it must stay, if so."""

    size_bytes: int
    unique_bytes: int
    must_keep: str | None = None


def facts_of(tables: Mapping[str, Table], graph: GraphFile) -> dict[str, Facts]:
    """The facts of every table of the lake, as it is now, in order of location."""
    unique = _unique_bytes(tables)
    snapshots = dict(graph.snapshots)
    return {
        location: Facts(
            table.size_bytes,
            unique[location],
            _must_keep(table, snapshots.get(location), location in graph.degenerate),
        )
        for location, table in sorted(tables.items())
    }


def _must_keep(table: Table, snapshot: str | None, degenerate: bool) -> str | None:
    if snapshot != table.snapshot:
        return CHANGED
    if table.problem is not None:
        return f"it cannot be judged: {table.problem}"
    return "it has no rows or no columns" if degenerate else None


def _unique_bytes(tables: Mapping[str, Table]) -> dict[str, int]:
    """The bytes of each table that no other table needs: what its deletion frees."""
    holders = Counter(file.path for table in tables.values() for file in table.files)
    return {
        location: sum(file.size_bytes for file in table.files if holders[file.path] == 1)
        for location, table in tables.items()
    }
