"""Evidence from columns together, for columns that look alike when each is seen alone.

Flags all hold 0 and 1; which is which shows beside columns that tell the rows apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from r2d2.lake.questions import Projection
from r2d2.model import Column, Table
from r2d2.stages.renamed.column_sketches import ColumnContents
from r2d2.stages.renamed.table_matches import TableMatch

FIRST_NUMBER = 1 << 28  # beyond all numbers of blocks
MOST_ANCHORS = 4
MOST_GUESSES = 8
LITTLE_BITS = 5
ENOUGH_BITS = 12
LOOKED_UP = 256

Places = tuple[int, ...]
Numbers = dict[tuple[Column, ...], int]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A doubtful pair of columns, the last of each, beside others whose counterparts are sure."""

    match: TableMatch
    rows: Places
    columns: Places

    @property
    def cell(self) -> tuple[int, int]:
        """The row and the column in doubt: the last, after those of the anchors."""
        return self.rows[-1], self.columns[-1]


def guesses(match: TableMatch) -> list[TableMatch]:
    """The match, once for each counterpart of its most telling column where none is sure."""
    telling = np.where(match.held.any(axis=1), match.telling, 0)
    sure = (match.held > 0).sum(axis=1) == 1
    row = int(telling.argmax())
    if (sure & (telling >= LITTLE_BITS)).any() or sure[row]:
        return [match]
    weights = match.held[row] * match.alike[row]
    columns = np.argsort(-weights, kind="stable")[: np.count_nonzero(weights)]
    return [_with_only(match, row, column) for column in columns[:MOST_GUESSES].tolist()]


def _with_only(match: TableMatch, row: int, column: int) -> TableMatch:
    held = match.held.copy()
    held[row], held[row, column] = 0, held[row, column]
    return replace(match, held=held)


def doubts_of(matches: Sequence[TableMatch]) -> Iterator[Doubt]:
    """The doubts of the matches: columns of several counterparts, or that tell little."""
    for match in matches:
        rows, columns = _anchors(match)
        options = match.held > 0
        options[list(rows)] = False
        options[:, list(columns)] = False
        little = match.telling < LITTLE_BITS
        for row in np.flatnonzero((options.sum(axis=1) > 1) | little).tolist():
            for column in np.flatnonzero(options[row]).tolist():
                yield Doubt(match, (*rows, row), (*columns, column))


def _anchors(match: TableMatch) -> tuple[Places, Places]:
    """Columns of one counterpart that together tell rows apart, and their counterparts."""
    sure = np.flatnonzero((match.held > 0).sum(axis=1) == 1).tolist()
    sure.sort(key=lambda row: -match.telling[row])
    enough = int(np.searchsorted(np.cumsum(match.telling[sure]), ENOUGH_BITS)) + 1
    rows = sure[: min(enough, MOST_ANCHORS)]
    columns = match.held.argmax(axis=1)
    return tuple(rows), tuple(columns[rows].tolist())


@dataclass(frozen=True, slots=True)
class SketchRequest:
    """Projections to ask a lake for sketches of; `numbers` is for all questions of a run."""

    tables: Sequence[Table]
    numbers: Numbers
    wanted: dict[Projection, tuple[Column, ...]] = field(default_factory=dict)
    known: dict[tuple[int, Places], Projection] = field(default_factory=dict)

    def about(self, table: int, places: Places) -> Projection:
        """The projection on columns, named by their order here and not by their names."""
        key = self.known.get((table, places))
        if key is None:
            columns = self.tables[table].columns
            names = [*map(str, range(len(places) - 1)), "last"]
            named = tuple(
                replace(columns[place], name=name)
                for place, name in zip(places, names, strict=True)
            )
            key = table, self.numbers.setdefault(named, FIRST_NUMBER + len(self.numbers))
            self.known[table, places] = key
            self.wanted[key] = named
        return key

    def ends(self, doubt: Doubt) -> tuple[Projection, Projection]:
        """The two projections that a doubt is about."""
        return (
            self.about(doubt.match.child, doubt.rows),
            self.about(doubt.match.parent, doubt.columns),
        )


def best_guesses(
    matches: Sequence[TableMatch],
    doubts: Sequence[tuple[Doubt, tuple[Projection, Projection]]],
    contents: ColumnContents,
    least: float,
) -> list[TableMatch]:
    """For each pair the best guess, with what a column holds cut by what it lacks beside anchors.

    Where a share of less than `least` is left, the columns do not match.
    """
    held = {match: match.held.copy() for match in matches}
    numbers = contents.numbers
    known = [(doubt, ends) for doubt, ends in doubts if all(end in numbers for end in ends)]
    width = len(contents.sizes)
    codes = [numbers[child] * width + numbers[parent] for _, (child, parent) in known]
    distinct, places = np.unique(np.array(codes, np.int64), return_inverse=True)
    shares = contents.missing_shares(*np.divmod(distinct, max(width, 1)), LOOKED_UP)[places]
    for (doubt, _), share in zip(known, shares.tolist(), strict=True):
        held[doubt.match][doubt.cell] *= 1 - share if 1 - share >= least else 0
    best: dict[tuple[int, int], TableMatch] = {}
    for match, own in held.items():
        found = replace(match, held=own)
        pair = match.child, match.parent
        if pair not in best or best[pair].fit() < found.fit():
            best[pair] = found
    return list(best.values())
