"""The result of `r2d2 find` and `r2d2 tables` in lines of text."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from r2d2.graph import Graph, spare_tables
from r2d2.lake.inventory import ONE_TABLE, Inventory
from r2d2.lake.owners import NO_CATALOGUE
from r2d2.lake.selection import NOT_SAMPLED, is_left_out_as_asked
from r2d2.model import Edge, Format, Table, Why
from r2d2.settings.find import DOUBT, LEFT_OUT
from r2d2.stages.metadata import NOT_BELIEVED
from r2d2.text_tables import (
    TOP_FOLDER,
    aligned,
    counted,
    human_bytes,
    pluralize,
    printable,
    visible,
    without_name,
)

SHOWN = 10
FIRST, FIRST_IF_VERBOSE = 3, 20
"""Of the largest of each kind, so many are shown."""
NAMED_EQUAL = NAMED_COLUMNS = 3
OFTEN, LONG_NOTE = 3, 60
"""A note of more tables and characters than these is told once, below them."""
_WITHOUT = {
    Why.CONSTANT: ("a column of one value", "columns of one value"),
    Why.ROW_NUMBER: ("a row number", "row numbers"),
    Why.INDEX: ("an index", "indices"),
    Why.IGNORED: ("an ignored column", "ignored columns"),
}
NO_TABLE = (
    "no table: the lake has no file that is named as data of a format that r2d2 reads"
    " (Parquet, Delta, CSV, JSON lines, ORC, Avro)"
)
NONE_ELIGIBLE = "no table can be looked at: each is left out, with its reason below"


def find_lines(
    graph: Graph, next_steps: Sequence[str] = (), *, verbose: bool = False
) -> Iterator[str]:
    """The run's result: the largest containments, equal tables, folders; then what was looked at.

    The funnel is there if it is `verbose`. That only a sample was looked at is told first.
    """
    if any((table.problem or "").startswith(NOT_SAMPLED) for table in graph.tables):
        looked_at = sum(not is_left_out_as_asked(table) for table in graph.tables)
        part = f"{looked_at:,} of {pluralize(len(graph.tables), 'table')}"
        yield f"a look at a part of the lake, {part}; without --sample, all are looked at"
    if any(table.eligible for table in graph.tables):
        yield from _headlines(graph)
        yield from _largest_lines(graph, FIRST_IF_VERBOSE if verbose else FIRST)
        yield ""
    yield from inventory_lines(graph.tables, graph.skipped)
    yield from owner_lines(graph.owners)
    yield from _wrong_footers(graph.tables)
    if verbose:
        yield ""
        yield from funnel_lines(graph)
    elif any(row.bytes_read for row in graph.funnel):
        read = human_bytes(sum(row.bytes_read for row in graph.funnel))
        rows = sum(row.rows_read for row in graph.funnel)
        seconds = sum(row.seconds for row in graph.funnel)
        yield f"read {read}, {pluralize(rows, 'row')}; -v shows the stages; seconds: {seconds:.2f}"
    yield from next_steps


def inventory_lines(tables: Sequence[Table], skipped: Mapping[str, int]) -> Iterator[str]:
    """The number of tables by format, their bytes, and those left out, with reasons."""
    kinds = Counter(table.format for table in tables if table.eligible)
    size = sum(table.size_bytes for table in tables if table.eligible)
    named = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))
    yield (
        f"{pluralize(kinds.total(), 'table')} ({named}), {human_bytes(size)}"
        if kinds
        else _none(tables)
    )
    for reason, count in sorted(skipped.items()):
        yield f"  skipped {count:,}: {reason}"
    asked = Counter(table.problem for table in tables if is_left_out_as_asked(table))
    for problem, count in sorted(asked.items(), key=str):
        yield f"  left out {count:,}: {printable(problem or '')}"
    out = [table for table in tables if not (table.eligible or is_left_out_as_asked(table))]
    for table in out[:SHOWN]:
        kind = "unreadable" if table.unreadable else "not eligible"
        why = without_name(table.problem or "", table.location)
        yield f"  {kind}: {visible(table.location)}: {printable(why)}"
    if len(out) > SHOWN:
        more = pluralize(len(out) - SHOWN, "more table")
        yield f"  … and {more} left out (--out has all in tables.csv)"


def _none(tables: Sequence[Table]) -> str:
    return NONE_ELIGIBLE if tables else NO_TABLE


def _wrong_footers(tables: Sequence[Table]) -> Iterator[str]:
    """The tables whose footers state what their rows contradict."""
    wrong = [table for table in tables if NOT_BELIEVED in table.details]
    for table in wrong[:SHOWN]:
        columns = printable(table.details[NOT_BELIEVED])
        yield f"  wrong statistics, not believed: {visible(table.location)}: {columns}"
    if len(wrong) > SHOWN:
        yield f"  … and {pluralize(len(wrong) - SHOWN, 'more table')} (see tables.csv)"


def owner_lines(owners: Mapping[str, Any]) -> Iterator[str]:
    """The tables whose metadata was asked which files they own, and those that do not tell."""
    counts = owners.get("looked_at", {})
    asked = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()) if count)
    catalogues = owners.get("catalogues", NO_CATALOGUE)
    yield f"tables that list their own files: {asked or 'none'}; {catalogues}"
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
    if graph.funnel:
        count = sum(table.eligible for table in graph.tables)
        yield (
            f"{pluralize(count, 'table')} have {count * (count - 1):,} pairs of child and parent:"
            " schema takes those whose parent has the child's columns"
        )
    read = sum(row.bytes_read for row in graph.funnel)
    shuffled = sum(row.bytes_shuffled for row in graph.funnel)
    if read:
        rate = sum(row.core_seconds for row in graph.funnel) / (read / 1e9)
        yield (
            f"{human_bytes(shuffled)} of row hashes shuffled for {human_bytes(read)} read;"
            f" core-seconds for each GB read: {rate:.2f}"
        )


def _headlines(graph: Graph) -> Iterator[str]:
    """How much of the lake is contained in other tables, and how many edges of which kind."""
    contained = [edge for edge in graph.edges if edge.whole and not edge.unmatched]
    near = sum(not edge.whole for edge in graph.edges)
    children = {edge.child for edge in contained}
    sizes = {table.location: table.size_bytes for table in graph.tables if table.eligible}
    size, all_of_it = sum(sizes[child] for child in children), sum(sizes.values())
    yield (
        f"{len(children):,} of {counted(len(sizes), len(graph.tables) - len(sizes))}"
        f" {'is' if 1 in (len(children), len(sizes)) else 'are'} contained in others:"
        f" {human_bytes(size)} of {human_bytes(all_of_it)};"
        f" {pluralize(len(contained), 'containment')} proved"
    )
    if spare := spare_tables(graph):
        could = human_bytes(sum(sizes[name] for name in spare))
        yield f"with one copy of each row left, {could} could go ({pluralize(len(spare), 'table')})"
        yield from _held_lines([table for table in graph.tables if table.location in spare])
    yield from _part_lines(graph)
    if near:
        yield f"{pluralize(near, 'near-containment')} (see fraction and missing_rows in edges.csv)"
    if graph.degenerate:
        blank = len({edge.child for edge in graph.degenerate})
        edges = pluralize(len(graph.degenerate), "containment")
        yield (
            f"{pluralize(blank, 'table')} without rows or columns: contained in any that has its"
            f" columns; these {edges} do not count"
        )
    if graph.open_pairs():
        yield f"{pluralize(graph.open_pairs(), 'pair')} undecided: no exact stage was asked for"


def _held_lines(spare: Sequence[Table]) -> Iterator[str]:
    """Those of the tables that could go which stay whatever a plan says, and why one of them."""
    held = [table for table in spare if table.must_keep]
    if held:
        size = human_bytes(sum(table.size_bytes for table in held))
        first = max(held, key=lambda table: (table.size_bytes, table.location))
        told = f"{visible(first.location)}: {printable(first.must_keep or '')}"
        yield f"of these no plan may delete {pluralize(len(held), 'table')}, {size}, such as {told}"


def _largest_lines(graph: Graph, most: int) -> Iterator[str]:
    """The largest contained tables, groups of equal ones, and top folders by what is contained."""
    sizes = {table.location: table.size_bytes for table in graph.tables}
    classes = graph.classes()
    first_of = {name: group[0] for group in classes for name in group}
    copies = {group[0]: group for group in classes}
    yield from _contained_lines(graph.edges, sizes, first_of, copies, most)
    yield from _equal_lines(classes, sizes, most)
    yield from _folder_lines(graph, sizes, most)


def _contained_lines(
    edges: Sequence[Edge],
    sizes: Mapping[str, int],
    first_of: Mapping[str, str],
    copies: Mapping[str, Sequence[str]],
    most: int,
) -> Iterator[str]:
    """A row for each table that is in a greater one, the largest first; equal tables are one."""
    parents: dict[str, dict[str, Edge]] = defaultdict(dict)
    for edge in edges:
        child, parent = (first_of.get(name, name) for name in (edge.child, edge.parent))
        if child != parent:
            parents[child].setdefault(parent, edge)
    size_of = {child: sum(sizes[name] for name in copies.get(child, (child,))) for child in parents}
    ordered = sorted(parents, key=lambda child: (-size_of[child], child))
    rows = []
    for child in ordered[:most]:
        found = parents[child].values()
        edge = min(found, key=lambda e: (-e.fraction, bool(e.unmatched), -sizes[e.parent]))
        equal = len(copies.get(child, (child,))) - 1
        more = f" and {len(found) - 1:,} more" if len(found) > 1 else ""
        named = f"{visible(child)} and {equal:,} equal" if equal else visible(child)
        rows.append((named, human_bytes(size_of[child]), parent_told(edge) + more))
    if rows:
        yield ""
        yield from aligned([("contained", "size", "in"), *rows])
    if len(ordered) > most:
        yield f"… and {len(ordered) - most:,} more"


def parent_told(edge: Edge) -> str:
    """The parent, with the fraction where it is not whole and what the edge does not compare."""
    fraction = "" if edge.whole else f"{edge.fraction:.4f} in "
    cast = " (after cast)" if edge.equal_after_cast else ""
    cast = " (equal after parsing)" if edge.renderings else cast
    part = f", without {', '.join(map(str, edge.unmatched))}" if edge.unmatched else ""
    return f"{fraction}{visible(edge.parent)}{renamed_told(edge)}{cast}{printable(part)}"


def renamed_told(edge: Edge) -> str:
    """The columns of other names, the child's own first; nothing where there are none."""
    pairs = [f"{own} from {other}" for own, other in edge.renamed]
    more = f" and {len(pairs) - NAMED_COLUMNS:,} more" if len(pairs) > NAMED_COLUMNS else ""
    told = printable(", ".join(pairs[:NAMED_COLUMNS]))
    return f" (renamed: {told}{more})" if pairs else ""


