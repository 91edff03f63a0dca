"""The projections that open pairs ask for: each child's own columns, of it and of its parents."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from r2d2.graph import Graph
from r2d2.lake.questions import Projection
from r2d2.model import Column, Table
from r2d2.stages.schema import fold


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
                chosen[key] = _choose(columns, block.names, case_sensitive)
            wanted[index, block.number] = chosen[key]
    return dict(sorted(wanted.items()))


def matched_columns(
    child: Table, parent: Table, case_sensitive: bool
) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    """The child's columns and the parent's of the same names, as they enter the hash."""
    names = [fold(column.name, case_sensitive) for column in child.columns]
    own = _choose(child.columns, names, case_sensitive)
    return own, _choose(parent.columns, names, case_sensitive)


def _choose(
    columns: Sequence[Column], names: Sequence[str], case_sensitive: bool
) -> tuple[Column, ...]:
    own = {fold(column.name, case_sensitive): column for column in columns}
    matched = [(own[name], name) for name in names]
    return tuple(
        column if column.name == name else replace(column, name=name) for column, name in matched
    )
