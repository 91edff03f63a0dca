"""What is asked for recipes, and what is answered."""

from collections.abc import Mapping
from dataclasses import dataclass

from r2d2.model import Table
from r2d2.recipes.grammar import Recipe


@dataclass(frozen=True, slots=True)
class Child:
    """A table that another contains; `names` maps its columns to the other's."""

    table: Table
    names: Mapping[str, str]


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
