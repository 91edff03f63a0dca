"""Pairs of tables whose columns may match under other names, and how well each column does."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.stages.renamed_contents import Contents, Floats, Integers
from r2d2.stages.renamed_proposals import proposals

CHUNK_PAIRS = 1 << 12
LEAST_ALIKE = 0.01
LEAST_HELD = 0.5
WHOLE = 2
SAME_NAME = 0.5
OUT_OF_PLACE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Facets:
    """A table's columns: what each holds and its type, as numbers, and its name as it is matched.

    `group` is that of the tables with the same names. `may_miss`: so many of its rows a parent
    may lack.
    """

    group: int
    contents: Integers
    types: Integers
    names: npt.NDArray[np.str_]
    may_miss: float

    @property
    def nodes(self) -> list[tuple[int, str]]:
        return [(self.group, name) for name in self.names.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A pair of tables, and how well each child column matches each parent column; 0 is not.

    `held` is the share of the child column's values that the parent column holds, `alike` how
    alike they are in all, `telling` the bits that tell a child column's values apart.
    """

    child: int
    parent: int
    held: Floats
    alike: Floats
    telling: Floats

    def matched(self) -> tuple[Integers, Integers]:
        """The one-to-one assignment of most weight: child columns, and the parent's of each."""
        from scipy.optimize import linear_sum_assignment

        weights = self.held * self.alike + WHOLE * (self.held == 1)
        rows, columns = linear_sum_assignment(weights, maximize=True)
        fits = weights[rows, columns] > 0
        return rows[fits], columns[fits]

    def bound(self) -> tuple[float, float]:
        """At least what `fit` is."""
        held = self.held.max(axis=1) * self.telling
        alike = (self.held * self.alike).max(axis=1) * self.telling
        return round(float(held.sum() / self.telling.sum()), 2), float(alike.sum())

    def fit(self) -> tuple[float, float]:
        """How much of what the child tells is in the parent, and how alike they are."""
        rows, columns = self.matched()
        held = self.held[rows, columns] * self.telling[rows]
        alike = held * self.alike[rows, columns]
        return round(float(held.sum() / self.telling.sum()), 2), float(alike.sum())


def candidates(
    facets: Mapping[int, Facets], larger: Sequence[frozenset[int]], contents: Contents, keys: int
) -> list[Candidate]:
    """The pairs of tables, names aside, of which most columns of the child match the parent's.

    `larger` are the groups that have all the names of a group, so that nothing is to be found.
    """
    pairs = [
        (child, parent)
        for child, parent in likely_pairs(facets, contents, keys)
        if facets[parent].group not in larger[facets[child].group]
        and len(facets[child].contents) <= len(facets[parent].contents)
    ]
    found = []
    for start in range(0, len(pairs), CHUNK_PAIRS):
        part = pairs[start : start + CHUNK_PAIRS]
        missing = _missing([(facets[child], facets[parent]) for child, parent in part], contents)
        for (child, parent), lacking in zip(part, missing, strict=True):
            candidate = _candidate(child, parent, facets, lacking, contents.sizes)
            if candidate.telling[candidate.held.any(axis=1)].sum() > LEAST_HELD * candidate.telling.sum():
                found.append(candidate)
    return found


def likely_pairs(
    facets: Mapping[int, Facets], contents: Contents, keys: int
) -> list[tuple[int, int]]:
    """The pairs (child, parent) of which the parent may hold half the child's columns asked about.

    Asked are the `keys` columns of the child with most distinct values: they tell most.
    """
    largest = {table: _largest(own, contents, keys) for table, own in facets.items()}
    may_miss = max((own.may_miss for own in facets.values()), default=0)
    holders = _holders(contents, {key for asked in largest.values() for key in asked}, may_miss)
    owners: dict[int, set[int]] = defaultdict(set)
    for table, own in facets.items():
        for content in own.contents.tolist():
            owners[content].add(table)
    pairs = []
    for child, asked in largest.items():
        votes: Counter[int] = Counter()
        for key in asked:
            votes.update({table for holder in holders[key] for table in owners[holder]})
        del votes[child]
        pairs += [(child, parent) for parent in sorted(votes) if 2 * votes[parent] >= len(asked)]
    return pairs


def _largest(own: Facets, contents: Contents, keys: int) -> list[int]:
    distinct = np.unique(own.contents)
    order = np.argsort(-contents.sizes[distinct], kind="stable")
    chosen: list[int] = distinct[order[:keys]].tolist()
    return chosen


def _holders(contents: Contents, asked: set[int], may_miss: float) -> Mapping[int, list[int]]:
    """For each content asked about, those proposed whose sketches do not refute them."""
    proposed = proposals(contents, sorted(asked))
    pairs = [(content, holder) for content, found in proposed.items() for holder in found]
    children, parents = np.array(pairs, np.int64).reshape(-1, 2).T
    missing = contents.missing(children, parents, may_miss == 0)
    holders: dict[int, list[int]] = {content: [] for content in asked}
    for place in np.flatnonzero(missing <= may_miss).tolist():
        holders[pairs[place][0]].append(pairs[place][1])
    return holders


def _missing(pairs: Sequence[tuple[Facets, Facets]], contents: Contents) -> Iterator[Floats]:
    """For each pair of tables: about how many values of each child column each other lacks."""
    width = len(contents.sizes)
    codes = [
        (child.contents[:, None] * width + parent.contents[None, :]).ravel()
        for child, parent in pairs
    ]
    distinct, places = np.unique(np.concatenate(codes), return_inverse=True)
    exactly = all(child.may_miss == 0 for child, _ in pairs)
    missing = contents.missing(*np.divmod(distinct, width), exactly)[places]
    start = 0
    for (child, parent), own in zip(pairs, codes, strict=True):
        yield missing[start : start + len(own)].reshape(len(child.contents), -1)
        start += len(own)


def _candidate(
    child: int, parent: int, facets: Mapping[int, Facets], missing: Floats, sizes: Floats
) -> Candidate:
    own, other = facets[child], facets[parent]
    size, width = sizes[own.contents][:, None], sizes[other.contents][None, :]
    common = size - missing
    place = np.arange(len(own.contents))[:, None] / len(own.contents)
    places = np.arange(len(other.contents))[None, :] / len(other.contents)
    alike = (
        common / np.maximum(size + width - common, 1)
        + SAME_NAME * (own.names[:, None] == other.names[None, :])
        - OUT_OF_PLACE * np.abs(place - places)
    )
    possible = (missing <= own.may_miss) & (own.types[:, None] == other.types[None, :])
    return Candidate(
        child,
        parent,
        np.where(possible, common / size, 0),
        np.maximum(alike, LEAST_ALIKE),
        np.log2(1 + size[:, 0]),
    )
