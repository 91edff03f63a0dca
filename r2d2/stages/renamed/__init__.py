"""Renamed: columns of other names that hold the same get labels in common, for the later stages.

Sketches of single columns tell which may be which (LSH Ensemble proposes them), sketches of columns
together what single ones cannot. Labels are guesses; the exact stage decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from r2d2.graph import Graph
from r2d2.lake.questions import Lake
from r2d2.model import Edge, Table, Types
from r2d2.stages.renamed.column_sketches import (
    ColumnContents,
    ColumnProfiles,
    ProfileBuilder,
    SchemaGroup,
    comparable,
    groups_of,
)
from r2d2.stages.renamed.joint_evidence import (
    Numbers,
    SketchRequest,
    best_guesses,
    doubts_of,
    guesses,
)
from r2d2.stages.renamed.labels import best_spanning, learnt_labels
from r2d2.stages.renamed.table_matches import table_matches
from r2d2.stages.schema import Schema, fold

LEAST_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Renamed:
    """Names columns by what they hold, so that the later stages match them.

    Of the tables that share all names the `tables` largest are looked at, and of each table the
    `keys` columns that tell most are looked for in others.
    """

    types: Types = Types.STRICT
    min_fraction: float = 1.0
    case_sensitive: bool = False
    size: int = 1024
    tables: int = 2
    keys: int = 4
    name = "renamed"

    def __call__(self, graph: Graph, lake: Lake) -> Graph:
        """The graph with its tables' columns named by labels, until `under_own_names`."""
        groups = groups_of(graph.tables, Schema(self.types, self.case_sensitive))
        numbers: Numbers = {}
        graph, profiles, contents = self._columns(graph, lake, groups, numbers)
        found = list(table_matches(profiles, contents, self.keys))
        links = [
            guess for link in best_spanning(found, profiles, groups) for guess in guesses(link)
        ]
        request = SketchRequest(graph.tables, numbers)
        doubts = [(doubt, request.ends(doubt)) for doubt in doubts_of(links)]
        graph, contents = self._answered(graph, lake, request)
        links = best_guesses(links, doubts, contents, LEAST_SHARE * self.min_fraction)
        return _labelled(graph, groups, learnt_labels(links, profiles, groups), self.case_sensitive)

    def _columns(
        self, graph: Graph, lake: Lake, groups: Sequence[SchemaGroup], numbers: Numbers
    ) -> tuple[Graph, Mapping[int, ColumnProfiles], ColumnContents]:
        """The profiles of the tables looked at, and the contents of their columns."""
        request = SketchRequest(graph.tables, numbers)
        columns = {
            table: (number, [request.about(table, (place,)) for place in range(len(group.names))])
            for number, group in ((number, groups[number]) for number in comparable(groups))
            for table in group.tables[: self.tables]
        }
        graph, contents = self._answered(graph, lake, request)
        builder = ProfileBuilder(
            graph.tables, groups, self.types, self.case_sensitive, self.min_fraction, {}
        )
        return graph, builder.all(columns, contents), contents

    def _answered(
        self, graph: Graph, lake: Lake, request: SketchRequest
    ) -> tuple[Graph, ColumnContents]:
        """The graph after the request, its cost added, and what the projections hold."""
        answer = lake.sketches(dict(sorted(request.wanted.items())), self.size)
        after = replace(graph.after(answer), cost=graph.cost.plus(answer.cost))
        return after, ColumnContents.of(answer.found)


def _labelled(
    graph: Graph, groups: Sequence[SchemaGroup], labels: Sequence[str], case_sensitive: bool
) -> Graph:
    """The graph with the groups' tables under labels; `named` are the tables as they were."""
    tables = list(graph.tables)
    for group in groups:
        label = dict(zip(group.names, labels[group.first :], strict=False))
        for index in group.tables:
            names = {c.name: label[fold(c.name, case_sensitive)] for c in tables[index].columns}
            tables[index] = _with_names(tables[index], names)
    return replace(graph, tables=tuple(tables), named=graph.tables)


def _with_names(table: Table, names: Mapping[str, str]) -> Table:
    return replace(
        table,
        columns=tuple(replace(column, name=names[column.name]) for column in table.columns),
        bounds={names[name]: bounds for name, bounds in table.bounds.items() if name in names},
    )


def under_own_names(graph: Graph) -> Graph:
    """The graph with the columns of tables and edges by the names that the tables have."""
    if not graph.named:
        return graph
    pairs = list(zip(graph.tables, graph.named, strict=True))
    own = {
        table.location: {
            column.name: before.name
            for column, before in zip(table.columns, named.columns, strict=True)
        }
        for table, named in pairs
    }
    return replace(
        graph,
        tables=tuple(
            replace(table, columns=named.columns, bounds=named.bounds) for table, named in pairs
        ),
        named=(),
        edges=tuple(_edge(edge, own[edge.child], own[edge.parent]) for edge in graph.edges),
    )


def _edge(edge: Edge, child: Mapping[str, str], parent: Mapping[str, str]) -> Edge:
    columns = tuple((child[name], parent[other]) for name, other in edge.columns)
    return replace(edge, columns=columns)
