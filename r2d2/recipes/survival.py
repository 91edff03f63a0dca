"""Which changes of its parents a recipe survives, so that deletion can hold the parents.

Decided from the recipe alone, for one change of one parent; doubt goes to the lower word.

| recipe | rows appended | rows deleted | same rows rewritten |
|---|---|---|---|
| project | never: an appended row is in the result | never | always |
| distinct | perhaps: it may be there already | perhaps: another row may give it | always |
| select | perhaps: it may not satisfy the atoms | perhaps | always |
| rows by keys | perhaps: no format keeps a key unique | perhaps | always |
| rows by hashes | always: as many copies as were kept, and equal ones | perhaps | always |
| rows by positions | never: positions count one snapshot's rows | never | never |
| union | the worst word of its parts that read the parent | | |
| patch | its recipe's word | | |

A row changed in place is a row deleted and one appended. "Rewritten" are files, order and row
groups (compaction, clustering) while the rows stay as a multiset.
"""

from enum import Enum, IntEnum

from r2d2.recipes.grammar import Distinct, Leaf, Project, Recipe, ResidualKind, Rows, Select, leaves


class ParentChange(str, Enum):
    """What may happen to a parent."""

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

    A table the recipe does not read may change as it likes.
    """
    words = [_word(leaf, change) for leaf in leaves(recipe) if leaf.parent == parent]
    return min(words, default=Survival.ALWAYS)


def _word(leaf: Leaf, change: ParentChange) -> Survival:
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
