"""Renamed: columns of other names that hold the same get labels in common, for the later stages.

Sketches of single columns tell which may be which (LSH Ensemble proposes them), sketches of columns
together what single ones cannot. A label is one name for a column of many tables, learnt from the
tables' best matches. Labels are guesses; the exact stage decides.
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
from r2d2.stages.renamed.table_matches import TableMatch, table_matches
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


LABELLINGS = 2


@dataclass(frozen=True, slots=True)
class ColumnLabels:
    """Sets of names (by number) that mean one column; `leaders` leads from each to its set's.

    `holders` are the groups that have a name of the set; none ever has two.
    """

    leaders: list[int]
    holders: list[set[int]]

    @classmethod
    def of(cls, groups: Sequence[SchemaGroup]) -> "ColumnLabels":
        """The labels by spelling alone: a group means what those do that have all its names."""
        holders = [{number} for number, group in enumerate(groups) for _ in group.names]
        labels = cls(list(range(len(holders))), holders)
        for group in groups:
            for other in (groups[number] for number in group.larger):
                place = {name: number for number, name in enumerate(other.names, other.first)}
                for number, name in enumerate(group.names, group.first):
                    labels._unite(number, place[name])
        return labels

    def learn(self, link: TableMatch, profiles: Mapping[int, ColumnProfiles]) -> bool:
        """Makes one the names that the link's best assignment matches: whether any was not yet."""
        child, parent = profiles[link.child].names, profiles[link.parent].names
        if set(map(self._leader, child.tolist())) <= set(map(self._leader, parent.tolist())):
            return False
        rows, columns = link.matched()
        matches = zip(child[rows].tolist(), parent[columns].tolist(), strict=True)
        return sum(self._unite(name, other) for name, other in matches) > 0

    def spelled(self, groups: Sequence[SchemaGroup]) -> list[str]:
        """Each name's label: as its leader is spelled, with numbers where that is taken."""
        names = [name for group in groups for name in group.names]
        labels: dict[int, str] = {}
        taken: set[str] = set()
        for number in sorted({self._leader(number) for number in range(len(names))}):
            label = names[number]
            while label in taken:
                label += f"#{number}"
            taken.add(label)
            labels[number] = label
        return [labels[self._leader(number)] for number in range(len(names))]

    def _leader(self, name: int) -> int:
        while self.leaders[name] != name:
            self.leaders[name] = name = self.leaders[self.leaders[name]]
        return name

    def _unite(self, name: int, other: int) -> bool:
        """Makes two names mean one column, unless they do or some group has both: whether so."""
        name, other = self._leader(name), self._leader(other)
        if name == other or not self.holders[name].isdisjoint(self.holders[other]):
            return False
        if len(self.holders[name]) > len(self.holders[other]):
            name, other = other, name
        self.leaders[name] = other
        self.holders[other] |= self.holders[name]
        return True


def best_spanning(
    matches: Sequence[TableMatch],
    profiles: Mapping[int, ColumnProfiles],
    groups: Sequence[SchemaGroup],
) -> list[TableMatch]:
    """The best matches that give all labels, chosen `LABELLINGS` times, as some may be wrong."""
    left = sorted(matches, key=TableMatch.fit_at_most, reverse=True)
    chosen: list[TableMatch] = []
    for _ in range(LABELLINGS):
        labels = ColumnLabels.of(groups)
        taken = {match for match in left if labels.learn(match, profiles)}
        chosen += [match for match in left if match in taken]
        left = [match for match in left if match not in taken]
    return chosen


def learnt_labels(
    links: Sequence[TableMatch],
    profiles: Mapping[int, ColumnProfiles],
    groups: Sequence[SchemaGroup],
) -> list[str]:
    """Each name's label, from all links; the better a link, the earlier it is believed."""
    labels = ColumnLabels.of(groups)
    for link in sorted(links, key=TableMatch.fit, reverse=True):
        labels.learn(link, profiles)
    return labels.spelled(groups)
