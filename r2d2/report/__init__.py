"""The files of a run of `find`: all of them are written, or none.

A plan that was made of another graph in the same folder goes aside with that graph, into a folder
in `earlier`, where it can still be run: its residuals may be all that is left of deleted rows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from r2d2.graph import Graph
from r2d2.hashing.finaliser import HASH_VERSION
from r2d2.lake.deletions import HOME, NOTE_SUFFIX
from r2d2.lake.groups import ORPHAN
from r2d2.lake.inventory import INVENTORY_FILE, Inventory, inventory_json
from r2d2.lake.selection import is_left_out_as_asked
from r2d2.model import Edge, Format, Table
from r2d2.settings.find import UNUSED, Settings
from r2d2.storage.output import (
    RESIDUAL_FILES,
    Recognisers,
    earlier_place,
    is_own,
    json_text,
    json_with,
    text_with,
    write_files,
)
from r2d2.text_tables import csv_text, did_you_mean, pluralize, printable, with_folders

EDGE_COLUMNS = (
    "child",
    "parent",
    "fraction",
    "missing_rows",
    "child_rows",
    "parent_rows",
    "equal",
    "stage",
    "unmatched",
)
TABLE_COLUMNS = (
    "location",
    "format",
    "eligible",
    "problem",
    "rows",
    "size_bytes",
    "files",
    "columns",
    "snapshot",
    "details",
    "must_keep",
)
GRAPH_NAME = "graph.json"
GRAPH_VERSION = 1
"""The version of the form of `graph.json` and `funnel.json`: see docs/outputs.md."""
FIND_FILES: Recognisers = {
    # The last columns came later.
    "edges.csv": text_with(",".join(EDGE_COLUMNS[:-1])),
    "degenerate.csv": text_with(",".join(EDGE_COLUMNS[:-1])),
    "tables.csv": text_with(",".join(TABLE_COLUMNS[:-1])),
    GRAPH_NAME: json_with("hash_version", "tables", "edges"),
    "funnel.json": json_with("stage", "pairs"),
    INVENTORY_FILE: json_with("schemas", "tables"),
}
"""The files of a run, and how each is known as r2d2's."""
_OF_A_PLAN: Recognisers = {
    "plan.json": json_with("solver", "totals", "tables"),
    "recipes.json": json_with("graph_sha256", "candidates"),
    "residuals": RESIDUAL_FILES,
}
# Settings that change the speed of a run, but not its result.
_SPEED_ONLY = ("threads", "memory_bytes")


def write_find(out: Path, graph: Graph, settings: Settings, lake: str) -> None:
    """Writes the edges and tables as CSV, graph.json, funnel.json and inventory.json.

    Raises:
        R2D2Error: the folder cannot be written.
    """
    texts = {
        "edges.csv": edges_csv(graph.edges),
        "degenerate.csv": edges_csv(graph.degenerate),
        "tables.csv": tables_csv(graph.tables),
        GRAPH_NAME: json_text(graph_data(graph, settings, lake)),
        "funnel.json": json_text(funnel_data(graph)),
        INVENTORY_FILE: inventory_json(graph.tables),
    }
    write_files(out, texts, lambda _: _aside(out, texts), files=FIND_FILES)


def _aside(out: Path, texts: Mapping[str, str]) -> dict[str, str]:
    """Each file of an earlier graph that a plan was made of, and its new name; else none."""
    ours = {**FIND_FILES, **_OF_A_PLAN}
    there = [n for n, own in ours.items() if (out / n).exists() and is_own(out, n, own)]
    if not set(there) & set(_OF_A_PLAN):
        return {}
    named_by = out / next(name for name in (GRAPH_NAME, *_OF_A_PLAN) if name in there)
    content = b"" if named_by.is_dir() else named_by.read_bytes()
    if content == texts[GRAPH_NAME].encode():
        return {}
    folder = earlier_place(out, content)
    return {name: f"{folder}/{name}" for name in there}


def edges_csv(edges: Iterable[Edge]) -> str:
    """The edges as CSV, fractions in full precision, unknown counts empty.

    Where the text of one is equal after parsing only, or columns have other names in the parent, a
    last column says so.
    """
    edges = tuple(edges)
    last = {
        "equal_after": ["parsing" if edge.renderings else "" for edge in edges],
        "renamed": [_told_renamed(edge) for edge in edges],
    }
    more = {name: cells for name, cells in last.items() if any(cells)}
    rows = (
        [*_shared_columns(edge).values(), _told_unmatched(edge), *(c[n] for c in more.values())]
        for n, edge in enumerate(edges)
    )
    return csv_text((*EDGE_COLUMNS, *more), rows)


def _shared_columns(edge: Edge) -> dict[str, object]:
    return {name: getattr(edge, name) for name in EDGE_COLUMNS[:-1]}


def _told_unmatched(edge: Edge) -> str:
    """The child's columns without which the edge holds; empty where it holds for all."""
    return printable("; ".join(map(str, edge.unmatched)))


def _told_renamed(edge: Edge) -> str:
    return printable("; ".join(f"{own} from {other}" for own, other in edge.renamed))


def tables_csv(tables: Sequence[Table]) -> str:
    """The inventory as CSV, a row a table."""
    # By identity: tables of one schema mostly share one tuple of columns.
    columns: dict[int, str] = {}
    return csv_text(TABLE_COLUMNS, (_table_row(table, columns) for table in tables))


