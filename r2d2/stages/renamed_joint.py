"""Evidence from two columns together, for columns that look alike when each is seen alone.

Flags all hold 0 and 1; which is which shows beside a column that tells the rows apart.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from r2d2.stages.renamed_candidates import LEAST_WEIGHT, Candidate, Facets
from r2d2.stages.renamed_contents import Floats


@dataclass(frozen=True, slots=True)
class Doubt:
    """Whether child column `row` is parent column `column`, seen beside columns that match."""

    candidate: Candidate
    anchors: tuple[int, int]
    row: int
    column: int


def doubts(
    candidates: Iterable[Candidate], facets: Mapping[int, Facets], sizes: Floats
) -> Iterator[Doubt]:
    """What is open where a child's column has several counterparts."""
    for candidate in candidates:
        options = candidate.weights > 0
        anchors = _anchors(candidate.weights, sizes[facets[candidate.child].contents])
        options[anchors[0]] = False
        options[:, anchors[1]] = False
        for row in np.flatnonzero(options.sum(axis=1) > 1).tolist():
            for column in np.flatnonzero(options[row]).tolist():
                yield Doubt(candidate, anchors, row, column)


def _anchors(weights: Floats, sizes: Floats) -> tuple[int, int]:
    """The child's column of most values, of those with one counterpart if any has; and that."""
    options = (weights > 0).sum(axis=1)
    sure = options == 1 if (options == 1).any() else options > 0
    row = int(np.where(sure, sizes, -1).argmax())
    return row, int(weights[row].argmax())


def weighed(
    candidates: Iterable[Candidate], doubts: Sequence[Doubt], missing_shares: Floats
) -> list[Candidate]:
    """The candidates with each doubtful match's weight cut by the share that is missing."""
    weights = {candidate: candidate.weights.copy() for candidate in candidates}
    for doubt, share in zip(doubts, missing_shares.tolist(), strict=True):
        weights[doubt.candidate][doubt.row, doubt.column] *= max(LEAST_WEIGHT, 1 - share)
    return [replace(candidate, weights=own) for candidate, own in weights.items()]
