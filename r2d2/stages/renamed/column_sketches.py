"""Columns by what they hold: sketches that know no column names, and profiles of tables' columns.

Columns are numbers here, alike for all tables, so that they can be compared in bulk. Tables that
share all column names are taken to mean the same by them: they are one group.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from r2d2.arrays import Float64s, Int64s, UInt64s
from r2d2.hashing.rows import type_tag
from r2d2.hashing.runs import BottomKSketch
from r2d2.lake.questions import Projection
from r2d2.model import Table, Types
from r2d2.stages.schema import Schema, Signature, fold, is_degenerate, with_supersets

ALL_VALUES = 1 << 62
CHUNK_VALUES = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class ColumnContents:
    """The distinct contents of some projections, each numbered once however many share it.

    `first` and `second` are the contents' sketched hashes, one content after the other from
    `starts`; `ranks` places each `first` among all, `held` also tells its content (both ascend
    within a content); `limits` is the rank up to which a content's values are all known; `sizes`
    is about how many distinct values each has.
    """

    numbers: Mapping[Projection, int]
    first: UInt64s
    second: UInt64s
    starts: Int64s
    ranks: Int64s
    held: Int64s
    limits: Int64s
    sizes: Float64s

    @classmethod
    def of(cls, sketches: Mapping[Projection, BottomKSketch]) -> "ColumnContents":
        """The contents of the projections that hold any values."""
        places: dict[tuple[bool, bytes], int] = {}
        distinct: list[BottomKSketch] = []
        numbers = {}
        for key, sketch in sketches.items():
            if len(sketch.run):
                content = (sketch.complete, sketch.run.first.tobytes())
                if content not in places:
                    places[content] = len(distinct)
                    distinct.append(sketch)
                numbers[key] = places[content]
        first = _joined([sketch.run.first for sketch in distinct])
        lengths = np.array([len(sketch.run) for sketch in distinct], np.int64)
        starts = np.concatenate(([0], np.cumsum(lengths)))
        ranks = _ranks(first)
        owners = np.repeat(np.arange(len(distinct)), lengths)
        complete = np.array([sketch.complete for sketch in distinct], np.bool_)
        return cls(
            numbers,
            first,
            _joined([sketch.run.second for sketch in distinct]),
            starts,
            ranks,
            owners * (len(first) + 1) + ranks,
            np.where(complete, len(first), ranks[starts[1:] - 1]),
            np.array([_size(sketch) for sketch in distinct], np.float64),
        )

    def missing_shares(self, children: Int64s, parents: Int64s, most: int) -> Float64s:
        """About the share of each child content's values that the parent content lacks.

        At most the `most` smallest hashes of each child are looked up.
        """
        lengths = np.minimum(self.starts[children + 1] - self.starts[children], most)
        ends = np.cumsum(lengths)
        shares = np.empty(len(children))
        start = 0
        while start < len(children):
            before = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + CHUNK_VALUES, "right")))
            part = slice(start, stop)
            shares[part] = self._looked_up(children[part], parents[part], lengths[part])
            start = stop
        return shares

    def _looked_up(self, children: Int64s, parents: Int64s, lengths: Int64s) -> Float64s:
        pair = np.repeat(np.arange(len(children)), lengths)
        first = self.starts[children] - (np.cumsum(lengths) - lengths)
        ranks = self.ranks[first[pair] + np.arange(len(pair))]
        parent = parents[pair]
        sought = parent * (len(self.ranks) + 1) + ranks
        places = np.minimum(np.searchsorted(self.held, sought), len(self.held) - 1)
        judged = ranks <= self.limits[parent]
        known = np.bincount(pair, judged, len(children))
        missing = np.bincount(pair, judged & (self.held[places] != sought), len(children))
        shares: Float64s = missing / np.maximum(known, 1)
        return shares


def _joined(lanes: list[UInt64s]) -> UInt64s:
    return np.concatenate(lanes) if lanes else np.empty(0, np.uint64)


def _ranks(hashes: UInt64s) -> Int64s:
    """The place of each hash among the distinct ones."""
    order = np.argsort(hashes, kind="stable")
    in_order = hashes[order]
    ranks = np.zeros(len(hashes), np.int64)
    ranks[order[1:]] = np.cumsum(in_order[1:] != in_order[:-1])
    return ranks


def _size(sketch: BottomKSketch) -> float:
    """The number of distinct values; estimated from the greatest kept hash where more were seen."""
    if sketch.complete:
        return len(sketch.run)
    return len(sketch.run) / ((float(sketch.run.first[-1]) + 1) / 2**64)


@dataclass(frozen=True, slots=True)
class SchemaGroup:
    """All tables with the columns `names`, largest first, and the groups that have these, too.

    Names are counted through all groups; `first` is the number of this one's first. `types` are
    the columns' types in order.
    """

    tables: tuple[int, ...]
    names: tuple[str, ...]
    types: tuple[str, ...]
    first: int
    larger: frozenset[int]


def groups_of(tables: Sequence[Table], schema: Schema) -> list[SchemaGroup]:
    """The groups of all tables that may be child or parent."""
    members: dict[Signature, list[int]] = defaultdict(list)
    for index, table in enumerate(tables):
        if table.eligible and not is_degenerate(table):
            members[schema.signature(table)].append(index)
    places = {signature: place for place, signature in enumerate(members)}
    larger = dict(with_supersets(list(members)))
    groups: list[SchemaGroup] = []
    first = 0
    for signature, owners in members.items():
        owners.sort(key=lambda index: (-tables[index].size_bytes, index))
        names = tuple(fold(c.name, schema.case_sensitive) for c in tables[owners[0]].columns)
        types = tuple(sorted(tag for _, tag in signature))
        others = frozenset(places[other] for other in larger[signature])
        groups.append(SchemaGroup(tuple(owners), names, types, first, others))
        first += len(names)
    return groups


def comparable(groups: Sequence[SchemaGroup]) -> list[int]:
    """The groups whose types are all in another one's that lacks a name, and such others."""
    profiles: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        profiles[group.types].append(number)
    members = list(profiles.values())
    places = {tag: place for place, tag in enumerate(sorted({t for p in profiles for t in p}))}
    counts = np.zeros((len(profiles), len(places)), np.int64)
    for row, profile in zip(counts, profiles, strict=True):
        for tag, columns in Counter(profile).items():
            row[places[tag]] = columns
    found: set[int] = set()
    for row, own in zip(counts, members, strict=True):
        wider = [members[place] for place in np.flatnonzero((counts >= row).all(axis=1))]
        if any(other not in groups[one].larger for one in own for part in wider for other in part):
            found.update(own, *wider)
    return sorted(found)


