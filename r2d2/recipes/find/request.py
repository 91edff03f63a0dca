"""What is asked for recipes, and what is answered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import TypeAlias

from r2d2.model import Column, Table
from r2d2.recipes.grammar import Recipe

Columns = tuple[Column, ...]
"""In order of name, so that equal sets are equal tuples."""


@dataclass(frozen=True, slots=True)
class Child:
    """A table that another contains; `names` maps its columns to the other's.

    `contained`: that the other has each of its rows, if not as often, is proved for both snapshots.
    `top`: the class of equal tables that the other is of, where one of these stays in any plan.
    `spare`: it need not be asked where another such class, which is smaller, gives the table back
    from its rows alone.
    """

    table: Table
    names: Mapping[str, str]
    contained: bool = False
    top: str | None = None
    spare: bool = False

    @property
    def columns(self) -> Columns:
        """Its own columns."""
        return by_name(self.table.columns)

    @property
    def columns_there(self) -> Columns:
        """Its own columns under the other's names."""
        return by_name(
            Column(self.names[column.name], column.type, column.path)
            for column in self.table.columns
        )

    def columns_of(self, other: Table) -> Columns:
        """The other's columns under this one's names."""
        names = {there: own for own, there in self.names.items()}
        return by_name(
            Column(names[column.name], column.type, column.path)
            for column in other.columns
            if column.name in names
        )


@dataclass(frozen=True, slots=True)
class Family:
    """A parent and those of its children for which a recipe from it is wanted."""

    parent: Table
    children: tuple[Child, ...]


@dataclass(frozen=True, slots=True)
class UnionFamily:
    """A table and those it contains that have all of its columns: it may be some of them together.

    Each part's `names` map its columns to the table's, one to one.
    """

    table: Table
    parts: tuple[Child, ...]


AnyFamily: TypeAlias = Family | UnionFamily


@dataclass(frozen=True, slots=True)
class Proposal:
    """A recipe for a child from its parents, or why there is none.

    `rows` are the child's. A residual named by the recipe is not written yet: its bytes are an
    estimate, and its location is the child's.
    """

    child: str
    parents: tuple[str, ...]
    recipe: Recipe | None
    rows: int = 0
    reason: str = ""


def without_recipe(parent: Table, child: Table, reason: str, rows: int = 0) -> Proposal:
    """That there is none, and why."""
    return Proposal(child.location, (parent.location,), None, rows, reason)


def by_name(columns: Iterable[Column]) -> Columns:
    """The columns in order of name."""
    return tuple(sorted(columns, key=attrgetter("name")))
