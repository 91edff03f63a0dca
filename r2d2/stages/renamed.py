"""Renamed: columns of other names that hold the same get labels in common, for the later stages.

Sketches of single columns tell which may be which (LSH Ensemble proposes them), sketches of two
columns together what single ones cannot. Labels are guesses; the exact stage decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from r2d2.graph import Graph
from r2d2.kernels.typetag import type_tag
from r2d2.lake.protocol import Lake
from r2d2.model import Column, Cost, Edge, Table, Types
from r2d2.stages.renamed_candidates import Candidate, Facets, candidates
from r2d2.stages.renamed_contents import Contents
from r2d2.stages.renamed_groups import Group, groups_of
from r2d2.stages.renamed_joint import Question, doubts_of, weighed
from r2d2.stages.renamed_labels import Labels
from r2d2.stages.schema import Schema, fold

TIMES = 2


@dataclass(frozen=True, slots=True)
class Renamed:
    """Labels columns by what they hold.

    Of the tables that share all names the `tables` largest are looked at, and of each table the
    `keys` columns of most values are looked for elsewhere.
    """

    types: Types = Types.STRICT
    min_fraction: float = 1.0
    case_sensitive: bool = False
    size: int = 1024
    tables: int = 2
    keys: int = 4
    name = "renamed"

    def __call__(self, graph: Graph, lake: Lake) -> Graph:
        """The graph with its tables' columns named by their labels."""
        groups = groups_of(graph.tables, Schema(self.types, self.case_sensitive))
        numbers: dict[tuple[Column, ...], int] = {}
        question = Question(graph.tables, numbers, {})
        singles = {
            (number, table): [question.about(table, [place]) for place in range(len(group.names))]
            for number, group in enumerate(groups)
            for table in group.tables[: self.tables]
        }
        graph, contents = self._asked(graph, lake, question)
        facets = {
            table: self._facets(groups, number, graph.tables[table], [contents.numbers[k] for k in keys])
            for (number, table), keys in singles.items()
            if all(key in contents.numbers for key in keys)
        }
        links = spanning(candidates(facets, contents, self.keys), facets, groups)
        question = Question(graph.tables, numbers, {})
        doubts = [(doubt, question.ends(doubt)) for doubt in doubts_of(links)]
        graph, contents = self._asked(graph, lake, question)
        labels = Labels.of(groups)
        for link in sorted(weighed(links, doubts, contents, 0.9 * self.min_fraction), key=Candidate.fit, reverse=True):
            learn(labels, link, facets)
        return labelled(graph, groups, labels.spelled(groups), self.case_sensitive)

    def _asked(self, graph: Graph, lake: Lake, question: Question) -> tuple[Graph, Contents]:
        """The graph after the question, with its cost added, and what the projections hold."""
        answer = lake.sketches(dict(sorted(question.wanted.items())), self.size)
        before, told = graph.cost, graph.after(answer)
        cost = Cost(
            before.bytes_read + told.cost.bytes_read, before.rows_read + told.cost.rows_read
        )
        return replace(told, cost=cost), Contents.of(answer.found)

    def _facets(
        self, groups: Sequence[Group], number: int, table: Table, contents: Sequence[int]
    ) -> Facets:
        group = groups[number]
        names = {name: place for place, name in enumerate(group.names, group.first)}
        spelled = [fold(column.name, self.case_sensitive) for column in table.columns]
        return Facets(
            number,
            frozenset(group.larger),
            np.array(contents, np.int64),
            np.array([type_tag(column.type, self.types) for column in table.columns]),
            np.array([names[name] for name in spelled], np.int64),
            np.array(spelled),
            (1 - self.min_fraction) * (table.rows or 0),
        )


def learn(labels: Labels, link: Candidate, facets: Mapping[int, Facets]) -> bool:
    """Makes the names one that the link's assignment matches: whether any was not yet."""
    child, parent = facets[link.child].names, facets[link.parent].names
    if labels.include(child.tolist(), parent.tolist()):
        return False
    rows, columns = link.matched()
    matches = zip(child[rows].tolist(), parent[columns].tolist(), strict=True)
    return any([labels.unite(name, other) for name, other in matches])


def spanning(
    found: Sequence[Candidate], facets: Mapping[int, Facets], groups: Sequence[Group]
) -> list[Candidate]:
    """The best candidates that tell all labels `TIMES` over, as some may be wrong."""
    left = sorted(found, key=Candidate.fit_at_most, reverse=True)
    chosen: list[Candidate] = []
    for _ in range(TIMES):
        labels = Labels.of(groups)
        taken = {candidate for candidate in left if learn(labels, candidate, facets)}
        chosen += [candidate for candidate in left if candidate in taken]
        left = [candidate for candidate in left if candidate not in taken]
    return chosen


def labelled(
    graph: Graph, groups: Sequence[Group], labels: Sequence[str], case_sensitive: bool
) -> Graph:
    """The graph with the groups' tables under labels, and as they were for `under_own_names`."""
    tables = list(graph.tables)
    for group in groups:
        label = dict(zip(group.names, labels[group.first :], strict=False))
        for index in group.tables:
            names = {c.name: label[fold(c.name, case_sensitive)] for c in tables[index].columns}
            tables[index] = _renamed(tables[index], names)
    return replace(graph, tables=tuple(tables), named=graph.tables)


def _renamed(table: Table, names: Mapping[str, str]) -> Table:
    return replace(
        table,
        columns=tuple(replace(column, name=names[column.name]) for column in table.columns),
        bounds={names[name]: bounds for name, bounds in table.bounds.items() if name in names},
    )


def under_own_names(graph: Graph) -> Graph:
    """The graph with the tables' and edges' columns by the names that the tables have."""
    if not graph.named:
        return graph
    own = {
        named.location: {
            column.name: own.name for column, own in zip(table.columns, named.columns, strict=True)
        }
        for table, named in zip(graph.tables, graph.named, strict=True)
    }
    return replace(
        graph,
        tables=tuple(
            replace(table, columns=named.columns, bounds=named.bounds)
            for table, named in zip(graph.tables, graph.named, strict=True)
        ),
        named=(),
        edges=tuple(_under(own[e.child], own[e.parent], e) for e in graph.edges),
        degenerate=tuple(_under(own[e.child], own[e.parent], e) for e in graph.degenerate),
    )


def _under(child: Mapping[str, str], parent: Mapping[str, str], edge: Edge) -> Edge:
    return replace(edge, columns=tuple((child[name], parent[other]) for name, other in edge.columns))
