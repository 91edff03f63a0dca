"""Evidence from columns together, for columns that look alike when each is seen alone.

Flags all hold 0 and 1; which is which shows beside columns that tell the rows apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from r2d2.lake.protocol import Projection
from r2d2.model import Column, Table
from r2d2.stages.renamed_candidates import Candidate
from r2d2.stages.renamed_contents import Contents

FIRST_NUMBER = 1 << 28  # beyond all numbers of blocks
ANCHORS = 4
ANCHOR_BITS = 5
LOOKED_UP = 256

Anchors = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Whether child column `row` is parent column `column`, beside pairs that surely are one."""

    candidate: Candidate
    anchors: Anchors
    row: int
    column: int


def doubts_of(candidates: Sequence[Candidate]) -> Iterator[Doubt]:
    """What the candidates leave open: rows of several counterparts, or that tell little."""
    for candidate in candidates:
        anchors = _anchors(candidate)
        options = candidate.held > 0
        for row, column in anchors:
            options[row] = False
            options[:, column] = False
        little = candidate.telling < ANCHOR_BITS
        for row in np.flatnonzero((options.sum(axis=1) > 1) | little).tolist():
            for column in np.flatnonzero(options[row]).tolist():
                yield Doubt(candidate, anchors, row, column)


def _anchors(candidate: Candidate) -> Anchors:
    """The columns that tell most of those with one counterpart; where none has one, the best."""
    telling = np.where(candidate.held.any(axis=1), candidate.telling, 0)
    sure = (candidate.held > 0).sum(axis=1) == 1
    if not (sure & (telling >= ANCHOR_BITS)).any():
        sure[telling.argmax()] = True
    rows = sorted(np.flatnonzero(sure).tolist(), key=lambda row: -telling[row])
    columns = (candidate.held * candidate.alike).argmax(axis=1).tolist()
    return tuple((row, columns[row]) for row in rows[:ANCHORS])


@dataclass(frozen=True, slots=True)
class Question:
    """Projections to ask a lake for sketches of; `numbers` is for all questions of a run."""

    tables: Sequence[Table]
    numbers: dict[tuple[Column, ...], int]
    wanted: dict[Projection, tuple[Column, ...]]

    def about(self, table: int, places: Sequence[int]) -> Projection:
        """The projection on columns, named by their order in the question only."""
        columns = self.tables[table].columns
        named = tuple(replace(columns[place], name=str(i)) for i, place in enumerate(places))
        key = table, self.numbers.setdefault(named, FIRST_NUMBER + len(self.numbers))
        self.wanted[key] = named
        return key

    def ends(self, doubt: Doubt) -> tuple[Projection, Projection]:
        """The two projections that a doubt is about."""
        rows, columns = zip(*doubt.anchors, strict=True)
        return (
            self.about(doubt.candidate.child, (*rows, doubt.row)),
            self.about(doubt.candidate.parent, (*columns, doubt.column)),
        )


def weighed(
    candidates: Sequence[Candidate],
    doubts: Sequence[tuple[Doubt, tuple[Projection, Projection]]],
    contents: Contents,
    least: float,
) -> list[Candidate]:
    """The candidates with what a column holds cut by the share that is missing beside the anchor.

    Where less than `least` is left, the columns do not match.
    """
    held = {candidate: candidate.held.copy() for candidate in candidates}
    numbers = contents.numbers
    known = [(doubt, ends) for doubt, ends in doubts if all(end in numbers for end in ends)]
    pairs = np.array([[numbers[end] for end in ends] for _, ends in known], np.int64).reshape(-1, 2)
    distinct, places = np.unique(pairs, axis=0, return_inverse=True)
    shares = contents.missing_shares(distinct[:, 0], distinct[:, 1], LOOKED_UP)[places.ravel()]
    for (doubt, _), share in zip(known, shares.tolist(), strict=True):
        held[doubt.candidate][doubt.row, doubt.column] *= 1 - share if 1 - share >= least else 0
    return [replace(candidate, held=own) for candidate, own in held.items()]