@dataclass(frozen=True, slots=True, eq=False)
class ColumnProfiles:
    """A table's columns, in order: the content, the type and the name of each.

    `names` counts a name as its group of tables means it, `spellings` as it is spelled. `group` is
    that of all tables with these names, `larger` those with these and more. `telling` is how many
    bits tell a column's values apart. A parent may lack `may_miss` of the table's rows.
    """

    group: int
    larger: frozenset[int]
    contents: Int64s
    types: Int64s
    names: Int64s
    spellings: Int64s
    telling: Float64s
    may_miss: float


@dataclass(frozen=True, slots=True)
class ProfileBuilder:
    """Builds the profiles of tables; `codes` numbers types and spellings as they are met."""

    tables: Sequence[Table]
    groups: Sequence[SchemaGroup]
    types: Types
    case_sensitive: bool
    min_fraction: float
    codes: dict[str, int]

    def all(
        self, columns: Mapping[int, tuple[int, Sequence[Projection]]], contents: ColumnContents
    ) -> Mapping[int, ColumnProfiles]:
        """The profiles of the tables whose columns all hold something.

        `columns` is each table's group and the projections on its columns.
        """
        numbers = contents.numbers
        return {
            table: self._of(table, group, np.array([numbers[key] for key in keys]), contents.sizes)
            for table, (group, keys) in columns.items()
            if all(key in numbers for key in keys)
        }

    def _of(self, table: int, number: int, held: Int64s, sizes: Float64s) -> ColumnProfiles:
        group, columns = self.groups[number], self.tables[table].columns
        names = {name: place for place, name in enumerate(group.names, group.first)}
        spelled = [fold(column.name, self.case_sensitive) for column in columns]
        return ColumnProfiles(
            number,
            group.larger,
            held,
            self._coded([type_tag(column.type, self.types) for column in columns]),
            np.array([names[name] for name in spelled]),
            self._coded(spelled),
            np.log2(1 + sizes[held]),
            (1 - self.min_fraction) * (self.tables[table].rows or 0),
        )

    def _coded(self, words: Sequence[str]) -> Int64s:
        return np.array([self.codes.setdefault(word, len(self.codes)) for word in words])
