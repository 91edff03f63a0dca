"""Exact: every distinct child row is looked up among the parent's; the count missing decides."""

from dataclasses import dataclass, replace
from functools import lru_cache

from r2d2.formats.united import typed_nulls
from r2d2.graph import Graph
from r2d2.lake.questions import Lake
from r2d2.model import Column, Edge, Evidence, Table, Verdict
from r2d2.stages.schema import degenerate_edge, fold, projections, resolved


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
        for ((child, _), (parent, _)), rows, missing in zip(
            pairs, answer.rows.tolist(), answer.missing.tolist(), strict=True
        ):
            if rows < 0:
                continue
            if rows == 0:
                degenerate.append(degenerate_edge(graph.tables[child], graph.tables[parent]))
            elif (rows - missing) / rows >= self.min_fraction:
                edges.append(self._edge(graph.tables[child], graph.tables[parent], rows, missing))
            else:
                refuted += 1
        return replace(
            graph,
            blocks=(),
            edges=tuple(edges),
            degenerate=tuple(degenerate),
            reasons={"child rows are missing": refuted},
        )

    def _edge(self, child: Table, parent: Table, rows: int, missing: int) -> Edge:
        cast, columns = _mapping(child.columns, parent.columns, self.case_sensitive)
        reason = f"{rows - missing} of {rows} distinct child rows found"
        return Edge(
            child.location,
            parent.location,
            (rows - missing) / rows,
            missing,
            child.rows,
            parent.rows,
            False,
            "exact",
            equal_after_cast=cast,
            distinct_rows=rows,
            columns=columns,
            evidence=(Evidence("exact", Verdict.PROVED, reason),),
        )


@lru_cache(maxsize=4096)
def _mapping(
    child: tuple[Column, ...], parent: tuple[Column, ...], case_sensitive: bool
) -> tuple[bool, tuple[tuple[str, str], ...]]:
    """Whether some types differ, NULLs aside, and the parent's column for each of the child's."""
    own = {fold(column.name, case_sensitive): column for column in parent}
    names = resolved(child, own, case_sensitive)
    matched = [(column, own[name]) for column, name in zip(child, names, strict=True)]
    cast = any(typed_nulls(c.type, p.type) is None for c, p in matched)
    return cast, tuple((c.name, p.name) for c, p in matched)