def _equal_lines(
    classes: Sequence[Sequence[str]], sizes: Mapping[str, int], most: int
) -> Iterator[str]:
    """The groups of equal tables, those first whose copies beyond one take the most bytes."""
    if not classes:
        return
    spare = {group[0]: _beyond_one([sizes[name] for name in group]) for group in classes}
    ordered = sorted(classes, key=lambda group: (-spare[group[0]], group[0]))
    groups, beyond = pluralize(len(classes), "group"), human_bytes(sum(spare.values()))
    yield ""
    yield f"{groups} of equal tables, {beyond} beyond one copy of each"
    for group in ordered[:most]:
        shown = group if len(group) <= NAMED_EQUAL else group[: NAMED_EQUAL - 1]
        more = f" and {len(group) - len(shown):,} more" if len(group) > len(shown) else ""
        yield f"  {human_bytes(spare[group[0]])}: {' = '.join(map(visible, shown))}{more}"
    if len(ordered) > most:
        yield f"  … and {len(ordered) - most:,} more"


def _beyond_one(sizes: Sequence[int]) -> int:
    """The bytes of all copies but the largest."""
    return sum(sizes) - max(sizes)


def _folder_lines(graph: Graph, sizes: Mapping[str, int], most: int) -> Iterator[str]:
    """The top folders, those first of which the most bytes could go."""
    contained = {edge.child for edge in graph.edges if edge.whole and not edge.unmatched}
    spare = spare_tables(graph)
    folders: dict[str, list[str]] = defaultdict(list)
    for table in graph.tables:
        if table.eligible:
            top, slash, _ = table.location.partition("/")
            folders[top if slash else TOP_FOLDER].append(table.location)
    if len(folders) < 2 or not contained:
        return
    told = []
    for folder, names in folders.items():
        inside = [name for name in names if name in contained]
        could = sum(sizes[name] for name in names if name in spare)
        size, total = sum(sizes[name] for name in inside), sum(sizes[name] for name in names)
        of = f"{human_bytes(size)} of {human_bytes(total)}"
        cells = human_bytes(could), f"{len(inside):,} of {len(names):,}", of
        told.append((-could, -total, folder, (visible(folder), *cells)))
    yield ""
    rows = [cells for *_, cells in sorted(told)[:most]]
    yield from aligned([("folder", "could go", "contained", "size"), *rows])
    if len(told) > most:
        yield f"… and {pluralize(len(told) - most, 'more folder')}"


