"""The data that a page's script draws from: columns in place of objects, each text once.

Tables go by their number in order of location. Of each name only what differs from the one before
is there; numbers and texts of all tables are lists; `texts` holds each sentence once and all else
points into it. The JSON is deflated, as 10,000 tables with 50,000 edges are 6 MB without.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from r2d2.lake.selection import is_as_asked
from r2d2.model import UNNAMED
from r2d2.page.families import DrawnEdge, Families, Waste
from r2d2.page.run_files import Access, PageEdge, PageGraph, PageTable
from r2d2.plan.plan_file import kept_kind
from r2d2.recipes.words import recipe_words, survival_told
from r2d2.text_tables import (
    duration,
    pluralize,
    printable,
    usd,
    visible,
    without_name,
)

MOST_NAMED = 5
CONTAINED, SPARE, LEFT_OUT, UNREADABLE, DEGENERATE, AS_ASKED = 1, 2, 4, 8, 16, 32


class Texts:
    """Texts by number, each once; 0 is the empty one."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {"": 0}

    def number(self, text: str | None) -> int:
        """The number of a text, shown with its control characters escaped."""
        return self.numbers.setdefault(printable(text or ""), len(self.numbers))


def packed(
    graph: PageGraph,
    families: Families,
    waste: Waste,
    plan: Mapping[str, Any] | None,
    access: Mapping[str, Access],
    *,
    run: str = "",
    show_values: bool = False,
) -> str:
    """The data as base64 of deflated JSON."""
    texts = Texts()
    data = {
        "names": front_coded([visible(table.location) for table in graph.tables]),
        "tables": _tables(graph, families, waste, texts) | _access(graph, access, texts),
        "groups": families.groups,
        "edges": _edges(families.edges, texts, show_values),
        "equal": _edges(families.equal, texts, show_values),
        "not_drawn": families.not_drawn,
        "plan": None if plan is None else _plan(graph, plan, texts, show_values),
        "run": visible(run),
        "texts": list(texts.numbers),
    }
    content = json.dumps(data, separators=(",", ":")).encode()
    return base64.b64encode(zlib.compress(content, 9)).decode()


def front_coded(names: Sequence[str]) -> list[list[Any]]:
    """For each name, how much of it is as in the one before, and the rest.

    >>> front_coded(["a/one", "a/other", "b"])
    [[0, 3, 0], ['a/one', 'ther', 'b']]
    """
    before, shared, rests = "", [], []
    for name in names:
        pairs = zip(before, name, strict=False)
        length = next(
            (n for n, (one, other) in enumerate(pairs) if one != other), min(len(before), len(name))
        )
        shared.append(length)
        rests.append(name[length:])
        before = name
    return [shared, rests]


def _tables(graph: PageGraph, families: Families, waste: Waste, texts: Texts) -> dict[str, Any]:
    degenerate = {child for child, _ in graph.degenerate}
    return {
        "format": [texts.number(table.format) for table in graph.tables],
        "bytes": [table.size_bytes for table in graph.tables],
        "rows": [-1 if table.rows is None else table.rows for table in graph.tables],
        "files": [table.files for table in graph.tables],
        "columns": [len(table.columns) for table in graph.tables],
        "problem": [texts.number(own_problem(table)) for table in graph.tables],
        "must_keep": [texts.number(table.must_keep) for table in graph.tables],
        "details": [
            texts.number("; ".join(f"{key}: {value}" for key, value in sorted(t.details.items())))
            for t in graph.tables
        ],
        "flags": [
            CONTAINED * (number in waste.contained)
            | SPARE * (number in waste.spare)
            | LEFT_OUT * (table.problem is not None)
            | UNREADABLE * table.unreadable
            | AS_ASKED * is_as_asked(table.problem)
            | DEGENERATE * (table.location in degenerate)
            for number, table in enumerate(graph.tables)
        ],
        "family": families.family,
        "parents": families.parents,
        "children": families.children,
    }


def own_problem(table: PageTable) -> str:
    """Why a table is left out, without its name."""
    return without_name(table.problem or "", table.location)


def _access(graph: PageGraph, access: Mapping[str, Access], texts: Texts) -> dict[str, Any]:
    known = [access.get(table.location) for table in graph.tables]
    return {
        "owner": [texts.number(each.owner if each else "") for each in known],
        "readers": [texts.number("; ".join(each.readers) if each else "") for each in known],
    }


def _edges(edges: Iterable[DrawnEdge], texts: Texts, show_values: bool) -> dict[str, Any]:
    """Children as differences, as they come in order; `kind` is 1 where rows or columns lack."""
    edges = sorted(edges, key=lambda e: (e.child, e.parent))
    before = [0, *(edge.child for edge in edges)]
    return {
        "child": [edge.child - last for edge, last in zip(edges, before, strict=False)],
        "parent": [edge.parent for edge in edges],
        "kind": [int(not edge.edge.plain) for edge in edges],
        "why": [texts.number(why_text(edge.edge, show_values)) for edge in edges],
    }


