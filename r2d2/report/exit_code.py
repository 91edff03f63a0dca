"""How a run ended, for those who see no more than its exit code (see `errors`)."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from r2d2.errors import EXIT_FOUND, EXIT_OK, EXIT_SOME_UNREADABLE

if TYPE_CHECKING:
    from r2d2.graph import Graph
    from r2d2.model import Table

Finding = Literal["edges", "equal", "unreadable"]


def findings(graph: "Graph", asked: Collection[Finding]) -> Mapping[Finding, int]:
    """How many there are of what is asked for, where there are any.

    `edges` are those listed, near-containment too where that was looked for, and no degenerate
    ones; `equal` those that hold both ways; `unreadable` tables that could not be read.
    """
    counts: dict[Finding, int] = {
        "edges": len(graph.edges),
        "equal": sum(edge.equal for edge in graph.edges),
        "unreadable": sum(table.unreadable for table in graph.tables),
    }
    return {kind: count for kind, count in counts.items() if kind in asked and count}


def exit_code(tables: "Iterable[Table]", found: Mapping[Finding, int] | None = None) -> int:
    """`EXIT_FOUND` where there are findings, else whether every table could be read."""
    if found:
        return EXIT_FOUND
    return EXIT_SOME_UNREADABLE if any(table.unreadable for table in tables) else EXIT_OK
