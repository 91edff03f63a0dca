"""Evidence from two columns together, for columns that look alike when each is seen alone.

Flags all hold 0 and 1; which is which shows beside a column that tells the rows apart.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from r2d2.stages.renamed_candidates import Candidate, Facets
from r2d2.stages.renamed_contents import Floats


LEAST_HELD = 0.01


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
        options = candidate.held > 0
        row = _anchor(options, sizes[facets[candidate.child].contents])
        anchors = row, int((candidate.held * candidate.alike)[row].argmax())
        options[anchors[0]] = False
        options[:, anchors[1]] = False
        for row in np.flatnonzero(options.sum(axis=1) > 1).tolist():
            for column in np.flatnonzero(options[row]).tolist():
                yield Doubt(candidate, anchors, row, column)


def _anchor(options: npt.NDArray[np.bool_], sizes: Floats) -> int:
    """The child's column of most values; one with a single counterpart counts twice."""
    counterparts = options.sum(axis=1)
    values = sizes * ((counterparts > 0) + 1.0 * (counterparts == 1))
    return int(values.argmax())


def weighed(
    candidates: Iterable[Candidate], doubts: Sequence[Doubt], missing_shares: Floats
) -> list[Candidate]:
    """The candidates with what a column holds cut by the share missing beside the anchor."""
    held = {candidate: candidate.held.copy() for candidate in candidates}
    for doubt, share in zip(doubts, missing_shares.tolist(), strict=True):
        held[doubt.candidate][doubt.row, doubt.column] *= max(LEAST_HELD, 1 - share)
    return [replace(candidate, held=own) for candidate, own in held.items()]
