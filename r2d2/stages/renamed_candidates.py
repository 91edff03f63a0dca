"""Pairs of tables whose columns may match under other names, and how well each column does."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.stages.renamed_contents import Contents, Floats, Integers
from r2d2.stages.renamed_proposals import proposals

CHUNK_PAIRS = 1 << 12
LEAST_WEIGHT = 0.01
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


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A pair of tables, and how well each child column matches each parent column; 0 is not."""

    child: int
    parent: int
    weights: Floats

    def matched(self) -> tuple[Integers, Integers]:
        """The one-to-one assignment of most weight: child columns, and the parent's of each."""
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(self.weights, maximize=True)
        fits = self.weights[rows, columns] > 0
        return rows[fits], columns[fits]

    def fit(self) -> float:
        """How much of the larger table the assignment matches, and how well."""
        return float(self.weights[self.matched()].sum()) / max(self.weights.shape)


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
    ]
    found = []
    for start in range(0, len(pairs), CHUNK_PAIRS):
        part = pairs[start : start + CHUNK_PAIRS]
        missing = _missing([(facets[child], facets[parent]) for child, parent in part], contents)
        for (child, parent), lacking in zip(part, missing, strict=True):
            weights = _weights(facets[child], facets[parent], lacking, contents.sizes)
            if 2 * np.count_nonzero(weights.any(axis=1)) > len(weights):
                found.append(Candidate(child, parent, weights))
    return found


def likely_pairs(
    facets: Mapping[int, Facets], contents: Contents, keys: int
) -> list[tuple[int, int]]:
    """The pairs (child, parent) of which the parent may hold a column of the child.

    Asked are the `keys` columns of the child with most distinct values: they tell most.
    """
    largest = {table: _largest(own, contents, keys) for table, own in facets.items()}
    may_miss = max((own.may_miss for own in facets.values()), default=0)
    holders = _holders(contents, {key for asked in largest.values() for key in asked}, may_miss)
    owners: dict[int, set[int]] = defaultdict(set)
    for table, own in facets.items():
        for content in own.contents.tolist():
            owners[content].add(table)
    return [
        (child, parent)
        for child, asked in largest.items()
        for parent in sorted({p for key in asked for own in holders[key] for p in owners[own]})
        if child != parent
    ]


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


def _weights(child: Facets, parent: Facets, missing: Floats, sizes: Floats) -> Floats:
    """About the Jaccard similarity of each two columns; a name or a place in common helps."""
    size, other = sizes[child.contents][:, None], sizes[parent.contents][None, :]
    common = size - missing
    places = np.arange(len(child.contents))[:, None] / len(child.contents)
    others = np.arange(len(parent.contents))[None, :] / len(parent.contents)
    weights = (
        common / np.maximum(size + other - common, 1)
        + SAME_NAME * (child.names[:, None] == parent.names[None, :])
        - OUT_OF_PLACE * np.abs(places - others)
    )
    possible = (missing <= child.may_miss) & (child.types[:, None] == parent.types[None, :])
    return np.where(possible, np.maximum(weights, LEAST_WEIGHT), 0)
