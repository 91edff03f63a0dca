"""Renamed: tables whose columns have other names get labels in common, for the other stages.

Sketches of single columns tell which may be which (datasketch's LSH Ensemble proposes them), of two
columns together what single ones cannot. Labels are guesses; the exact stage decides by them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from r2d2.graph import Graph
from r2d2.kernels.typetag import type_tag
from r2d2.lake.protocol import Lake, Projection, Sketches
from r2d2.model import Column, Cost, Edge, Table, Types
from r2d2.stages.renamed_candidates import Candidate, Facets, candidates
from r2d2.stages.renamed_contents import Contents
from r2d2.stages.renamed_groups import Group, groups_of
from r2d2.stages.renamed_joint import Doubt, doubts, weighed
from r2d2.stages.renamed_labels import Labels
from r2d2.stages.schema import Schema, fold

FIRST_NUMBER = 1 << 28  # beyond all numbers of blocks


@dataclass(frozen=True, slots=True)
class Renamed:
    """Labels columns by what they hold.

    Of tables with the same names `tables` are looked at, and of each `keys` columns looked for.
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
        chosen = {t: number for number, g in enumerate(groups) for t in g.tables[: self.tables]}
        answer = lake.sketches(self._singles(graph.tables, chosen), self.size)
        graph = graph.after(answer)
        contents = Contents.of(answer.found)
        facets = self._facets(graph.tables, chosen, contents)
        larger = [frozenset(group.larger) for group in groups]
        found = candidates(facets, larger, contents, self.keys)
        links = spanning(found, facets, Labels.of(groups))
        asked = list(doubts(links, facets, contents.sizes))
        ...
