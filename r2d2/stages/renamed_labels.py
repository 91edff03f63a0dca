"""Labels: names that columns have in common, learnt from the surest matches.

A mapping that is found once need not be found again for each copy, part or extension of a table.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from r2d2.stages.renamed_candidates import Candidate, Facets
from r2d2.stages.renamed_contents import Integers
from r2d2.stages.renamed_matching import assignments

TIMES = 2


@dataclass(frozen=True, slots=True)
class Labels:
    """Sets of column names that mean one column, each led by a member, with the tables of each.

    Two columns of one table never get the same label.
    """

    facets: Mapping[int, Facets]
    leaders: dict[int, int]
    holders: dict[int, set[int]]

    @classmethod
    def of(cls, facets: Mapping[int, Facets]) -> "Labels":
        """The labels while each name means its own column only."""
        holders: dict[int, set[int]] = defaultdict(set)
        for table, own in facets.items():
            for name in own.names.tolist():
                holders[name].add(table)
        return cls(facets, {name: name for name in holders}, holders)

    def table(self, table: int) -> Integers:
        """The labels of a table's columns."""
        return np.array([self._leader(name) for name in self.facets[table].names.tolist()])

    def learn(self, link: Candidate) -> bool:
        """Makes the names one that the link's best assignment matches; whether any was new."""
        new = False
        for columns in assignments(link.weights, 1):
            names = self.facets[link.child].names.tolist()
            others = self.facets[link.parent].names[list(columns)].tolist()
            for name, other in zip(names, others, strict=True):
                new |= self._unite(self._leader(name), self._leader(other))
        return new

    def _leader(self, name: int) -> int:
        while self.leaders[name] != name:
            name = self.leaders[name]
        return name

    def _unite(self, name: int, other: int) -> bool:
        if name == other or not self.holders[name].isdisjoint(self.holders[other]):
            return False
        if len(self.holders[name]) > len(self.holders[other]):
            name, other = other, name
        self.leaders[name] = other
        self.holders[other] |= self.holders.pop(name)
        return True


def spanning(
    candidates: Sequence[Candidate], facets: Mapping[int, Facets], trust: Mapping[int, int]
) -> list[Candidate]:
    """The best candidates that together tell all others' mappings, if their own are right.

    They do so `TIMES` over, as some may not be right; tables of which more is known come first.
    """
    ranked = sorted(
        candidates,
        key=lambda candidate: (
            -round(_fit(candidate), 2),
            -trust[candidate.child] - trust[candidate.parent],
        ),
    )
    chosen: list[Candidate] = []
    for _ in range(TIMES):
        labels = Labels.of(facets)
        taken = [candidate for candidate in ranked if labels.learn(candidate)]
        chosen += taken
        gone = set(taken)
        ranked = [candidate for candidate in ranked if candidate not in gone]
    return chosen


def _fit(candidate: Candidate) -> float:
    """How much of the parent the child is like."""
    return float(candidate.weights.max(axis=1).sum() / candidate.weights.shape[1])