def why_text(edge: PageEdge, show_values: bool = False) -> str:
    """Why an edge holds, and in what: its stage's reason, and what is not as usual."""
    return "; ".join(_whys(edge, show_values))


def _whys(edge: PageEdge, show_values: bool) -> Iterable[str]:
    yield from (
        f"{stage}: {reason}" for stage, verdict, reason in edge.evidence if verdict == "proved"
    )
    if edge.missing_rows:
        yield f"{pluralize(edge.missing_rows, 'row')} lacking, {edge.fraction:.4f} contained"
    if edge.equal_after_cast:
        yield "equal after a cast of numbers"
    if edge.equal_after_parsing:
        yield "equal after parsing of text"
    if edge.unmatched:
        columns = [
            str(c) if show_values else f"{c.column or UNNAMED} ({c.why})" for c in edge.unmatched
        ]
        yield f"without {', '.join(columns)}"
    renamed = [
        f"{own} is {other}"
        for own, other in sorted(edge.columns.items())
        if own.casefold() != other.casefold()
    ]
    if renamed:
        more = f" and {len(renamed) - MOST_NAMED:,} more" if len(renamed) > MOST_NAMED else ""
        yield f"columns of other names: {', '.join(renamed[:MOST_NAMED])}{more}"


def _plan(
    graph: PageGraph, plan: Mapping[str, Any], texts: Texts, show_values: bool
) -> dict[str, Any]:
    number = {table.location: n for n, table in enumerate(graph.tables)}
    entries = {entry["table"]: entry for entry in plan["tables"]}
    ordered = [entries.get(table.location) for table in graph.tables]
    known = [entry or NOT_PLANNED for entry in ordered]
    deleted = {n: entry for n, entry in enumerate(known) if entry["choice"] == "delete"}
    return {
        "reason": [texts.number(own_reason(entry)) for entry in known],
        "kind": [texts.number(kept_kind(entry)) for entry in known],
        "keep": [usd(entry["keep_usd_per_month"]) for entry in known],
        "frees": [entry["frees_bytes"] for entry in known],
        "limit": [texts.number(duration(entry["latency_limit_s"])) for entry in known],
        "tenant": [texts.number(entry["tenant"]) for entry in known],
        "reads": [entry["usage"]["reads_per_month"] for entry in known],
        "usage": [int(entry["usage"]["assumed"]) + 2 * entry["usage"]["unread"] for entry in known],
        "last_read": [texts.number(entry["usage"]["last_read"]) for entry in known],
        "consumers": [entry["usage"]["consumers"] for entry in known],
        "consumer_names": [
            texts.number("; ".join(entry["usage"]["consumer_names"])) for entry in known
        ],
        "deleted": list(deleted),
        "of": [_deleted(entry, number, texts, show_values) for entry in deleted.values()],
    }


NOT_PLANNED: Mapping[str, Any] = {
    "choice": "keep",
    "reason": "the plan does not know it",
    "keep_usd_per_month": 0.0,
    "frees_bytes": 0,
    "latency_limit_s": 0,
    "tenant": None,
    "usage": {
        "reads_per_month": 0,
        "assumed": True,
        "unread": False,
        "last_read": None,
        "consumers": None,
        "consumer_names": [],
    },
}


def own_reason(entry: Mapping[str, Any]) -> str:
    """The reason of a plan's table, without its name."""
    return without_name(entry["reason"], entry.get("table", ""))


def _deleted(
    entry: Mapping[str, Any], number: Mapping[str, int], texts: Texts, show_values: bool
) -> list[Any]:
    """What a deletion saves and how the table comes back; the script knows the order."""
    evidence, copy = entry["evidence"], entry["copy_that_stays"]
    survives = "; ".join(
        f"{visible(parent)}: {survival_told(words)}"
        for parent, words in evidence.get("survives", {}).items()
    )
    return [
        int(entry["way"] == "view"),
        usd(entry["saving_usd_per_month"]),
        usd(entry["saving_at_least_usd_per_month"]),
        usd(entry["saving_at_most_usd_per_month"]),
        usd(12 * entry["saving_usd_per_month"]),
        usd(entry["rebuild_usd_per_month"]),
        duration(entry["rebuild_p95_s"]),
        [number[parent] for parent in entry["parents"] if parent in number],
        texts.number(entry["recipe"]["kind"]),
        texts.number(recipe_words(entry["recipe"], show_values=show_values)),
        texts.number(survives),
        texts.number("; ".join(entry["layout"].get("not_restored", ()))),
        evidence.get("rows", -1) if evidence["run"] else -1,
        duration(evidence.get("seconds", 0.0)),
        evidence.get("residual_bytes", 0),
        -1 if copy is None else number.get(copy["table"], -1),
        texts.number(copy["because"] if copy else ""),
    ]
