"""Matches of two tables, names aside: how alike each column of one is to each of the other.

A child is matched with those parents alone that may hold its most telling columns, never with all.

LSH Ensemble proposes those (Zhu et al., PVLDB 2016, datasketch). The MinHashes cost no hashing: the
hashes at hand are put into bins by one lane, and the smallest of each bin by the other is what a
permutation would give (one permutation hashing; empty bins borrow by the optimal densification of
Shrivastava, ICML 2017). A bottom-k sketch fills its bins as its whole set would.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from r2d2.arrays import Float64s, Int64s, UInt64s
from r2d2.stages.renamed.column_sketches import ALL_VALUES, ColumnContents, ColumnProfiles

PROBES = 8
CHUNK_PAIRS = 1 << 12
LEAST_HELD = 0.5
LEAST_ALIKE = 0.01
SAME_NAME = 0.5
OUT_OF_PLACE = 1e-3
WHOLE = 2
PARENTS = 16
BINS = 64
ROUNDS = 16
PARTITIONS = 4
# A proposal is checked against the sketches, so a false one is cheap, but a lost one is lost.
THRESHOLD, FALSE_POSITIVE_WEIGHT, LONGEST_BAND = 0.8, 0.05, 2
_NOTHING = np.uint64(2**64 - 1)


@dataclass(frozen=True, slots=True, eq=False)
class TableMatch:
    """Two tables, with how well each child column (row) matches each parent column.

    `held` is the share of the child column's values that the parent column holds, 0 where they
    cannot match; `alike` how alike the two are, `telling` how many bits tell a row's values apart.
    """

    child: int
    parent: int
    held: Float64s
    alike: Float64s
    telling: Float64s

    def matched(self) -> tuple[Int64s, Int64s]:
        """The best one-to-one assignment: child columns, and the parent's column of each."""
        from scipy.optimize import linear_sum_assignment

        weights = self.held * self.alike + WHOLE * (self.held == 1)
        rows, columns = linear_sum_assignment(weights, maximize=True)
        fits = self.held[rows, columns] > 0
        return rows[fits], columns[fits]

    def fit(self) -> tuple[float, float]:
        """The part of what the child tells that the parent holds, and how alike they are in all."""
        rows, columns = self.matched()
        held = self.held[rows, columns] * self.telling[rows]
        alike = held * self.alike[rows, columns]
        return round(float(held.sum() / self.telling.sum()), 2), float(alike.sum())

    def fit_at_most(self) -> tuple[float, float]:
        """The `fit` if several columns were allowed the same counterpart."""
        held = self.held.max(axis=1) * self.telling
        alike = (self.held * self.alike).max(axis=1) * self.telling
        return round(float(held.sum() / self.telling.sum()), 2), float(alike.sum())


def table_matches(
    profiles: Mapping[int, ColumnProfiles], contents: ColumnContents, keys: int
) -> Iterator[TableMatch]:
    """The pairs of which the parent may hold most of what the child's columns tell."""
    pairs = likely_pairs(profiles, contents, keys)
    for start in range(0, len(pairs), CHUNK_PAIRS):
        part = pairs[start : start + CHUNK_PAIRS]
        missing = _missing(
            [(profiles[child], profiles[parent]) for child, parent in part], contents
        )
        for (child, parent), shares in zip(part, missing, strict=True):
            held, alike = _match(profiles[child], profiles[parent], shares, contents.sizes)
            match = TableMatch(child, parent, held, alike, profiles[child].telling)
            if match.fit_at_most()[0] > LEAST_HELD:
                yield match