def _part_lines(graph: Graph) -> Iterator[str]:
    """The edges that hold without some of the child's columns, as these need no parent."""
    parts = [edge for edge in graph.edges if edge.whole and edge.unmatched]
    lost = [edge for edge in parts if edge.ignores]
    if given := [edge for edge in parts if not edge.ignores]:
        plain = {edge.child for edge in graph.edges if edge.whole and not edge.unmatched}
        sizes = {t.location: t.size_bytes for t in graph.tables}
        more = {edge.child for edge in given} - plain
        told = pluralize(len(more), "more table"), human_bytes(sum(sizes[name] for name in more))
        could = f"; {', '.join(told)}, could go where a recipe gives these"
        yield _without_told(given) + (could if more else "")
    if lost:
        yield f"{_without_told(lost)}: nothing is deleted for {'it' if len(lost) == 1 else 'these'}"
    if parts:
        yield "  `r2d2 edges RUN` lists them with these columns"


def _without_told(edges: Sequence[Edge]) -> str:
    """How many edges, and without which kinds of columns they hold."""
    whys = Counter(why for edge in edges for why in {column.why for column in edge.unmatched})
    kinds = [
        few_or_many[count > 1] + (f" ({count:,})" if len(whys) > 1 else "")
        for why, few_or_many in _WITHOUT.items()
        if (count := whys[why])
    ]
    return f"{pluralize(len(edges), 'more containment')} without {' or '.join(kinds)}"


