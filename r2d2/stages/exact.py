"""Exact: every distinct child row is looked up among the parent's; the count missing decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from r2d2.formats.united import typed_nulls
from r2d2.graph import Graph, strongest
from r2d2.lake.questions import Lake
from r2d2.model import Column, Edge, Evidence, Table, UnmatchedColumn, Verdict
from r2d2.stages.schema import degenerate_edge, fold, projections, resolved

_Mapping = tuple[bool, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Exact:
    """Proves the pairs whose fraction reaches `min_fraction`, and refutes all others."""

    min_fraction: float = 1.0
    case_sensitive: bool = False
    name = "exact"

    def __call__(self, graph: Graph, lake: Lake) -> Graph:
        """The graph with every open pair decided."""
        pairs = []
        for block in graph.blocks:
            children, parents = block.pairs()
            pairs += [
                ((child, block.number), (parent, block.number))
                for child, parent in zip(children.tolist(), parents.tolist(), strict=True)
            ]
        wanted = projections(graph, self.case_sensitive)
        answer = lake.overlaps(wanted, pairs, None, self.min_fraction)
        graph = graph.after(answer)
        edges, degenerate, refuted = list(graph.edges), list(graph.degenerate), 0
        mappings = _Mappings(graph.tables, self.case_sensitive)
        parts = {block.number: block.names for block in graph.blocks if block.is_part}
        renderings = {block.number: block.renderings for block in graph.blocks}
        for ((child, number), (parent, _)), rows, missing in zip(
            pairs, answer.rows.tolist(), answer.missing.tolist(), strict=True
        ):
            if rows < 0:
                continue
            if rows == 0 and number in parts:
                continue
            if rows == 0:
                degenerate.append(degenerate_edge(graph.tables[child], graph.tables[parent]))
            elif (rows - missing) / rows >= self.min_fraction:
                mapping = mappings.of(child, parent, parts.get(number))
                free = graph.free.get(child, {}) if number in parts else {}
                edge = _edge(graph.tables, child, parent, rows, missing, mapping, free)
                if told := dict(renderings[number]):
                    edge = _rendered(edge, told, self.case_sensitive)
                edges.append(edge)
            else:
                refuted += 1
        return replace(
            graph,
            blocks=(),
            edges=strongest(edges) if parts or any(renderings.values()) else tuple(edges),
            degenerate=tuple(degenerate),
            reasons={"child rows are missing": refuted},
        )


def _edge(
    tables: Sequence[Table],
    child: int,
    parent: int,
    rows: int,
    missing: int,
    mapping: _Mapping,
    free: Mapping[str, UnmatchedColumn],
) -> Edge:
    cast, columns = mapping
    matched = {name for name, _ in columns}
    unmatched = tuple(column for column in free.values() if column.column not in matched)
    reason = f"{rows - missing} of {rows} distinct child rows found"
    if unmatched:
        reason += f", without {', '.join(map(str, unmatched))}"
    return Edge(
        tables[child].location,
        tables[parent].location,
        (rows - missing) / rows,
        missing,
        tables[child].rows,
        tables[parent].rows,
        False,
        "exact",
        equal_after_cast=cast,
        distinct_rows=rows,
        columns=columns,
        evidence=(Evidence("exact", Verdict.PROVED, reason),),
        unmatched=unmatched,
    )


def _rendered(edge: Edge, renderings: Mapping[str, str], case_sensitive: bool) -> Edge:
    """The edge of an export: its columns' types differ, and its texts are the parent's values'."""
    own = ((name, renderings[fold(name, case_sensitive)]) for name, _ in edge.columns)
    told = (replace(e, reason=f"{e.reason}, equal after parsing") for e in edge.evidence)
    return replace(edge, equal_after_cast=False, evidence=tuple(told), renderings=tuple(own))


class _Mappings:
    """How columns of tables match, found once for each pair of schemas."""

    def __init__(self, tables: Sequence[Table], case_sensitive: bool) -> None:
        self._tables = tables
        self._case_sensitive = case_sensitive
        self._schemas: dict[int, int] = {}
        self._numbers: dict[tuple[Column, ...], int] = {}
        self._found: dict[tuple[int, int, tuple[str, ...] | None], _Mapping] = {}

    def of(self, child: int, parent: int, names: tuple[str, ...] | None) -> _Mapping:
        """Whether types differ, NULLs aside, and the parent's column for each of the child's.

        With `names`, only those of the child's columns are compared.
        """
        key = self._schema(child), self._schema(parent), names
        if key not in self._found:
            own, other = self._tables[child].columns, self._tables[parent].columns
            if names is not None:
                own = tuple(c for c in own if fold(c.name, self._case_sensitive) in names)
            self._found[key] = _mapping(own, other, self._case_sensitive)
        return self._found[key]

    def _schema(self, table: int) -> int:
        if table not in self._schemas:
            columns = self._tables[table].columns
            self._schemas[table] = self._numbers.setdefault(columns, len(self._numbers))
        return self._schemas[table]


def _mapping(child: Sequence[Column], parent: Sequence[Column], case_sensitive: bool) -> _Mapping:
    own = {fold(column.name, case_sensitive): column for column in parent}
    names = resolved(child, own, case_sensitive)
    matched = [(column, own[name]) for column, name in zip(child, names, strict=True)]
    cast = any(typed_nulls(c.type, p.type) is None for c, p in matched)
    return cast, tuple((c.name, p.name) for c, p in matched)
