"""Survival: whether a recipe still gives the child after a change of one of its parents.

Decided from the recipe alone, for one change of one parent; in doubt the lower word is taken.

| recipe | rows appended | rows deleted | same rows rewritten |
|---|---|---|---|
| project | never: an appended row is in the result | never | always |
| distinct | perhaps: an equal row may be there | perhaps: an equal row may be left | always |
| select | perhaps: it may not satisfy the atoms | perhaps | always |
| rows by keys | perhaps: no format keeps a key unique | perhaps | always |
| rows by hashes | always: as many copies as are listed, of equal rows | perhaps | always |
| rows by positions | never: positions count one snapshot's rows | never | never |
| union | the worst word of its parts that read the parent | | |
| patch | its recipe's word | | |

A row changed in place is a row deleted and one appended. "Rewritten" are files, order and row
groups (compaction, clustering) while the rows stay as a multiset.
"""

from enum import Enum, IntEnum

from r2d2.recipes.grammar import Distinct, Leaf, Project, Recipe, ResidualKind, Rows, Select, leaves


class ParentChange(str, Enum):
    """A change of a parent's rows or files."""

    APPEND = "append"
    DELETE = "delete"
    REWRITE = "rewrite"


class Survival(IntEnum):
    """Whether the recipe still gives the child. PERHAPS: the changed rows must be looked at."""

    NEVER = 0
    PERHAPS = 1
    ALWAYS = 2


def survives(recipe: Recipe, parent: str, change: ParentChange) -> Survival:
    """Whether the recipe gives the same rows after that change of that parent.

    ALWAYS for a table that the recipe does not read.
    """
    read = [leaf for leaf in leaves(recipe) if leaf.parent == parent]
    return min((_leaf_survives(leaf, change) for leaf in read), default=Survival.ALWAYS)


def _leaf_survives(leaf: Leaf, change: ParentChange) -> Survival:
    match leaf:
        case Rows(residual=file) if file.kind is ResidualKind.POSITIONS:
            return Survival.NEVER
        case _ if change is ParentChange.REWRITE:
            return Survival.ALWAYS
        case Project():
            return Survival.NEVER
        case Rows(residual=file) if (
            file.kind is ResidualKind.HASHES and change is ParentChange.APPEND
        ):
            return Survival.ALWAYS
        case Distinct() | Select() | Rows():
            return Survival.PERHAPS
