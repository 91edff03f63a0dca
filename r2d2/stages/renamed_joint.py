"""Evidence from two columns together, for columns that look alike when each is seen alone.

Flags all hold 0 and 1; which is which shows beside a column that tells the rows apart.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from r2d2.lake.protocol import Projection
from r2d2.model import Column, Table
from r2d2.stages.renamed_candidates import Candidate, Facets
from r2d2.stages.renamed_contents import Contents, Floats
from r2d2.stages.renamed_matching import FORBIDDEN, Weights, settled
from r2d2.stages.renamed_question import Question


@dataclass(frozen=True, slots=True)
class Doubt:
    """Whether a child's column is a parent's, given the pair's anchor: two projections decide."""

    candidate: Candidate
    row: int
    column: int
    child: Projection
    parent: Projection


def doubts(
    candidates: Iterable[Candidate],
    tables: Sequence[Table],
    facets: Mapping[int, Facets],
    sizes: Floats,
    question: Question,
) -> list[Doubt]:
    """What is open where a child's column has several counterparts, asked of the question."""
    found = []
    for candidate in candidates:
        options = candidate.weights > FORBIDDEN
        anchor = _anchor(candidate.weights, sizes[facets[candidate.child].contents])
        child, parent = tables[candidate.child].columns, tables[candidate.parent].columns
        for row in np.flatnonzero(options.sum(axis=1) > 1).tolist():
            if row != anchor[0]:
                own = question.projection(candidate.child, _both(child, anchor[0], row))
                found += [
                    Doubt(
                        candidate,
                        row,
                        column,
                        own,
                        question.projection(candidate.parent, _both(parent, anchor[1], column)),
                    )
                    for column in np.flatnonzero(options[row]).tolist()
                    if column != anchor[1]
                ]
    return found


def _anchor(weights: Weights, sizes: Floats) -> tuple[int, int]:
    """The child's column of most values, of those with one counterpart if any has; and that."""
    sure = (weights > FORBIDDEN).sum(axis=1) == 1
    row = int(np.where(sure | ~sure.any(), sizes, -1).argmax())
    return row, int(weights[row].argmax())


def _both(columns: Sequence[Column], anchor: int, other: int) -> tuple[Column, Column]:
    return replace(columns[anchor], name="anchor"), replace(columns[other], name="other")


def resolved(
    candidates: Iterable[Candidate],
    doubts: Sequence[Doubt],
    contents: Contents,
    facets: Mapping[int, Facets],
) -> list[Candidate]:
    """The candidates without the counterparts that two columns together refute."""
    known = [doubt for doubt in doubts if {doubt.child, doubt.parent} <= contents.numbers.keys()]
    children = np.array([contents.numbers[doubt.child] for doubt in known], np.int64)
    parents = np.array([contents.numbers[doubt.parent] for doubt in known], np.int64)
    may_miss = np.array([facets[doubt.candidate.child].may_miss for doubt in known])
    missing = contents.missing(children, parents, not may_miss.any())
    refuted: dict[Candidate, list[tuple[int, int]]] = defaultdict(list)
    for place in np.flatnonzero(missing > may_miss).tolist():
        refuted[known[place].candidate].append((known[place].row, known[place].column))
    left = (_without(candidate, refuted[candidate]) for candidate in candidates)
    return [candidate for candidate in left if candidate is not None]


def _without(candidate: Candidate, refuted: Sequence[tuple[int, int]]) -> Candidate | None:
    """What is left of the candidate; all of it where an anchor that was a guess fits nothing."""
    if not refuted:
        return candidate
    weights = candidate.weights.copy()
    weights[tuple(zip(*refuted, strict=True))] = FORBIDDEN
    weights = settled(weights)
    if (weights > FORBIDDEN).any(axis=1).all():
        return replace(candidate, weights=weights)
    sure = ((candidate.weights > FORBIDDEN).sum(axis=1) == 1).any()
    return None if sure else candidate
