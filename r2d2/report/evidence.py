"""What a stage says of one pair of tables, in words."""

from r2d2.graph import Graph
from r2d2.model import Column, Evidence, Table, Verdict


def said(stage: str, graph: Graph) -> Evidence:
    """What the stage that made the graph says of the first of its two tables in the second."""
    locations = tuple(table.location for table in graph.tables)
    edge = next((e for e in graph.edges if (e.child, e.parent) == locations), None)
    if edge is not None:
        return edge.evidence[-1]
    if any((e.child, e.parent) == locations for e in graph.degenerate):
        reason = "the child has no rows or no columns: contained, and listed apart"
        return Evidence(stage, Verdict.PROVED, reason)
    failed = [table for table in graph.tables if table.problem]
    if failed:
        return Evidence(stage, Verdict.REFUTED, f"left out: {failed[0].problem}")
    if stage == "renamed":
        return Evidence(stage, Verdict.PLAUSIBLE, _renamed_reason(graph))
    if not graph.blocks:
        return Evidence(stage, Verdict.REFUTED, _reason(stage, graph))
    return Evidence(stage, Verdict.PLAUSIBLE, "nothing speaks against it")


def _renamed_reason(graph: Graph) -> str:
    (child, own), (parent, theirs) = zip(graph.tables, graph.named, strict=True)
    names = {label.name: column.name for label, column in _labelled(parent, theirs)}
    pairs = [(c.name, names.get(label.name, c.name)) for label, c in _labelled(child, own)]
    other = [f"{name} = {also}" for name, also in pairs if name.lower() != also.lower()]
    if not other:
        return "no column is taken for one of another name"
    return f"taken for the same columns: {', '.join(other)}"


def _reason(stage: str, graph: Graph) -> str:
    if stage == "schema":
        return _schema_reason(graph)
    return ", ".join(reason for reason, count in graph.reasons.items() if count) or "refuted"


def _schema_reason(graph: Graph) -> str:
    child, parent = graph.tables
    own = {column.name.lower(): column.type for column in parent.columns}
    columns = _labelled(child, graph.named[0] if graph.named else child)
    lacking = [c.name for label, c in columns if label.name.lower() not in own]
    if lacking:
        names = {column.name.lower() for table in graph.named[1:] for column in table.columns}
        unknown = [name for name in lacking if name.lower() not in names]
        return f"the parent lacks the columns {', '.join(unknown or lacking)}"
    other = [
        f"{c.name} ({c.type} against {own[label.name.lower()]})"
        for label, c in columns
        if own[label.name.lower()] != c.type
    ]
    return f"types differ: {', '.join(other)}" if other else "the parent has no rows"


def _labelled(table: Table, named: Table) -> list[tuple[Column, Column]]:
    """The table's columns, each with the same under its own name."""
    return list(zip(table.columns, named.columns, strict=True))
