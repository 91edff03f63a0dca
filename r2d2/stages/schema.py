"""Schema: a child's columns are among its parent's. Reads nothing, but for constants.

A column of type null has no values, so it matches a column of any type: its NULLs may be there.

A child's column needs no parent where it holds one value or an index, if that is asked for, or
where the owner ignores it. Such a child is paired twice with each parent of its other columns:
without those of these columns that the parent lacks, and without all of them, as the parent may
have one with other values. At least one column is compared. Bounds refute that a column is
constant, and only rows prove it.

`projections` are the columns that later stages hash: those of each child, in it and its parents.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from r2d2.arrays import Int32s
from r2d2.formats.schema import exact_name, matched_name
from r2d2.formats.united import typed_nulls
from r2d2.graph import Block, Graph
from r2d2.hashing.renderings import as_texts
from r2d2.hashing.rows import type_tag
from r2d2.lake.questions import Lake, Projection
from r2d2.model import Column, Edge, Table, Types, UnmatchedColumn, Why
from r2d2.recipes.constants import candidates
from r2d2.settings import is_named

Signature = frozenset[tuple[str, str]]
_Pairs = tuple[Sequence[int], Sequence[int]]
_NULL = re.compile(r"(?<![^<,:])null(?![^,>])")
FEW = 8  # of so many signatures each is compared by itself


@dataclass(frozen=True, slots=True)
class Schema:
    """Pairs every table with all tables that have its columns, by name and type."""

    types: Types = Types.STRICT
    case_sensitive: bool = False
    constant_columns: bool = False
    ignore_columns: tuple[str, ...] = ()
    name = "schema"

    def __call__(self, graph: Graph, lake: Lake) -> Graph:
        """The graph with a block for each set of columns that some other table has, too."""
        if self.constant_columns or self.ignore_columns:
            graph = self._with_free_columns(graph, lake)
        members = self._members(graph.tables)
        supersets = dict(with_supersets(list(members)))
        if graph.named and any(map(is_degenerate, graph.named)):
            # Of a table without rows no column says what it is: its edges are by own names.
            own = self._members(graph.named)
            by_name = graph.named, own, dict(with_supersets(list(own)))
        else:
            by_name = graph.tables, members, supersets
        degenerate = tuple(self._degenerate(*by_name))
        untyped = _untyped(members)
        hashed_as_one = (
            (signature, types, larger)
            for signature, parents in supersets.items()
            for types, larger in _by_types(signature, parents, untyped)
        )
        blocks = tuple(
            block
            for number, (signature, types, larger) in enumerate(hashed_as_one)
            if (block := _block(number, graph.tables, signature, members, larger, types))
            is not None
        )
        number = sum(len(larger) for larger in supersets.values())
        blocks += tuple(self._by_spelling(graph.tables, members, number))
        number = 1 + max((block.number for block in blocks), default=number)
        blocks += tuple(self._by_part(graph, members, number)) if graph.free else ()
        return replace(graph, blocks=blocks, degenerate=degenerate)

    def _by_spelling(
        self, tables: Sequence[Table], members: Mapping[Signature, Sequence[int]], number: int
    ) -> Iterator[Block]:
        """Blocks of tables below those with spellings that differ by case.

        Such a column is matched by exactly its own spelling, whatever the child's table says of
        case. Rare: no other table costs more than a look at its names.
        """
        columns = frozenset[tuple[str, str]]().union(*members)
        spelled = {column for column in columns if column[0].endswith("=")}
        exact = {s: dict(s) for s in members if s & spelled} if spelled else {}
        found: dict[Signature, tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
        for larger, types in () if self.case_sensitive else exact.items():
            folded = {_without_case(name) for name in types}
            for signature, children in members.items():
                own = {name for name, _ in signature}
                if own <= types.keys() or not all(_without_case(n) in folded for n in own):
                    continue
                for child in children:
                    names = resolved(tables[child].columns, types, self.case_sensitive)
                    tags = (type_tag(c.type, self.types) for c in tables[child].columns)
                    wanted = frozenset(zip(names, tags, strict=True))
                    if wanted <= larger:
                        pair = found[wanted]
                        pair[0].add(child)
                        pair[1].update(members[larger])
        for wanted, (below, above) in found.items():
            parts = _proper(tables, list(below)), _proper(tables, list(above))
            if all(map(len, parts)):
                names = tuple(sorted(name for name, _ in wanted))
                mask = np.packbits(np.ones(tuple(map(len, parts)), np.bool_), axis=1)
                number += 1
                yield Block(number, names, *parts, mask)

    def _with_free_columns(self, graph: Graph, lake: Lake) -> Graph:
        """The graph with the columns of each table that need no parent, constants before others."""
        free: dict[int, dict[str, UnmatchedColumn]] = {}
        if self.constant_columns:
            graph = _bounded(graph, lake)
            proper = ((i, t) for i, t in enumerate(graph.tables) if not is_degenerate(t))
            asked = {i: candidates(t) for i, t in proper if t.eligible}
            answer = lake.constants({i: columns for i, columns in asked.items() if columns})
            graph = graph.after(answer)
            for index, found in answer.found.items():
                free[index] = {fold(n, self.case_sensitive): c for n, c in found.items()}
        for index, table in enumerate(graph.tables) if self.ignore_columns else ():
            for column in table.columns:
                name = fold(column.name, self.case_sensitive)
                if any(is_named(name, fold(p, self.case_sensitive)) for p in self.ignore_columns):
                    ignored = UnmatchedColumn(column.name, Why.IGNORED)
                    free.setdefault(index, {}).setdefault(name, ignored)
        return replace(graph, free={index: found for index, found in free.items() if found})

    def _by_part(
        self, graph: Graph, members: Mapping[Signature, Sequence[int]], number: int
    ) -> Iterator[Block]:
        """Blocks of children by a part of their columns: the others need no parent."""
        groups: dict[tuple[Signature, Signature], list[int]] = defaultdict(list)
        for signature, indices in members.items():
            for index in indices:
                own = graph.free.get(index, {})
                every = frozenset(column for column in signature if column[0] in own)
                constant = (c for c in every if own[c[0]].is_given)
                for free in {every, frozenset(constant)}:
                    # What is compared by no column would be contained in anything.
                    if free and signature > free:
                        groups[signature, free].append(index)
        least = {signature - free for signature, free in groups}
        larger = dict(with_supersets(list({*members, *least})))
        pairs: dict[tuple[Signature, Signature], list[_Pairs]] = defaultdict(list)
        untyped = _untyped(larger)
        for (signature, free), children in groups.items():
            for other in filter(members.__contains__, larger[signature - free]):
                for part in {signature - (free - other), signature - free} - {signature}:
                    for types, _ in _by_types(part, [other], untyped):
                        pairs[part, types].append((children, members[other]))
        for (part, types), some in sorted(pairs.items(), key=lambda each: sorted(each[0][0])):
            names = tuple(sorted(name for name, _ in part))
            block = _block_of(graph.tables, some)
            if len(block.children):
                number += 1
                yield replace(block, number=number, names=names, types=tuple(sorted(types)))

    def signature(self, table: Table) -> Signature:
        """The names and type tags of the table's columns; a parent's include them."""
        return frozenset(
            (fold(column.name, self.case_sensitive), type_tag(column.type, self.types))
            for column in table.columns
        )

    def _members(self, tables: Sequence[Table]) -> dict[Signature, list[int]]:
        """The eligible tables of each signature."""
        members: dict[Signature, list[int]] = defaultdict(list)
        # By identity: tables of one schema mostly share one tuple of columns.
        signatures: dict[int, Signature] = {}
        for index, table in enumerate(tables):
            if table.eligible:
                signature = signatures.get(id(table.columns))
                if signature is None:
                    signature = signatures[id(table.columns)] = self.signature(table)
                members[signature].append(index)
        return members

    def _degenerate(
        self,
        tables: Sequence[Table],
        members: Mapping[Signature, Sequence[int]],
        supersets: Mapping[Signature, Sequence[Signature]],
    ) -> Iterator[Edge]:
        for signature, indices in members.items():
            for child in indices:
                if not is_degenerate(tables[child]):
                    continue
                parents = (index for larger in supersets[signature] for index in members[larger])
                for parent in parents:
                    if parent != child and not (tables[child].rows and not tables[parent].rows):
                        yield degenerate_edge(tables[child], tables[parent])


def fold(name: str, case_sensitive: bool) -> str:
    """The name as it is matched."""
    return matched_name(name, case_sensitive)


def resolved(
    child: Sequence[Column], parent: Container[str], case_sensitive: bool
) -> tuple[str, ...]:
    """The name of each of the child's columns in the parent, by folded or by exact spelling."""
    return tuple(
        name if (name := fold(column.name, case_sensitive)) in parent else exact_name(column.name)
        for column in child
    )


