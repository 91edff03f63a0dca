"""Exports: a text table's columns are among those of a typed table, whose values are its text.

Reads the beginning of each text table, one after another, and finds for each of its columns the
rendering that puts values of the parent's type as its texts are. Later stages hash the parent's
values as these texts, so no pair is refuted or proved here.

A child's parents are told apart by the types of its columns alone, and by a few of its texts from
most other types, before all are looked at.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pyarrow as pa

from r2d2.graph import Block, Graph
from r2d2.lake.questions import Heads, Lake
from r2d2.model import Column, Cost, Format, Table
from r2d2.stages.found_renderings import ColumnTexts, Renderings, Types, kind_of
from r2d2.stages.schema import fold, is_degenerate, with_supersets

FEW = 256
NO_RENDERING = "no rendering gives the texts of a column"
TEXT = (Format.CSV, Format.JSON)
_Names = frozenset[tuple[str, str]]
_Parents = dict[tuple[Types, bool], list[int]]
"""Typed tables that have a text table's columns, by these and their types.

And whether the text table has columns besides, which need no parent.
"""


@dataclass(frozen=True, slots=True)
class Exports:
    """Pairs every CSV and JSON table with the typed tables it may be an export of."""

    case_sensitive: bool = False
    name = "exports"

    def __call__(self, graph: Graph, lake: Lake) -> Graph:
        """The graph with blocks of these pairs besides."""
        graph, candidates = self._candidates(graph, lake)
        heads = _Heads(lake)
        found: dict[tuple[Renderings, bool], dict[int, list[int]]]
        found = defaultdict(lambda: defaultdict(list))
        without = 0
        for child, groups in candidates.items():
            asked = list(dict.fromkeys(types for group in groups for types, _ in group))
            renderings = self._renderings(heads, graph.tables[child], child, asked)
            for (types, is_part), parents in chain.from_iterable(g.items() for g in groups):
                if types in renderings:
                    found[renderings[types], is_part][child] += parents
                elif child not in heads.failed:
                    without += len(parents)
        number = 1 + max((block.number for block in graph.blocks), default=-1)
        blocks = tuple(
            _block(number + more, *key, found[key]) for more, key in enumerate(sorted(found))
        )
        reasons = {NO_RENDERING: without}
        after = graph.after(Heads({}, heads.failed, {}, graph.cost.plus(heads.cost)))
        return replace(after, blocks=graph.blocks + blocks, reasons=reasons)

    def not_rendered(self, graph: Graph, lake: Lake, child: int) -> tuple[str, str, str] | None:
        """A column of the child without a rendering, its parent's type, and one of its texts."""
        graph, candidates = self._candidates(graph, lake)
        head = _Heads(lake).of(child)
        asked = [types for group in candidates.get(child, ()) for types, _ in group]
        if head is None or not asked:
            return None
        return self._texts(graph.tables[child], head).not_rendered(asked[0])

    def _candidates(self, graph: Graph, lake: Lake) -> tuple[Graph, dict[int, list[_Parents]]]:
        """Each text table's parents, of whose columns one at least is no text or has NULLs.

        Which columns of text have NULLs is asked of the lake.
        """
        tables = graph.tables
        groups = list(self._groups(graph))
        asked: dict[int, dict[Column, None]] = defaultdict(dict)
        for _, names, parents, _ in groups:
            for parent in parents:
                columns = self._columns(tables[parent], names)
                asked[parent] |= {c: None for c in columns if c.type == "string"}
        answer = lake.bounds({parent: tuple(texts) for parent, texts in asked.items() if texts})
        candidates: dict[int, list[_Parents]] = defaultdict(list)
        for children, names, parents, is_part in groups:
            by_types: _Parents = defaultdict(list)
            for parent in parents:
                bounds = {**tables[parent].bounds, **answer.found.get(parent, {})}
                known = {name: bound.has_nulls for name, bound in bounds.items()}
                types = tuple(
                    (name, c.type, known.get(c.name) if c.type == "string" else None)
                    for name, c in zip(names, self._columns(tables[parent], names), strict=True)
                )
                if any(type_ != "string" or has_nulls for _, type_, has_nulls in types):
                    by_types[types, is_part].append(parent)
            for child in children if by_types else ():
                candidates[child].append(by_types)
        return graph.after(answer), candidates

    def _groups(self, graph: Graph) -> Iterator[tuple[list[int], list[str], list[int], bool]]:
        """Text tables of the same columns, those of them that typed tables have, and these.

        With columns that need no parent, the parents are those that lack some of these; that is
        told last.
        """
        typed: dict[_Names, list[int]] = defaultdict(list)
        texts: dict[tuple[_Names, frozenset[str]], list[int]] = defaultdict(list)
        for index, table in enumerate(graph.tables):
            if table.eligible and not is_degenerate(table):
                names = frozenset((fold(c.name, self.case_sensitive), "") for c in table.columns)
                if table.format not in TEXT:
                    typed[names].append(index)
                    continue
                for free in {frozenset[str](), frozenset(graph.free.get(index, ()))}:
                    texts[names, free].append(index)
        needed = {key: frozenset(c for c in key[0] if c[0] not in key[1]) for key in texts}
        larger = dict(with_supersets(list({*typed, *needed.values()})))
        for (names, free), children in texts.items():
            by_part: dict[_Names, list[int]] = defaultdict(list)
            for other in filter(typed.__contains__, larger[needed[names, free]]):
                part = names & other
                if part and (part < names or not free):
                    by_part[part] += typed[other]
            for part, parents in by_part.items():
                own = sorted(name for name, _ in part)
                rendered = [
                    parent
                    for parent in parents
                    if all(map(_is_rendered, self._columns(graph.tables[parent], own)))
                ]
                yield children, own, rendered, part < names

    def _columns(self, table: Table, names: Sequence[str]) -> tuple[Column, ...]:
        columns = {fold(column.name, self.case_sensitive): column for column in table.columns}
        return tuple(columns[name] for name in names)

    def _renderings(
        self, heads: "_Heads", table: Table, child: int, asked: Sequence[Types]
    ) -> dict[Types, Renderings]:
        """The renderings under those of the parents' types that the child's texts may be of."""
        head = heads.of(child)
        if head is None:
            return {}
        few = self._texts(table, head, FEW)
        asked = [types for types in asked if few.may_be(types)]
        texts = self._texts(table, head)
        every = ((types, texts.renderings(types)) for types in asked)
        return {types: renderings for types, renderings in every if renderings is not None}

    def _texts(self, table: Table, head: pa.Table, most: int | None = None) -> ColumnTexts:
        columns = {fold(c.name, self.case_sensitive): head.column(c.path[0]) for c in table.columns}
        texts = {name: column[:most] for name, column in columns.items()}
        return ColumnTexts(texts, table.format)


class _Heads:
    """Reads the first rows of one table at a time, so that no more than one's are held."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self.failed: dict[int, str] = {}
        self.cost = Cost()

    def of(self, table: int) -> pa.Table | None:
        """The table's; None where it has none or cannot be read."""
        answer = self._lake.heads([table])
        self.failed |= answer.failed
        self.cost = self.cost.plus(answer.cost)
        return pa.Table.from_batches(answer.found[table]) if table in answer.found else None


def _is_rendered(column: Column) -> bool:
    return kind_of(column.type) is not None


def _block(
    number: int, renderings: Renderings, is_part: bool, pairs: Mapping[int, Sequence[int]]
) -> Block:
    children = np.array(sorted(pairs), np.int32)
    parents = np.unique(np.concatenate([np.array(some, np.int32) for some in pairs.values()]))
    mask = np.zeros((len(children), len(parents)), np.bool_)
    for row, child in enumerate(children.tolist()):
        mask[row, np.searchsorted(parents, pairs[child])] = True
    names = tuple(name for name, _ in renderings)
    block = Block(number, names, children, parents, np.packbits(mask, axis=1))
    return replace(block, is_part=is_part, renderings=renderings)