def _table_row(table: Table, columns: dict[int, str]) -> list[object]:
    key = id(table.columns)
    if key not in columns:
        told = "; ".join(f"{column.name} {column.type}" for column in table.columns)
        columns[key] = printable(told)
    return [
        table.location,
        table.format,
        table.eligible,
        table.problem,
        table.rows,
        table.size_bytes,
        len(table.files),
        columns[key],
        table.snapshot,
        printable("; ".join(f"{key}={value}" for key, value in sorted(table.details.items()))),
        table.must_keep,
    ]


def graph_data(graph: Graph, settings: Settings, lake: str) -> dict[str, Any]:
    """The graph as plain data: the same lake and settings give the same."""
    return {
        "version": GRAPH_VERSION,
        "hash_version": HASH_VERSION,
        "lake": lake,
        "settings": settings_data(settings),
        "skipped": dict(sorted(graph.skipped.items())),
        "owners": dict(graph.owners),
        "tables": [table_data(table) for table in graph.tables],
        "edges": [edge_data(edge) for edge in graph.edges],
        "equal": graph.classes(),
        "degenerate": [[edge.child, edge.parent] for edge in graph.degenerate],
        "open_pairs": graph.open_pairs(),
        "warnings": list(unused_rules(settings, graph.tables)),
    }


def unused_rules(settings: Settings, tables: Sequence[Table]) -> Iterator[str]:
    """A sentence on a sample, and for each rule that matches nothing, or fits no text."""
    yield from _unused_patterns(settings, tables)
    yield from sample_told(settings, tables)
    for rule in settings.unused_table_rules(table.location for table in tables):
        yield f"{rule.written} matches no table of the lake"
    if not settings.text:
        return
    text = [table for table in tables if table.format in (Format.CSV, Format.JSON)]
    places = {place for t in text for place in (t.location, *(file.path for file in t.files))}
    for unused in settings.unused_text_rules(places):
        yield f"{unused.written} matches no CSV or JSON table of the lake"
    for table in text:
        if UNUSED in table.details:
            yield f"[[text]]: {table.location}: {table.details[UNUSED]}"


def orphans_told(skipped: Mapping[str, int]) -> Iterator[str]:
    """A sentence on the notes of deletions whose journal is not in the lake."""
    if count := skipped.get(ORPHAN, 0):
        told = (
            f"{pluralize(count, 'note')} *{NOTE_SUFFIX} of deletions, and no journal of them here"
        )
        yield f"{told}: which tables they need is not known; bring {HOME} back before you delete"


def _unused_patterns(settings: Settings, tables: Sequence[Table]) -> Iterator[str]:
    """A sentence for each `include` and `exclude` that names no table."""
    if settings.include or settings.exclude:
        locations = [table.location for table in tables]
        for name, pattern in settings.unused_patterns(locations):
            near = did_you_mean(pattern, with_folders(locations))
            yield f"{name} {pattern!r} matches no table of the lake{near}"


def sample_told(settings: Settings, tables: Sequence[Table]) -> Iterator[str]:
    """A sentence on a sample that is not the whole lake."""
    if settings.sample_tables:
        looked_at = sum(not is_left_out_as_asked(table) for table in tables)
        if looked_at < len(tables):
            told = f"a look at a part: {looked_at:,} of {pluralize(len(tables), 'table')}"
            yield f"{told}; what the others contain, and what contains them, is not known"


def settings_data(settings: Settings) -> dict[str, Any]:
    """The settings that an answer depends on."""
    names = [f.name for f in fields(settings) if f.name not in _SPEED_ONLY]
    data = {name: getattr(settings, name) for name in names}
    rules = {name: [asdict(rule) for rule in data[name]] for name in ("text", "tables")}
    return data | {"types": settings.types.value} | rules


def inventory_data(inventory: Inventory) -> dict[str, Any]:
    """The inventory as plain data."""
    return {
        "skipped": dict(sorted(inventory.skipped.items())),
        "owners": dict(inventory.owners),
        "tables": [table_data(table) for table in inventory.tables],
    }


def table_data(table: Table) -> dict[str, Any]:
    """A table as plain data."""
    return {
        "location": table.location,
        "format": table.format,
        "columns": [[column.name, column.type] for column in table.columns],
        "rows": table.rows,
        "size_bytes": table.size_bytes,
        "files": len(table.files),
        "snapshot": table.snapshot,
        "problem": table.problem,
        "unreadable": table.unreadable,
        "must_keep": table.must_keep,
        "details": dict(sorted(table.details.items())),
    }


def edge_data(edge: Edge) -> dict[str, Any]:
    """An edge as plain data, with its column mapping and evidence."""
    return _shared_columns(edge) | {
        "equal_after_cast": edge.equal_after_cast,
        "distinct_rows": edge.distinct_rows,
        "columns": dict(edge.columns),
        "unmatched": [asdict(column) for column in edge.unmatched],
        **({"equal_after_parsing": dict(edge.renderings)} if edge.renderings else {}),
        "evidence": [[e.stage, e.verdict.value, e.reason] for e in edge.evidence],
    }


def funnel_data(graph: Graph) -> list[dict[str, Any]]:
    """The work, outcome and cost of each stage."""
    return [asdict(row) for row in graph.funnel]