def _without_case(name: str) -> str:
    return exact_name(name).lower()


def is_degenerate(table: Table) -> bool:
    """Whether the table lacks rows or columns, so that containment says nothing of it."""
    return table.rows == 0 or not table.columns


def degenerate_edge(child: Table, parent: Table) -> Edge:
    """The edge of a table without rows or columns, to be listed apart."""
    return Edge(child.location, parent.location, 1.0, 0, child.rows, parent.rows, False, "schema")


def _block(
    number: int,
    tables: Sequence[Table],
    signature: Signature,
    members: Mapping[Signature, Sequence[int]],
    larger: Sequence[Signature],
    types: Signature,
) -> Block | None:
    children = _proper(tables, members[signature])
    parents = _proper(tables, [index for other in larger for index in members[other]])
    names = tuple(sorted(name for name, _ in signature))
    if signature in larger:
        if not len(children) or len(parents) < 2:
            return None
        return Block(number, names, children, parents, types=tuple(sorted(types)))
    if not len(children) or not len(parents):
        return None
    mask = np.packbits(np.ones((len(children), len(parents)), np.bool_), axis=1)
    return Block(number, names, children, parents, mask, tuple(sorted(types)))


def _bounded(graph: Graph, lake: Lake) -> Graph:
    """The graph with the bounds that small files tell of all their columns, read once."""
    tables = list(graph.tables)
    unknown = {i: t.columns for i, t in enumerate(tables) if t.eligible and not t.bounds}
    answer = lake.bounds(unknown)
    for index, bounds in answer.found.items():
        tables[index] = replace(tables[index], bounds=bounds)
    return replace(graph, tables=tuple(tables)).after(answer)