def table_lines(inventory: Inventory, *, verbose: bool = False) -> Iterator[str]:
    """The inventory as a table of text, then its totals; if verbose, files that are in no table."""
    heads = ("table", "format", "rows", "size", "files", "columns", "note")
    notes = [_note(table) for table in inventory.tables]
    often = {note: n for note, n in Counter(notes).items() if n > OFTEN and len(note) > LONG_NOTE}
    below = {note: f"[{number}]" for number, note in enumerate(often, 1)}
    rows = [
        (
            visible(table.location),
            table.format,
            "?" if table.rows is None else f"{table.rows:,}",
            human_bytes(table.size_bytes),
            str(len(table.files)),
            str(len(table.columns)),
            below.get(note) or printable(note),
        )
        for table, note in zip(inventory.tables, notes, strict=True)
    ]
    yield from aligned([heads, *rows])
    yield ""
    for note, count in often.items():
        yield f"{below[note]} {pluralize(count, 'table')}: {printable(note)}"
    yield from inventory_lines(inventory.tables, inventory.skipped)
    yield from owner_lines(inventory.owners)
    if not inventory.skipped:
        return
    if verbose:
        yield from _files_in_no_table(inventory)
    else:
        yield "-v lists the files that were skipped"


def _files_in_no_table(inventory: Inventory) -> Iterator[str]:
    """The listed files that no table has.

    What lies below a Delta table, or below one of which no file is known, is that table's.
    """
    tables = inventory.tables
    within = {t.location for t in tables if t.format == Format.DELTA or not t.files}
    taken = {file.path for table in tables for file in table.files} | within
    yield ""
    for file in inventory.listing.files:
        folders = accumulate(file.path.split("/")[:-1], "{}/{}".format)
        if file.path not in taken and within.isdisjoint((".", *folders)):
            yield f"in no table: {visible(file.path)} ({human_bytes(file.size_bytes)})"


def _note(table: Table) -> str:
    """Why it is no table, or must be kept; why its files are one; lines left out; a close guess."""
    kept = f"never planned for deletion: {table.must_keep}" if table.must_keep else None
    together, lines = table.details.get(ONE_TABLE), table.details.get(LEFT_OUT)
    told = (
        without_name(table.problem or "", table.location),
        kept,
        f"one table by {together}" if together else None,
        f"left out: {lines}" if lines else None,
        table.details.get(DOUBT),
    )
    return "; ".join(filter(None, told))
