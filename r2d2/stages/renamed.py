"""Renamed: containment under other column names, which Schema cannot see.

Sketches of single columns propose which column may be which, sketches of two columns together
tell apart what single ones cannot, and every mapping that is left is counted exactly.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from r2d2.graph import Graph
from r2d2.kernels.typetag import type_tag
from r2d2.lake.protocol import Lake, Projection
from r2d2.model import Column, Cost, Edge, Evidence, Table, Types, Verdict
from r2d2.stages.renamed_candidates import Candidate, Facets, candidates, likely_pairs
from r2d2.stages.renamed_contents import Contents
from r2d2.stages.renamed_joint import doubts, resolved
from r2d2.stages.renamed_matching import assignments, FORBIDDEN
from r2d2.stages.renamed_labels import spanning, Labels
from r2d2.stages.renamed_question import Question
from r2d2.stages.renamed_tables import comparable, undecided
from r2d2.stages.schema import Schema, fold, is_degenerate

Numbers = dict[tuple[Column, ...], int]


@dataclass(frozen=True, slots=True)
class Renamed:
    """Proposes column mappings for pairs that names do not decide, and proves or refutes them.

    `keys` columns of each child are looked for; of a pair at most `alternatives` mappings are
    counted.
    """

    types: Types = Types.STRICT
    min_fraction: float = 1.0
    case_sensitive: bool = False
    size: int = 1024
    keys: int = 4
    alternatives: int = 8
    name = "renamed"

    def __call__(self, graph: Graph, lake: Lake) -> Graph:
        """The graph with the edges of pairs whose columns have other names."""
        schema = Schema(self.types, self.case_sensitive)
        signatures = {
            index: schema.signature(table)
            for index, table in enumerate(graph.tables)
            if table.eligible and not is_degenerate(table)
        }
        numbers: Numbers = {}
        question = Question(numbers)
        single = {
            table: [question.projection(table, [replace(c, name="any")]) for c in graph.tables[table].columns]
            for table in comparable(signatures)
        }
        answer = lake.sketches(question.wanted, self.size)
        graph = graph.after(answer)
        contents = Contents.of(answer.found)
        facets = self._facets(graph.tables, single, contents)
        pairs = undecided(likely_pairs(facets, contents, self.keys), {t: signatures[t] for t in facets})
        open_ = list(candidates(pairs, facets, contents))
        place={t.location:i for i,t in enumerate(graph.tables)}
        from collections import Counter
        trust=Counter(place[e] for edge in graph.edges for e in (edge.child,edge.parent))
        links = spanning(open_, facets, trust)
        question = Question(numbers)
        asked = doubts(links, graph.tables, facets, contents.sizes, question)
        answer = lake.sketches(question.wanted, self.size)
        graph = graph.after(answer)
        links = resolved(links, asked, Contents.of(answer.found), facets)
        fine = {(link.child, link.parent): link for link in links}
        open_ = [fine.get((c.child, c.parent), c) for c in open_]
        self_fine = set(fine)
        return self._decided(graph, lake, open_, len(pairs), numbers, self._learnt(facets, links), self_fine)

    def _facets(
        self,
        tables: Sequence[Table],
        single: Mapping[int, Sequence[Projection]],
        contents: Contents,
    ) -> Mapping[int, Facets]:
        """The facets of the tables whose columns were read."""
        types: dict[str, int] = {}
        names: dict[str, int] = {}
        found = {}
        for table, keys in sorted(single.items()):
            if all(key in contents.numbers for key in keys):
                columns = tables[table].columns
                tags = [type_tag(column.type, self.types) for column in columns]
                folded = [fold(column.name, self.case_sensitive) for column in columns]
                found[table] = Facets(
                    np.array([contents.numbers[key] for key in keys], np.int64),
                    np.array([types.setdefault(tag, len(types)) for tag in tags], np.int64),
                    np.array([names.setdefault(name, len(names)) for name in folded], np.int64),
                    (1 - self.min_fraction) * (tables[table].rows or 0),
                )
        return found

    def _learnt(self, facets, links):
        labels = Labels.of(facets)
        for link in links: labels.learn(link)
        return {t: labels.table(t) for t in facets}

    def _maps(self, candidate, own, other, link):
        same = own[:, None] == other[None, :]
        if link: return assignments(candidate.weights+.5*same, self.alternatives)
        if (same & (candidate.weights > FORBIDDEN)).any(axis=1).all():
            return [tuple(same.argmax(axis=1).tolist())]
        return assignments(candidate.weights + .5*same, 1)

    def _decided(self, graph, lake, open_, likely, numbers, labels, fine):
        question = Question(numbers)
        mappings = []
        import os
        stat = [0,0]
        for candidate in open_:
            child, parent = graph.tables[candidate.child].columns, graph.tables[candidate.parent].columns
            for columns in self._maps(candidate, labels[candidate.child], labels[candidate.parent], (candidate.child,candidate.parent) in fine):
                names = [str(labels[candidate.parent][k]) for k in columns]
                mappings.append((candidate, columns,
                    question.projection(candidate.child, sorted((replace(c, name=n) for c, n in zip(child, names)), key=lambda c: c.name)),
                    question.projection(candidate.parent, sorted((replace(parent[k], name=n) for k, n in zip(columns, names)), key=lambda c: c.name))))
        answer = lake.overlaps(question.wanted, [(m[2], m[3]) for m in mappings], None)
        graph = graph.after(answer)
        best = {}
        for m, rows, missing in zip(mappings, answer.rows.tolist(), answer.missing.tolist()):
            if rows > 0 and (rows - missing) / rows >= self.min_fraction:
                key = m[0].child, m[0].parent
                if key not in best or best[key][2] > missing:
                    best[key] = (m, rows, missing)
        edges = []
        for (c, p), (m, rows, missing) in sorted(best.items()):
            child, parent = graph.tables[c], graph.tables[p]
            matched = [(a, parent.columns[k]) for a, k in zip(child.columns, m[1])]
            reason = f"{rows - missing} of {rows} distinct child rows found"
            edges.append(Edge(child.location, parent.location, (rows - missing) / rows, missing, child.rows, parent.rows, False, "renamed",
                equal_after_cast=any(a.type != b.type for a, b in matched), columns=tuple((a.name, b.name) for a, b in matched),
                evidence=(Evidence("exact", Verdict.PROVED, reason),)))
        reasons = {"columns do not match": likely - len(open_), "child rows are missing": len(open_) - len(best)}
        print('mappings',stat, len(mappings), 'projections', len(question.wanted))
        return replace(graph, edges=graph.edges + tuple(edges), reasons=reasons)