def likely_pairs(
    profiles: Mapping[int, ColumnProfiles], contents: ColumnContents, keys: int
) -> list[tuple[int, int]]:
    """The pairs (child, parent) of which the parent may hold half the child's columns looked for.

    Looked for are the `keys` columns of the child that tell most; for a child the `PARENTS` that
    hold most of them are taken, first those that hold least else.
    """
    chosen_of = {table: _most_telling(own, keys) for table, own in profiles.items()}
    reach = _reach(profiles, contents, {key for chosen in chosen_of.values() for key in chosen})
    bits = {table: float(own.telling.sum()) for table, own in profiles.items()}
    pairs = []
    for child, chosen in chosen_of.items():
        reached = sorted((reach[key] for key in chosen), key=len)
        # A parent in half of these sets is in one of the smaller half and one more.
        some = set().union(*reached[: len(reached) // 2 + 1])
        votes = {
            parent: sum(parent in tables for tables in reached)
            for parent in some
            if _comparable(profiles[child], profiles[parent])
        }
        best = sorted(votes, key=lambda p: (-votes[p], bits[p], p))[:PARENTS]
        pairs += [(child, parent) for parent in best if 2 * votes[parent] >= len(reached)]
    return pairs


def _comparable(child: ColumnProfiles, parent: ColumnProfiles) -> bool:
    """Whether the parent has columns enough, and not all of the child's names."""
    return len(child.types) <= len(parent.types) and parent.group not in child.larger


def _most_telling(own: ColumnProfiles, keys: int) -> list[int]:
    order = np.argsort(-own.telling, kind="stable")
    return list(dict.fromkeys(own.contents[order].tolist()))[:keys]


def _reach(
    profiles: Mapping[int, ColumnProfiles], contents: ColumnContents, keys: set[int]
) -> Mapping[int, set[int]]:
    """For each content looked for, the tables of which a column may hold it."""
    proposed = likely_holders(contents, sorted(keys))
    pairs = [(content, holder) for content, found in proposed.items() for holder in found]
    children, parents = np.array(pairs, np.int64).reshape(-1, 2).T
    shares = contents.missing_shares(children, parents, ALL_VALUES)
    may_miss = max((own.may_miss for own in profiles.values()), default=0)
    owners: dict[int, set[int]] = defaultdict(set)
    for table, own in profiles.items():
        for content in own.contents.tolist():
            owners[content].add(table)
    reach: dict[int, set[int]] = {content: set() for content in keys}
    for place in np.flatnonzero(shares * contents.sizes[children] <= may_miss).tolist():
        content, holder = pairs[place]
        reach[content] |= owners[holder]
    return reach


def _missing(
    pairs: Sequence[tuple[ColumnProfiles, ColumnProfiles]], contents: ColumnContents
) -> Iterator[Float64s]:
    """For each pair of tables: the share of each child column's values that each other lacks."""
    width = len(contents.sizes)
    codes = [
        (child.contents[:, None] * width + parent.contents[None, :]).ravel()
        for child, parent in pairs
    ]
    distinct, places = np.unique(np.concatenate(codes), return_inverse=True)
    children, parents = np.divmod(distinct, width)
    shares = contents.missing_shares(children, parents, PROBES)
    some_may_miss = any(child.may_miss for child, _ in pairs)
    open_ = np.flatnonzero((shares == 0) | some_may_miss)
    shares[open_] = contents.missing_shares(children[open_], parents[open_], ALL_VALUES)
    start = 0
    for (child, _), own in zip(pairs, codes, strict=True):
        yield shares[places[start : start + len(own)]].reshape(len(child.contents), -1)
        start += len(own)


def _match(
    child: ColumnProfiles, parent: ColumnProfiles, missing: Float64s, sizes: Float64s
) -> tuple[Float64s, Float64s]:
    """Shares held, and how alike columns are: Jaccard's index, more if named or placed alike."""
    size, size_other = sizes[child.contents][:, None], sizes[parent.contents][None, :]
    common = size * (1 - missing)
    place = np.arange(len(size))[:, None] / len(size)
    place_other = np.arange(size_other.size) / size_other.size
    alike = common / np.maximum(size + size_other - common, 1)
    alike += SAME_NAME * (child.spellings[:, None] == parent.spellings[None, :])
    alike -= OUT_OF_PLACE * np.abs(place - place_other)
    possible = size * missing <= child.may_miss
    possible &= child.types[:, None] == parent.types[None, :]
    return np.where(possible, 1 - missing, 0), np.maximum(alike, LEAST_ALIKE)


def likely_holders(
    contents: ColumnContents, children: Sequence[int]
) -> Mapping[int, tuple[int, ...]]:
    """For each child content, the contents that may hold all its values, itself among them."""
    if not children:
        return {}
    from datasketch import LeanMinHash, MinHashLSHEnsemble

    ensemble = MinHashLSHEnsemble(
        threshold=THRESHOLD,
        num_perm=BINS,
        num_part=PARTITIONS,
        m=LONGEST_BAND,
        weights=(FALSE_POSITIVE_WEIGHT, 1 - FALSE_POSITIVE_WEIGHT),
    )
    sizes = _rounded(contents.sizes)
    minhashes = [
        LeanMinHash(seed=1, hashvalues=values, scheme="affine64") for values in minima(contents)
    ]
    ensemble.index(list(zip(range(len(sizes)), minhashes, sizes, strict=True)))
    return {
        content: tuple(sorted({content, *ensemble.query(minhashes[content], sizes[content])}))
        for content in children
    }


def minima(contents: ColumnContents) -> UInt64s:
    """The MinHash of each content: its smallest hash in each bin, contents × bins."""
    count = len(contents.starts) - 1
    owners = np.repeat(np.arange(count), np.diff(contents.starts))
    cells = owners * BINS + (contents.second % np.uint64(BINS)).astype(np.int64)
    smallest = np.full((count, BINS), _NOTHING)
    np.minimum.at(smallest.reshape(-1), cells, contents.first)
    return _densified(smallest, contents.first[contents.starts[:-1]])


def _densified(minima: UInt64s, smallest: UInt64s) -> UInt64s:
    """The minima, empty bins filled from others, the same others for every content."""
    random = np.random.default_rng(0)
    dense, empty = minima.copy(), minima == _NOTHING
    for _ in range(ROUNDS):
        lenders = random.integers(0, BINS, BINS)
        lent = empty & (minima != _NOTHING)[:, lenders]
        np.copyto(dense, minima[:, lenders], where=lent)
        empty &= ~lent
    np.copyto(dense, smallest[:, None], where=empty)
    return dense


def _rounded(sizes: Float64s) -> list[int]:
    """The sizes up to half powers of two: partitioning takes the square of their number."""
    rounded: list[int] = np.ceil(2 ** (np.ceil(2 * np.log2(sizes)) / 2)).astype(np.int64).tolist()
    return rounded
