"""Exports: a text table's columns are among those of a typed table, whose values are its text.

Reads the beginning of each text table, one after another, and finds for each of its columns the
rendering that puts values of the parent's type as its texts are. Later stages hash the parent's
values as these texts, so no pair is refuted or proved here.

A child's parents are told apart by the types of its columns alone, and by a few of its texts from
most other types, before all are looked at.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from r2d2.graph import Block, Graph
from r2d2.lake.questions import Heads, Lake
from r2d2.model import Column, Cost, Format, Table
from r2d2.stages.found_renderings import ColumnTexts, Renderings, Types, kind_of
from r2d2.stages.schema import fold, is_degenerate, with_supersets

FEW = 256
_TEXT = (Format.CSV, Format.JSON)
_Names = frozenset[tuple[str, str]]
_Candidates = tuple[Sequence[int], Mapping[Types, Sequence[int]]]
"""Text tables of the same columns, and the typed tables that have these columns, by their types."""


@dataclass(frozen=True, slots=True)
class Exports:
    """Pairs every CSV and JSON table with the typed tables it may be an export of."""

    case_sensitive: bool = False
    name = "exports"

    def __call__(self, graph: Graph, lake: Lake) -> Graph:
        """The graph with blocks of these pairs besides."""
        graph, candidates = self._candidates(graph, lake)
        heads = _Heads(lake)
        found: dict[Renderings, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        without = 0
        for children, parents in candidates:
            for child in children:
                renderings = self._renderings(heads, graph.tables[child], child, list(parents))
                for types, some in parents.items():
                    if types in renderings:
                        found[renderings[types]][child] += some
                    elif child not in heads.failed:
                        without += len(some)
        number = 1 + max((block.number for block in graph.blocks), default=-1)
        blocks = tuple(
            _block(number + more, renderings, found[renderings])
            for more, renderings in enumerate(sorted(found))
        )
        reasons = {"no rendering gives the column's text": without}
        after = graph.after(Heads({}, heads.failed, {}, graph.cost.plus(heads.cost)))
        return replace(after, blocks=graph.blocks + blocks, reasons=reasons)

    def _candidates(self, graph: Graph, lake: Lake) -> tuple[Graph, list[_Candidates]]:
        """Text tables with tables of their columns, of which one at least is no text or has NULLs.

        Which columns of text have NULLs is asked of the lake.
        """
        tables = graph.tables
        members: dict[_Names, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for index, table in enumerate(tables):
            if table.eligible and not is_degenerate(table):
                names = frozenset((fold(c.name, self.case_sensitive), "") for c in table.columns)
                members[names][table.format not in _TEXT].append(index)
        found: list[tuple[list[int], list[str], dict[int, tuple[Column, ...]]]] = []
        for names, larger in with_supersets(list(members)):
            if members[names][0]:
                own = sorted(name for name, _ in names)
                parents = (parent for other in larger for parent in members[other][1])
                columns = {parent: self._columns(tables[parent], own) for parent in parents}
                rendered = {
                    parent: some
                    for parent, some in columns.items()
                    if all(kind_of(column.type) is not None for column in some)
                }
                found.append((members[names][0], own, rendered))
        asked: dict[int, dict[Column, None]] = defaultdict(dict)
        for _, _, rendered in found:
            for parent, some in rendered.items():
                asked[parent] |= {c: None for c in some if c.type == "string"}
        answer = lake.bounds({parent: tuple(texts) for parent, texts in asked.items() if texts})
        candidates: list[_Candidates] = []
        for children, own, rendered in found:
            by_types: dict[Types, list[int]] = defaultdict(list)
            for parent, some in rendered.items():
                bounds = {**tables[parent].bounds, **answer.found.get(parent, {})}
                known = {name: bound.has_nulls for name, bound in bounds.items()}
                types = tuple(
                    (name, c.type, known.get(c.name) if c.type == "string" else None)
                    for name, c in zip(own, some, strict=True)
                )
                if any(type_ != "string" or has_nulls for _, type_, has_nulls in types):
                    by_types[types].append(parent)
            if by_types:
                candidates.append((children, by_types))
        return graph.after(answer), candidates

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
        columns = {fold(c.name, self.case_sensitive): head.column(c.path[0]) for c in table.columns}
        few = ColumnTexts({name: texts[:FEW] for name, texts in columns.items()}, table.format)
        asked = [types for types in asked if few.may_be(types)]
        texts = ColumnTexts(columns, table.format)
        every = ((types, texts.renderings(types)) for types in asked)
        return {types: renderings for types, renderings in every if renderings is not None}


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


def _block(number: int, renderings: Renderings, pairs: Mapping[int, Sequence[int]]) -> Block:
    children = np.array(sorted(pairs), np.int32)
    parents = np.unique(np.concatenate([np.array(some, np.int32) for some in pairs.values()]))
    mask = np.zeros((len(children), len(parents)), np.bool_)
    for row, child in enumerate(children.tolist()):
        mask[row, np.searchsorted(parents, pairs[child])] = True
    names = tuple(name for name, _ in renderings)
    packed = np.packbits(mask, axis=1)
    return Block(number, names, children, parents, packed, renderings=renderings)
