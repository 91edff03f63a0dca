"""The result of `r2d2 find` and `r2d2 tables` in lines of text."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from r2d2.graph import Graph
from r2d2.lake.inventory import ONE_TABLE, Inventory
from r2d2.lake.owners import NO_CATALOGUE
from r2d2.model import Table
from r2d2.settings.find import DOUBT, LEFT_OUT
from r2d2.stages.metadata import NOT_BELIEVED
from r2d2.text_tables import aligned, by_number, human_bytes, pluralize, printable

SHOWN = 10


def find_lines(graph: Graph) -> Iterator[str]:
    """The run's result: what was looked at, the funnel, the edges, and what went wrong."""
    yield from inventory_lines(graph.tables, graph.skipped)
    yield from owner_lines(graph.owners)
    yield from _wrong_footers(graph.tables)
    yield ""
    yield from funnel_lines(graph)
    yield ""
    yield from _edge_lines(graph)


def inventory_lines(tables: Sequence[Table], skipped: Mapping[str, int]) -> Iterator[str]:
    """The number of tables by format, their bytes, and those left out, with reasons."""
    kinds = Counter(table.format for table in tables if table.eligible)
    size = sum(table.size_bytes for table in tables if table.eligible)
    named = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))
    yield f"{pluralize(kinds.total(), 'table')} ({named or 'none'}), {human_bytes(size)}"
    for reason, count in sorted(skipped.items()):
        yield f"  skipped {count:,}: {reason}"
    out = [table for table in tables if not table.eligible]
    for table in out[:SHOWN]:
        kind = "unreadable" if table.unreadable else "not eligible"
        yield f"  {kind}: {printable(table.location)}: {printable(table.problem or '')}"
    if len(out) > SHOWN:
        more = pluralize(len(out) - SHOWN, "more table")
        yield f"  … and {more} left out (--out has all in tables.csv)"


def _wrong_footers(tables: Sequence[Table]) -> Iterator[str]:
    """The tables whose footers state what their rows contradict."""
    wrong = [table for table in tables if NOT_BELIEVED in table.details]
    for table in wrong[:SHOWN]:
        columns = printable(table.details[NOT_BELIEVED])
        yield f"  wrong statistics, not believed: {printable(table.location)}: {columns}"
    if len(wrong) > SHOWN:
        yield f"  … and {pluralize(len(wrong) - SHOWN, 'more table')} (see tables.csv)"


def owner_lines(owners: Mapping[str, Any]) -> Iterator[str]:
    """The tables whose metadata was asked which files they own, and those that do not tell."""
    counts = owners.get("looked_at", {})
    asked = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()) if count)
    yield f"owners of files: {asked or 'none found'}; {owners.get('catalogues', NO_CATALOGUE)}"
    unresolved = owners.get("unresolved", ())
    for each in unresolved[:SHOWN]:
        told = f"{each['owner']}: {each['metadata']}: {each['reason']}"
        yield f"  not resolved, what it could own is kept: {printable(told)}"
    if len(unresolved) > SHOWN:
        yield f"  … and {len(unresolved) - SHOWN:,} more"
    if not_listed := owners.get("not_listed", ()):
        folders = pluralize(len(not_listed), "folder")
        told = f"{folders} cannot be listed, such as {not_listed[0]}"
        yield f"  what owners in them own is not known: {printable(told)}"


def funnel_lines(graph: Graph) -> Iterator[str]:
    """The funnel as a table of text, and what the stages took in all."""
    heads = ("stage", "pairs", "refuted", "proved", "left", "read", "rows", "seconds", "core s")
    rows = [
        (
            row.stage,
            f"{row.pairs:,}",
            f"{row.refuted:,}",
            f"{row.proved:,}",
            f"{row.left:,}",
            human_bytes(row.bytes_read),
            f"{row.rows_read:,}",
            f"{row.seconds:.2f}",
            f"{row.core_seconds:.2f}",
        )
        for row in graph.funnel
    ]
    yield from aligned([heads, *rows])
    read = sum(row.bytes_read for row in graph.funnel)
    shuffled = sum(row.bytes_shuffled for row in graph.funnel)
    if read:
        rate = sum(row.core_seconds for row in graph.funnel) / (read / 1e9)
        yield (
            f"{human_bytes(shuffled)} of row hashes shuffled for {human_bytes(read)} read;"
            f" core-seconds for each GB read: {rate:.2f}"
        )