def _block_of(tables: Sequence[Table], pairs: Sequence[_Pairs]) -> Block:
    """The block of all these children, each with its parents, but for those without rows."""
    children = _proper(tables, {index for some, _ in pairs for index in some})
    parents = _proper(tables, {index for _, some in pairs for index in some})
    mask = np.zeros((len(children), len(parents)), np.bool_)
    for below, above in pairs:
        mask |= np.isin(children, below)[:, None] & np.isin(parents, above)
    mask &= children[:, None] != parents
    return Block(0, (), children, parents, is_part=True).narrowed([mask])


def _by_types(
    signature: Signature, larger: Sequence[Signature], untyped: frozenset[str]
) -> Iterator[tuple[Signature, list[Signature]]]:
    """The parents by the types under which columns that are NULL only are hashed in both.

    A NULL is hashed under its column's type, so the child's under that of each parent.
    """
    names = untyped & {name for name, _ in signature}
    if not names:
        yield frozenset(), list(larger)
        return
    own = {name: type_ for name, type_ in signature if name in names}
    groups: dict[Signature, list[Signature]] = defaultdict(list)
    for other in larger:
        theirs = {name: type_ for name, type_ in other if name in names}
        groups[_typed(own, theirs)].append(other)
    yield from groups.items()


def _typed(own: Mapping[str, str], theirs: Mapping[str, str]) -> Signature:
    found = ((name, typed_nulls(type_, theirs[name])) for name, type_ in own.items())
    return frozenset((name, type_) for name, type_ in found if type_ is not None)


def _proper(tables: Sequence[Table], indices: Iterable[int]) -> Int32s:
    return np.array(sorted(i for i in indices if not is_degenerate(tables[i])), np.int32)


def with_supersets(signatures: Sequence[Signature]) -> Iterator[tuple[Signature, list[Signature]]]:
    """Each signature with all that include it; what is NULL only is included in any type."""
    untyped = _untyped(signatures)
    if not untyped:
        yield from _with_supersets(signatures)
        return
    alike: dict[Signature, list[Signature]] = defaultdict(list)
    for signature in signatures:
        alike[_without_types(signature, untyped)].append(signature)
    for coarse, larger in _with_supersets(list(alike)):
        for signature in alike[coarse]:
            own = {name: type_ for name, type_ in signature if name in untyped}
            others = [other for some in larger for other in alike[some]]
            yield signature, [other for other in others if _fits(own, other)]


