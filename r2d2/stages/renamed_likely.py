"""Which tables may hold which, by their columns that tell most: all pairs are never looked at."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from r2d2.stages.renamed.column_sketches import ALL_VALUES, Contents
from r2d2.stages.renamed.lsh import proposals
from r2d2.stages.renamed_facets import Facets

PARENTS = 16


def likely_pairs(
    facets: Mapping[int, Facets], contents: Contents, keys: int
) -> list[tuple[int, int]]:
    """The pairs (child, parent) of which the parent may hold half the child's columns asked about.

    Asked are the `keys` columns of the child that tell most; for a child the `PARENTS` that hold
    most of them are taken, first those that hold least else.
    """
    asked = {table: _most_telling(own, keys) for table, own in facets.items()}
    reach = _reach(facets, contents, {key for chosen in asked.values() for key in chosen})
    told = {table: float(own.telling.sum()) for table, own in facets.items()}
    pairs = []
    for child, chosen in asked.items():
        reached = sorted((reach[key] for key in chosen), key=len)
        # A parent in half of these sets is in one of the smaller half and one more.
        some = set().union(*reached[: len(reached) // 2 + 1])
        votes = {
            parent: sum(parent in tables for tables in reached)
            for parent in some
            if _comparable(facets[child], facets[parent])
        }
        best = sorted(votes, key=lambda p: (-votes[p], told[p], p))[:PARENTS]
        pairs += [(child, parent) for parent in best if 2 * votes[parent] >= len(reached)]
    return pairs


def _comparable(child: Facets, parent: Facets) -> bool:
    """Whether the parent has columns enough, and not all of the child's names."""
    return len(child.types) <= len(parent.types) and parent.group not in child.larger


def _most_telling(own: Facets, keys: int) -> list[int]:
    order = np.argsort(-own.telling, kind="stable")
    return list(dict.fromkeys(own.contents[order].tolist()))[:keys]


def _reach(
    facets: Mapping[int, Facets], contents: Contents, asked: set[int]
) -> Mapping[int, set[int]]:
    """For each content asked about, the tables of which a column may hold it."""
    proposed = proposals(contents, sorted(asked))
    pairs = [(content, holder) for content, found in proposed.items() for holder in found]
    children, parents = np.array(pairs, np.int64).reshape(-1, 2).T
    shares = contents.missing_shares(children, parents, ALL_VALUES)
    may_miss = max((own.may_miss for own in facets.values()), default=0)
    owners: dict[int, set[int]] = defaultdict(set)
    for table, own in facets.items():
        for content in own.contents.tolist():
            owners[content].add(table)
    reach: dict[int, set[int]] = {content: set() for content in asked}
    for place in np.flatnonzero(shares * contents.sizes[children] <= may_miss).tolist():
        content, holder = pairs[place]
        reach[content] |= owners[holder]
    return reach
