"""`r2d2 edges` and `r2d2 plan show`: rows of a run or a plan, chosen and sorted, in three forms."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from r2d2.cli import Json, TableOfRun
from r2d2.cli.terminal import print_json, print_lines, print_text
from r2d2.errors import EXIT_OK, UsageError
from r2d2.settings import is_among
from r2d2.text_tables import (
    aligned,
    csv_text,
    did_you_mean,
    duration,
    human_bytes,
    pluralize,
    printable,
    shell_word,
    usd,
    visible,
    with_folders,
)

if TYPE_CHECKING:
    from r2d2.model import Edge
    from r2d2.plan.graph_file import GraphFile

Csv = Annotated[bool, Parameter(negative="", help="Write CSV to stdout instead of text.")]
Kind = Literal["equal", "contained", "near"]
PATTERN = "a location, a folder or a pattern; may be repeated"


def edges(
    run: Annotated[Path, Parameter(help="Folder that `r2d2 find --out` wrote.")],
    /,
    *,
    table: Annotated[
        tuple[str, ...],
        TableOfRun,
        Parameter(negative="", help=f"Edges with one of these as child or parent: {PATTERN}."),
    ] = (),
    child: Annotated[
        tuple[str, ...],
        TableOfRun,
        Parameter(negative="", help="Edges with one of these as child."),
    ] = (),
    parent: Annotated[
        tuple[str, ...],
        TableOfRun,
        Parameter(negative="", help="Edges with one of these as parent."),
    ] = (),
    kind: Annotated[
        tuple[Kind, ...],
        Parameter(
            negative="",
            help="Edges of this kind: equal tables, other containment, near-containment.",
        ),
    ] = (),
    min_fraction: Annotated[float, Parameter(help="Edges from this fraction on.")] = 0.0,
    format_: Annotated[
        str | None,
        Parameter(name="--format", help="Edges whose child or parent is parquet, csv, …"),
    ] = None,
    sort: Annotated[
        Literal["bytes", "fraction", "name"],
        Parameter(help="Order: the largest children, or the largest fractions first, or by name."),
    ] = "bytes",
    csv: Csv = False,
    json: Json = False,
) -> int:
    """List the containments of a run, the largest first, by table or folder.

    RUN is the folder that `r2d2 find --out` wrote. Text shows a group of equal
    tables once, on one line; CSV and JSON have each edge, equal tables in both
    directions.

    For example:

    r2d2 edges run --table exports

    r2d2 edges run --kind near --sort fraction --csv
    """
    from r2d2.plan.graph_file import load_graph

    _one_form(csv, json)
    if not 0 <= min_fraction <= 1:
        raise UsageError(f"--min-fraction {min_fraction:g}: give a number from 0 to 1")
    graph = load_graph(run)
    for flag, patterns in (("--table", table), ("--child", child), ("--parent", parent)):
        check_patterns(flag, patterns, graph.sizes)
    if format_ is not None and format_ not in graph.formats.values():
        known = sorted(set(graph.formats.values()))
        raise UsageError(f"--format {format_}: the lake has {', '.join(known)}")
    found = [
        edge
        for edge in graph.edges
        if (not table or is_any(edge.child, table) or is_any(edge.parent, table))
        and (not child or is_any(edge.child, child))
        and (not parent or is_any(edge.parent, parent))
        and (not kind or _kind(edge) in kind)
        and edge.fraction >= min_fraction
        and format_ in (None, graph.formats[edge.child], graph.formats[edge.parent])
    ]
    sizes = graph.sizes
    found.sort(key=lambda edge: _order(edge, sort, sizes[edge.child]))
    if json or csv:
        rows = [_edge_row(edge, graph) for edge in found]
        _print_rows(rows, EDGE_COLUMNS, as_csv=csv)
    else:
        print_lines(_edge_lines(found, sizes))
    return EXIT_OK


EDGE_COLUMNS = (
    *("child", "parent", "kind", "fraction", "missing_rows", "child_rows", "parent_rows"),
    *("child_bytes", "parent_bytes", "child_format", "parent_format", "stage", "unmatched"),
    "renamed",
)


def _kind(edge: "Edge") -> Kind:
    return "equal" if edge.equal else "contained" if edge.whole else "near"


def _order(edge: "Edge", sort: str, size_bytes: int) -> tuple[float, str, str]:
    first = {"bytes": -size_bytes, "fraction": -edge.fraction, "name": 0}[sort]
    return first, edge.child, edge.parent


def _edge_row(edge: "Edge", graph: "GraphFile") -> dict[str, Any]:
    return {
        **{name: getattr(edge, name) for name in ("child", "parent", "fraction", "missing_rows")},
        **{name: getattr(edge, name) for name in ("child_rows", "parent_rows", "stage")},
        "kind": _kind(edge),
        "child_bytes": graph.sizes[edge.child],
        "parent_bytes": graph.sizes[edge.parent],
        "child_format": graph.formats[edge.child],
        "parent_format": graph.formats[edge.parent],
        "unmatched": "; ".join(map(str, edge.unmatched)),
        "renamed": "; ".join(f"{own} from {other}" for own, other in edge.renamed),
    }


def _edge_lines(edges: Sequence["Edge"], sizes: Any) -> Iterator[str]:
    """A line for each group of equal tables and each other edge, then how many these are."""
    from r2d2.cli.find_text import parent_told, renamed_told
    from r2d2.graph import Graph

    groups = Graph((), edges=tuple(edges)).classes()
    group_of = {name: group for group in groups for name in group}
    marks = {(edge.child, edge.parent): renamed_told(edge) for edge in edges if edge.renamed}
    told: set[tuple[str, ...]] = set()
    rows = []
    for edge in edges:
        size = human_bytes(sizes[edge.child])
        if not edge.equal:
            sign = "⊆" if edge.whole else "in part"
            rows.append((size, visible(edge.child), sign, parent_told(edge)))
        elif group_of[edge.child] not in told:
            group = group_of[edge.child]
            told.add(group)
            own = edge.child
            others = [visible(n) + marks.get((own, n), "") for n in group if n != own]
            rows.append((size, visible(own), "=", " = ".join(others)))
    if not rows:
        yield "no containment of this run fits the flags; near ones need `find --min-fraction`"
        return
    yield from aligned([("size", "table", "", "of"), *rows])
    yield ""
    rest = sum(not edge.equal for edge in edges)
    counts = [f"{pluralize(len(groups), 'group')} of equal tables"] if groups else []
    counts += [pluralize(rest, "other edge" if groups else "edge")] if rest else []
    yield ", ".join(counts)


def show(
    plan: Annotated[Path, Parameter(help="Plan's file, or folder of a run with a plan.")],
    /,
    *,
    table: Annotated[
        tuple[str, ...], TableOfRun, Parameter(negative="", help=f"Only these tables: {PATTERN}.")
    ] = (),
    choice: Annotated[
        Literal["delete", "keep", "all"], Parameter(help="Tables that the plan deletes or keeps.")
    ] = "all",
    sort: Annotated[
        Literal["saving", "bytes", "reads", "name"],
        Parameter(help="Order: the largest saving, the most bytes, the most reads first."),
    ] = "saving",
    csv: Csv = False,
    json: Json = False,
) -> int:
    """List what a plan decides, all of it, the largest savings first.

    PLAN is a plan's file, or the folder of a run with a plan. Nothing is made
    anew: the figures are the file's.

    For example:

    r2d2 plan show run --sort bytes

    r2d2 plan show run/plan.json --choice keep --table finance --csv
    """
    from r2d2.plan.graph_file import PLAN_NAME
    from r2d2.plan.plan_file import load_plan

    _one_form(csv, json)
    path = plan / PLAN_NAME if plan.is_dir() else plan
    if not path.is_file():
        remedy = f"make it by `r2d2 plan --run {shell_word(str(path.parent))}`"
        if not plan.is_dir():
            remedy = "give a plan's file, or the folder of a run with a plan"
        raise UsageError(f"{path}: there is no such plan; {remedy}")
    made = load_plan(path)
    entries = made["tables"]
    check_patterns("--table", table, [entry["table"] for entry in entries])
    found = [
        _decision(entry)
        for entry in entries
        if choice in (entry["choice"], "all") and (not table or is_any(entry["table"], table))
    ]
    key = {"saving": "saving_usd_per_month", "bytes": "size_bytes"} | {"reads": "reads_per_month"}
    found.sort(key=lambda row: (-row[key[sort]] if sort in key else 0, row["table"]))
    if json or csv:
        _print_rows(found, DECISION_COLUMNS, as_csv=csv)
    else:
        from r2d2.plan.lake_now import applied_since

        since = filter(None, [applied_since(made)])
        digest = f"The plan's SHA-256: {made['sha256']}"
        print_lines([*_decision_lines(found, choice), *since, digest])
    return EXIT_OK


DECISION_COLUMNS = (
    *("table", "choice", "size_bytes", "frees_bytes", "saving_usd_per_month"),
    *("keep_usd_per_month", "reads_per_month", "reads_are_assumed", "last_read", "consumers"),
    *("rebuild_p95_s", "latency_limit_s", "recipe", "way", "parents", "reason"),
)


def _decision(entry: Any) -> dict[str, Any]:
    """What the plan's file says of a table, as one flat row."""
    usage, recipe = entry["usage"], entry["recipe"]
    names = ("table", "choice", "size_bytes", "saving_usd_per_month", "keep_usd_per_month")
    return {
        "frees_bytes": entry["frees_bytes"] if entry["choice"] == "delete" else 0,
        **{name: entry[name] for name in (*names, "rebuild_p95_s", "latency_limit_s", "reason")},
        "reads_per_month": usage["reads_per_month"],
        "reads_are_assumed": usage["assumed"],
        "last_read": usage["last_read"],
        "consumers": usage["consumers"],
        "recipe": recipe["kind"] if recipe else None,
        "way": entry.get("way"),
        "parents": entry["parents"],
    }


