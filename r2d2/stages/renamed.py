"""Renamed: columns of other names that hold the same get labels in common, for the later stages.

Sketches of single columns tell which may be which (LSH Ensemble proposes them), sketches of two
columns together what single ones cannot. Labels are guesses; the exact stage decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from r2d2.graph import Graph
from r2d2.kernels.typetag import type_tag
from r2d2.lake.protocol import Lake, Projection
from r2d2.model import Column, Cost, Edge, Table, Types
from r2d2.stages.renamed_candidates import Candidate, Facets, candidates
from r2d2.stages.renamed_contents import Contents
from r2d2.stages.renamed_groups import Group, groups_of
from r2d2.stages.renamed_joint import Doubt, doubts, weighed
from r2d2.stages.renamed_labels import Labels, Name
from r2d2.stages.schema import Schema, fold

FIRST_NUMBER = 1 << 28  # beyond all numbers of blocks


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
    times: int = 2
    name = "renamed"

    def __call__(self, graph: Graph, lake: Lake) -> Graph:
        """The graph with its tables' columns named by their labels."""
        groups = groups_of(graph.tables, Schema(self.types, self.case_sensitive))
        looked_at = {t: number for number, g in enumerate(groups) for t in g.tables[: self.tables]}
        singles = {
            (table, FIRST_NUMBER + place): (replace(column, name="any"),)
            for table in sorted(looked_at)
            for place, column in enumerate(graph.tables[table].columns)
        }
        answer = lake.sketches(singles, self.size)
        graph = graph.after(answer)
        contents = Contents.of(answer.found)
        facets = {
            table: facet
            for table, group in sorted(looked_at.items())
            if (facet := self._facets(table, group, graph.tables[table], contents)) is not None
        }
        found = candidates(facets, [frozenset(g.larger) for g in groups], contents, self.keys)
        links = spanning(found, facets, groups, self.times)
        asked = list(doubts(links, facets, contents.sizes))
        width = max((len(own.contents) for own in facets.values()), default=0)
        ends = [(self._beside(d.candidate.child, d.anchors[0], d.row, width), self._beside(d.candidate.parent, d.anchors[1], d.column, width)) for d in asked]
        wanted = {}
        for d, (c, p) in zip(asked, ends):
            if c not in wanted: wanted[c] = self._both(graph.tables[c[0]].columns, d.anchors[0], d.row)
            if p not in wanted: wanted[p] = self._both(graph.tables[p[0]].columns, d.anchors[1], d.column)
        first = graph.cost
        answer = lake.sketches(wanted, self.size)
        graph = graph.after(answer)
        graph = replace(graph, cost=Cost(first.bytes_read + graph.cost.bytes_read, first.rows_read + graph.cost.rows_read))
        joint = Contents.of(answer.found)
        known = [i for i, (c, p) in enumerate(ends) if c in joint.numbers and p in joint.numbers]
        shares = joint.missing_shares(np.array([joint.numbers[ends[i][0]] for i in known], np.int64), np.array([joint.numbers[ends[i][1]] for i in known], np.int64))
        links = weighed(links, [asked[i] for i in known], shares)
        labels = Labels.of(groups)
        for link in sorted(links, key=lambda l: l.fit(), reverse=True):
            learn(labels, link, facets)
        return labelled(graph, groups, labels, self.case_sensitive)

    def _beside(self, table, anchor, other, width):
        return table, FIRST_NUMBER + width * (anchor + 1) + other

    def _both(self, columns, anchor, other):
        return replace(columns[anchor], name="anchor"), replace(columns[other], name="other")

    def _facets(self, table: int, group: int, own: Table, contents: Contents) -> Facets | None:
        keys = [(table, FIRST_NUMBER + place) for place in range(len(own.columns))]
        if not all(key in contents.numbers for key in keys):
            return None
        return Facets(
            group,
            np.array([contents.numbers[key] for key in keys], np.int64),
            np.array([hash(type_tag(column.type, self.types)) for column in own.columns]),
            np.array([fold(column.name, self.case_sensitive) for column in own.columns]),
            (1 - self.min_fraction) * (own.rows or 0),
        )

def learn(labels, link, facets):
    c, p = facets[link.child], facets[link.parent]
    if labels.among(c.nodes, p.nodes): return False
    rows, columns = link.matched()
    return labels.learn([(c.nodes[r], p.nodes[k]) for r, k in zip(rows.tolist(), columns.tolist())])

def spanning(found, facets, groups, times):
    import time
    t=time.perf_counter()
    ranked = sorted(found, key=lambda c: c.bound(), reverse=True)
    t1=time.perf_counter()
    chosen = []
    for _ in range(times):
        labels = Labels.of(groups)
        taken = [c for c in ranked if learn(labels, c, facets)]
        chosen += taken
        gone = set(taken); ranked = [c for c in ranked if c not in gone]
    print('sort',t1-t)
    return chosen

def labelled(graph, groups, labels, case):
    spelled = labels.spelled()
    tables = list(graph.tables)
    for number, group in enumerate(groups):
        for t in group.tables:
            new = {c.name: spelled[number, fold(c.name, case)] for c in tables[t].columns}
            tables[t] = replace(tables[t], columns=tuple(replace(c, name=new[c.name]) for c in tables[t].columns), bounds={new[k]: v for k, v in tables[t].bounds.items() if k in new})
    return replace(graph, tables=tuple(tables))
