"""Evidence from two columns together, for columns that look alike when each is seen alone.

Flags all hold 0 and 1; which is which shows beside a column that tells the rows apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from r2d2.lake.protocol import Projection
from r2d2.model import Column, Table
from r2d2.stages.renamed_candidates import Candidate
from r2d2.stages.renamed_contents import Contents

FIRST_NUMBER = 1 << 28  # beyond all numbers of blocks
LOOKED_UP = 256
LEAST_HELD = 0.01


@dataclass(frozen=True, slots=True)
class Doubt:
    """Whether child column `row` is parent column `column`, beside columns that surely match."""

    candidate: Candidate
    anchor_row: int
    anchor_column: int
    row: int
    column: int


def doubts_of(candidates: Sequence[Candidate]) -> Iterator[Doubt]:
    """What is open of the candidates: rows with several counterparts."""
    for candidate in candidates:
        options = candidate.held > 0
        anchor_row, anchor_column = _anchors(candidate)
        options[anchor_row] = False
        options[:, anchor_column] = False
        for row in np.flatnonzero(options.sum(axis=1) > 1).tolist():
            for column in np.flatnonzero(options[row]).tolist():
                yield Doubt(candidate, anchor_row, anchor_column, row, column)


def _anchors(candidate: Candidate) -> tuple[int, int]:
    """The child's column that tells most, and its counterpart; one with a single one tells more."""
    counterparts = (candidate.held > 0).sum(axis=1)
    telling = np.where(counterparts > 0, candidate.telling, -1) + (counterparts == 1)
    row = int(telling.argmax())
    return row, int((candidate.held * candidate.alike)[row].argmax())


@dataclass(frozen=True, slots=True)
class Question:
    """Projections to ask a lake for sketches of; numbers tell a table's apart."""

    tables: Sequence[Table]
    wanted: dict[Projection, tuple[Column, ...]]

    def single(self, table: int, place: int) -> Projection:
        """The projection on one column, whatever its name."""
        key = table, FIRST_NUMBER + place
        if key not in self.wanted:
            self.wanted[key] = (replace(self.tables[table].columns[place], name="any"),)
        return key

    def joint(self, table: int, anchor: int, place: int) -> Projection:
        """The projection on a column beside an anchor, whatever their names."""
        columns = self.tables[table].columns
        key = table, FIRST_NUMBER + (anchor + 1) * len(columns) + place
        if key not in self.wanted:
            named = replace(columns[anchor], name="anchor"), replace(columns[place], name="other")
            self.wanted[key] = named
        return key

    def ends(self, doubt: Doubt) -> tuple[Projection, Projection]:
        """The two projections that a doubt is about."""
        return (
            self.joint(doubt.candidate.child, doubt.anchor_row, doubt.row),
            self.joint(doubt.candidate.parent, doubt.anchor_column, doubt.column),
        )


def weighed(
    candidates: Sequence[Candidate],
    doubts: Sequence[tuple[Doubt, tuple[Projection, Projection]]],
    contents: Contents,
) -> list[Candidate]:
    """The candidates with what a column holds cut by the share that is missing beside the anchor."""
    held = {candidate: candidate.held.copy() for candidate in candidates}
    numbers = contents.numbers
    known = [(doubt, ends) for doubt, ends in doubts if all(end in numbers for end in ends)]
    pairs = np.array([[numbers[end] for end in ends] for _, ends in known], np.int64).reshape(-1, 2)
    distinct, places = np.unique(pairs, axis=0, return_inverse=True)
    shares = contents.missing_shares(distinct[:, 0], distinct[:, 1], LOOKED_UP)[places.ravel()]
    for (doubt, _), share in zip(known, shares.tolist(), strict=True):
        held[doubt.candidate][doubt.row, doubt.column] *= max(LEAST_HELD, 1 - share)
    return [replace(candidate, held=own) for candidate, own in held.items()]