def _untyped(signatures: Iterable[Signature]) -> frozenset[str]:
    """The names of columns that are NULL only in some table, themselves or something in them."""
    columns = frozenset[tuple[str, str]]().union(*signatures)
    return frozenset(name for name, type_ in columns if "null" in type_ and _NULL.search(type_))


def _without_types(signature: Signature, names: Collection[str]) -> Signature:
    return frozenset((name, "" if name in names else type_) for name, type_ in signature)


def _fits(own: Mapping[str, str], other: Signature) -> bool:
    """Whether the types of these columns are the other's where either is not NULL only."""
    theirs = {name: type_ for name, type_ in other if name in own}
    return all(typed_nulls(type_, theirs[name]) is not None for name, type_ in own.items())


def _with_supersets(
    signatures: Sequence[Signature],
) -> Iterator[tuple[Signature, list[Signature]]]:
    """Each signature with its supersets: probed by its rarest column, on bit sets."""
    holders: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, signature in enumerate(signatures):
        for column in signature:
            holders[column].append(index)
    places = {column: place for place, column in enumerate(holders)}
    bits = np.zeros((len(signatures), len(places) // 64 + 1), np.uint64)
    for column, indices in holders.items():
        word, bit = divmod(places[column], 64)
        bits[indices, word] |= np.uint64(1 << bit)
    every = list(range(len(signatures)))
    for index, signature in enumerate(signatures):
        rarest = min((holders[column] for column in signature), key=len, default=every)
        if len(rarest) <= FEW or not signature:
            yield signature, [signatures[i] for i in rarest if signature <= signatures[i]]
            continue
        own, words = bits[index], np.nonzero(bits[index])[0]
        found = ((bits[rarest][:, words] & own[words]) == own[words]).all(axis=1)
        yield signature, [signatures[i] for i, yes in zip(rarest, found, strict=True) if yes]


def projections(graph: Graph, case_sensitive: bool) -> Mapping[Projection, tuple[Column, ...]]:
    """Columns to hash for each (table, block number), in order of table.

    Column names are folded, so that a name in another case enters the hash alike.
    """
    # By identity: tables of one schema mostly share one tuple of columns.
    chosen: dict[tuple[int, int], tuple[Column, ...]] = {}
    wanted: dict[Projection, tuple[Column, ...]] = {}
    for block in graph.blocks:
        for index in {*block.children.tolist(), *block.parents.tolist()}:
            columns = graph.tables[index].columns
            key = (id(columns), block.number)
            if key not in chosen:
                found = _choose(columns, block.names, case_sensitive, dict(block.types))
                is_typed = block.renderings and index in block.parents
                chosen[key] = as_texts(found, dict(block.renderings)) if is_typed else found
            wanted[index, block.number] = chosen[key]
    return dict(sorted(wanted.items()))


def matched_columns(
    child: Table, parent: Table, case_sensitive: bool, types: Types
) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    """The child's columns and the parent's of the same names, as they enter the hash."""
    parent_tags = {fold(c.name, case_sensitive): type_tag(c.type, types) for c in parent.columns}
    names = resolved(child.columns, parent_tags, case_sensitive)
    tags = {n: type_tag(c.type, types) for n, c in zip(names, child.columns, strict=True)}
    typed = {name: typed_nulls(tag, parent_tags[name]) or tag for name, tag in tags.items()}
    own = _choose(child.columns, list(tags), case_sensitive, typed)
    return own, _choose(parent.columns, list(tags), case_sensitive, typed)


def _choose(
    columns: Sequence[Column],
    names: Sequence[str],
    case_sensitive: bool,
    types: Mapping[str, str],
) -> tuple[Column, ...]:
    own = {fold(column.name, case_sensitive): column for column in columns}
    if not own.keys() >= set(names):
        own |= {exact_name(column.name): column for column in columns}
    matched = [(own[name], name, types.get(name, own[name].type)) for name in names]
    return tuple(
        column
        if (column.name, column.type) == (name, type_)
        else replace(column, name=name, type=type_)
        for column, name, type_ in matched
    )
