"""Requests for recipes, and the proposals that answer them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import TypeAlias

from r2d2.model import Column, Table
from r2d2.recipes.grammar import Recipe

Columns = tuple[Column, ...]
"""In order of name, so that equal sets are equal tuples."""


@dataclass(frozen=True, slots=True)
class ContainedTable:
    """A table that another contains; `names` maps its columns to the other's.

    `contained`: both snapshots were compared, and the other has each of its distinct rows.
    `stays_with`: the class of equal tables that the other is of, where every plan keeps a member.
    `skippable`: not searched where a smaller class that stays gives the table back from rows alone.
    """

    table: Table
    names: Mapping[str, str]
    contained: bool = False
    stays_with: str | None = None
    skippable: bool = False

    @property
    def columns(self) -> Columns:
        """The table's columns."""
        return by_name(self.table.columns)

    @property
    def columns_renamed(self) -> Columns:
        """The table's columns under the other's names."""
        return by_name(
            Column(self.names[column.name], column.type, column.path)
            for column in self.table.columns
        )

    def columns_of(self, other: Table) -> Columns:
        """The other's columns under this table's names."""
        names = {theirs: ours for ours, theirs in self.names.items()}
        return by_name(
            Column(names[column.name], column.type, column.path)
            for column in other.columns
            if column.name in names
        )


@dataclass(frozen=True, slots=True)
class Request:
    """A parent, and children it contains for each of which a recipe from it is searched."""

    parent: Table
    children: tuple[ContainedTable, ...]


@dataclass(frozen=True, slots=True)
class UnionRequest:
    """A table, and tables it contains with all of its columns: it may be some of them together.

    Each part's `names` map its columns to the table's, one to one.
    """

    table: Table
    parts: tuple[ContainedTable, ...]


AnyRequest: TypeAlias = Request | UnionRequest


@dataclass(frozen=True, slots=True)
class Proposal:
    """A recipe for a child from its parents, or the reason why there is none.

    `rows` are the child's. A residual that the recipe names is not written yet: its bytes are an
    estimate, and its location is the child's.
    """

    child: str
    parents: tuple[str, ...]
    recipe: Recipe | None
    rows: int = 0
    reason: str = ""


def no_recipe(parent: Table, child: Table, reason: str, rows: int = 0) -> Proposal:
    """The proposal that says why the parent gives no recipe."""
    return Proposal(child.location, (parent.location,), None, rows, reason)


def by_name(columns: Iterable[Column]) -> Columns:
    """The columns in order of name."""
    return tuple(sorted(columns, key=attrgetter("name")))