def _decision_lines(rows: Sequence[dict[str, Any]], choice: str) -> Iterator[str]:
    """A line for each decision, then their sums."""
    if rows:
        heads = ("table", "choice", "size", "saves a month", "reads a month", "rebuild", "why")
        yield from aligned([heads, *map(_decision_cells, rows)])
        yield ""
    summed = [row for row in rows if choice == "keep" or row["choice"] == "delete"]
    freed = "size_bytes" if choice == "keep" else "frees_bytes"
    size, saved = (sum(row[key] for row in summed) for key in (freed, "saving_usd_per_month"))
    doing = "to keep" if choice == "keep" else "to delete"
    saves = "" if choice == "keep" else f", {usd(saved)} saved a month"
    count = pluralize(len(summed), "table")
    if choice == "all":
        count = f"{len(summed)} of {pluralize(len(rows), 'table')}"
    yield f"{count} {doing}: {human_bytes(size)}{saves}"


def _decision_cells(row: dict[str, Any]) -> tuple[str, ...]:
    is_deleted = row["choice"] == "delete"
    reads = f"{row['reads_per_month']:g}{' (assumed)' if row['reads_are_assumed'] else ''}"
    return (
        visible(row["table"]),
        row["choice"],
        human_bytes(row["size_bytes"]),
        usd(row["saving_usd_per_month"]) if is_deleted else "",
        reads,
        duration(row["rebuild_p95_s"]) if is_deleted else "",
        printable(row["reason"]),
    )


def is_any(location: str, patterns: Collection[str]) -> bool:
    """Whether one of the patterns names the table or a folder above it."""
    return any(is_among(location, pattern) for pattern in patterns)


def check_patterns(flag: str, patterns: Sequence[str], locations: Collection[str]) -> None:
    """Passes where each pattern names a table.

    Raises:
        UsageError: one names none; the message has the nearest name.
    """
    for pattern in patterns:
        if not any(is_among(location, pattern) for location in locations):
            near = did_you_mean(pattern, with_folders(locations))
            raise UsageError(f"{flag} {pattern!r} names no table{near}")


def _one_form(csv: bool, json: bool) -> None:
    if csv and json:
        raise UsageError("--csv and --json: give one of them")


def _print_rows(rows: Sequence[dict[str, Any]], columns: Sequence[str], *, as_csv: bool) -> None:
    if as_csv:
        print_text(csv_text(columns, ([_flat(row[name]) for name in columns] for row in rows)))
    else:
        print_json([{name: row[name] for name in columns} for row in rows])


def _flat(value: Any) -> Any:
    """A list as one cell."""
    return "; ".join(value) if isinstance(value, list) else value