def _edge_lines(graph: Graph) -> Iterator[str]:
    contained = [edge for edge in graph.edges if edge.whole and not edge.unmatched]
    near = sum(not edge.whole for edge in graph.edges)
    children = {edge.child for edge in contained}
    sizes = {table.location: table.size_bytes for table in graph.tables}
    yield (
        f"{pluralize(len(contained), 'containment')} proved: {pluralize(len(children), 'table')}"
        f" ({human_bytes(sum(sizes[child] for child in children))})"
        f" {by_number(len(children), 'is', 'are')} contained in others"
    )
    yield from _part_lines(graph)
    if near:
        yield f"{pluralize(near, 'near-containment')} (see fraction and missing_rows in edges.csv)"
    classes = graph.classes()
    if classes:
        groups, largest = pluralize(len(classes), "group"), max(map(len, classes))
        yield f"{groups} of equal tables, the largest of {largest}"
    if graph.degenerate:
        edges = pluralize(len(graph.degenerate), "degenerate edge")
        yield f"{edges} (tables without rows or columns) apart"
    if graph.open_pairs():
        yield f"{pluralize(graph.open_pairs(), 'pair')} undecided: no exact stage was asked for"
    for edge in graph.edges[:SHOWN]:
        sign = "=" if edge.equal else "⊆" if edge.whole else f"{edge.fraction:.4f} in"
        cast = "  (after cast)" if edge.equal_after_cast else ""
        cast = "  (equal after parsing)" if edge.renderings else cast
        part = f", without {', '.join(map(str, edge.unmatched))}" if edge.unmatched else ""
        yield f"  {printable(edge.child)} {sign} {printable(edge.parent)}{cast}{printable(part)}"
    if len(graph.edges) > SHOWN:
        yield f"  … and {len(graph.edges) - SHOWN:,} more"


def _part_lines(graph: Graph) -> Iterator[str]:
    """The edges that hold without some of the child's columns, as these need no parent."""
    parts = [edge for edge in graph.edges if edge.whole and edge.unmatched]
    ignoring = sum(edge.ignores for edge in parts)
    if constant := len(parts) - ignoring:
        yield f"{pluralize(constant, 'containment')} more without columns of one value"
    if ignoring:
        told = pluralize(ignoring, "containment")
        yield f"{told} more without ignored columns: nothing is deleted for these"


def table_lines(inventory: Inventory) -> Iterator[str]:
    """The inventory as a table of text, then its totals."""
    heads = ("table", "format", "rows", "size", "files", "columns", "note")
    rows = [
        (
            printable(table.location),
            table.format,
            "?" if table.rows is None else f"{table.rows:,}",
            human_bytes(table.size_bytes),
            str(len(table.files)),
            str(len(table.columns)),
            printable(_note(table)),
        )
        for table in inventory.tables
    ]
    yield from aligned([heads, *rows])
    yield ""
    yield from inventory_lines(inventory.tables, inventory.skipped)
    yield from owner_lines(inventory.owners)


def _note(table: Table) -> str:
    """Why it is no table, or must be kept; why its files are one; lines left out; a close guess."""
    kept = f"never planned for deletion: {table.must_keep}" if table.must_keep else None
    together, lines = table.details.get(ONE_TABLE), table.details.get(LEFT_OUT)
    told = (
        table.problem,
        kept,
        f"one table by {together}" if together else None,
        f"left out: {lines}" if lines else None,
        table.details.get(DOUBT),
    )
    return "; ".join(filter(None, told))
