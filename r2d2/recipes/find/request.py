"""What is asked for recipes, and what is answered.

A child's flattened columns as the top-level fields that a recipe gives back.

A struct of the child is taken whole where the parent has one with exactly these fields in this
order, and is put together from its parts otherwise; then it is NULL where the parent's struct is
from which its parts come. Whether that gives the child is for the proof to say.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TypeAlias

from r2d2.model import Column, Table
from r2d2.recipes.grammar import Field, Output, Path, Recipe, Struct
from r2d2.recipes.literals import RecipeError

Columns = tuple[Column, ...]
"""In order of name, so that equal sets are equal tuples."""


@dataclass(frozen=True, slots=True)
class ContainedTable:
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
class Request:
    """A parent and those of its children for which a recipe from it is wanted."""

    parent: Table
    children: tuple[ContainedTable, ...]


@dataclass(frozen=True, slots=True)
class UnionRequest:
    """A table and those it contains that have all of its columns: it may be some of them together.

    Each part's `names` map its columns to the table's, one to one.
    """

    table: Table
    parts: tuple[ContainedTable, ...]


AnyRequest: TypeAlias = Request | UnionRequest


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


def no_recipe(parent: Table, child: Table, reason: str, rows: int = 0) -> Proposal:
    """That there is none, and why."""
    return Proposal(child.location, (parent.location,), None, rows, reason)


def by_name(columns: Iterable[Column]) -> Columns:
    """The columns in order of name."""
    return tuple(sorted(columns, key=attrgetter("name")))


Leaves = Sequence[tuple[Path, Path]]


def outputs(
    child: Sequence[Column], parent: Sequence[Column], names: Mapping[str, str]
) -> tuple[Output, ...]:
    """The child's fields in the child's order.

    `names` maps each child column to the parent's, as an edge's `columns` do.

    Raises:
        RecipeError: a column is not mapped to one of the parent's.
    """
    paths = {column.name: column.path for column in parent}
    missing = [column.name for column in child if names.get(column.name) not in paths]
    if missing:
        raise RecipeError(f"the parent has no column for {', '.join(missing)}")
    leaves = [(column.path, paths[names[column.name]]) for column in child]
    if all(len(own) == 1 for own, _ in leaves):
        return tuple(Output(own[0], Field(other)) for own, other in leaves)
    return _fields(leaves, tuple(paths.values()))


def _fields(leaves: Leaves, known: Sequence[Path]) -> tuple[Output, ...]:
    """One output for each first name of the child's paths; leaves of one field lie side by side."""
    return tuple(
        Output(name, _source([(own[1:], other) for own, other in group], known))
        for name, group in groupby(leaves, key=lambda leaf: leaf[0][0])
    )


def _source(leaves: Leaves, known: Sequence[Path]) -> Field | Struct:
    own, other = leaves[0]
    if not own:
        return Field(other)
    origin = _origin(leaves)
    whole = [path for path in known if origin and path[: len(origin)] == origin]
    if whole == [other for _, other in leaves] == [(*origin, *own) for own, _ in leaves]:
        return Field(origin)
    return Struct(origin, _fields(leaves, known))


def _origin(leaves: Leaves) -> Path:
    """The parent's struct in which every part lies as deep as in the child's; () where none is."""
    origins = {other[: max(0, len(other) - len(own))] for own, other in leaves}
    return origins.pop() if len(origins) == 1 else ()
