"""Pairs of tables whose columns may match under other names, and how well each column does."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from r2d2.stages.renamed_contents import Contents, Floats, Integers
from r2d2.stages.renamed_matching import FORBIDDEN, Weights, settled
from r2d2.stages.renamed_proposals import proposals

CHUNK_PAIRS = 1 << 12
SAME_NAME = 0.5
OUT_OF_PLACE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Facets:
    """A table's columns as numbers: what each holds, its type and its name among all tables'.

    `may_miss`: so many of its rows a parent may lack.
    """

    contents: Integers
    types: Integers
    names: Integers
    may_miss: float


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A pair of tables, and how well each child column matches each parent column."""

    child: int
    parent: int
    weights: Weights


def likely_pairs(facets: Mapping[int, Facets], contents: Contents, keys: int) -> Integers:
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
    pairs = {
        (child, parent)
        for child, asked in largest.items()
        for parent in set().union(*(owners[holder] for key in asked for holder in holders[key]))
        if child != parent
    }
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


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


def candidates(
    pairs: Integers, facets: Mapping[int, Facets], contents: Contents
) -> Iterator[Candidate]:
    """The pairs of which each column of the child matches some of the parent."""
    for start in range(0, len(pairs), CHUNK_PAIRS):
        part = pairs[start : start + CHUNK_PAIRS].tolist()
        missing = _missing([(facets[child], facets[parent]) for child, parent in part], contents)
        for (child, parent), lacking in zip(part, missing, strict=True):
            weights = _weights(facets[child], facets[parent], lacking, contents.sizes)
            if (weights > FORBIDDEN).any(axis=1).all():
                yield Candidate(child, parent, settled(weights))


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


def _weights(child: Facets, parent: Facets, missing: Floats, sizes: Floats) -> Weights:
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
    return np.where(possible, weights, FORBIDDEN)
