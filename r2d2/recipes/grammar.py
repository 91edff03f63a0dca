"""The grammar of recipes: a closed set of nouns, each a frozen dataclass.

A recipe refers to what a parent's reader yields: a `Path` leads to a top-level field, then into
structs. Its columns are the child's top-level fields in order, so that a nested child comes back
nested: `Field` takes a whole field of the parent (a struct with all its fields), `Cast` its numbers
in the child's type, `Constant` one value for all rows and nothing of the parent, `RowNumber` the
row's place in the result, `Struct` builds a struct where the child has only some of its fields, has
them in another order, or other things in them. A built struct is NULL where the parent's field at
`null_with` is, so that a NULL struct and a struct of NULLs stay two. `find.request.outputs` makes
these columns from flattened ones.

    Recipe ::= Leaf | Union(Leaf, Leaf, …) | Patch(Leaf | Union, plus?, minus?)
    Leaf   ::= Project | Distinct | Select | Rows            each over one parent
    Atom   ::= Equals | In | NotIn | Between | AtLeast       of a column, or of a Part of it
             | IsNull | NotNull | IsNan | Compare | AnyOf    a Select's where is a conjunction

Atoms mean what Spark, DuckDB, polars and Arrow agree on: NULL satisfies none but `IS NULL`; NaN
satisfies no `=`, `IN` or `BETWEEN` (its bounds are finite and included), but `NOT IN`; -0.0 is 0.0;
strings and binary values compare by their bytes. Multiplicities are SQL's bags: a Select keeps a
row as often as its parent has it, a Union adds up unless it is distinct.

| residual | its columns | its rows |
|---|---|---|
| KEYS | `k0`, `k1`, … of the types of the parent's key | distinct |
| HASHES | `first`; `second` where the first word is not enough; `copies` where not 1 | distinct |
| POSITIONS | `gap`: how much further the row is than the one before; or `held` | see there |
| ROWS | the child's | one for each row to be added or removed |
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TypeAlias

from r2d2.recipes.constants import Constant, RowNumber
from r2d2.recipes.literals import Literal

Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """The parent's field at `path`, whole."""

    path: Path


@dataclass(frozen=True, slots=True)
class Cast:
    """The parent's field at `path`, of numbers of type `of`, each as the equal one of type `to`.

    A row with a number that the type has not is left out.
    """

    path: Path
    of: str
    to: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """The parent's field at `path` as text, as `hashing.renderings` writes the rendering.

    A row with a value that its text does not give back is left out.
    """

    path: Path
    rendering: str


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct of named parts, NULL where the parent's field at `null_with` is; () for never."""

    null_with: Path
    parts: tuple["Output", ...]


@dataclass(frozen=True, slots=True)
class Output:
    """One field of the child and its source in the parent."""

    name: str
    source: "Source"


Source: TypeAlias = Field | Cast | Constant | RowNumber | Rendered | Struct


class TimePart(str, Enum):
    """A whole number within a date, or within a timestamp without a zone: Monday is weekday 1."""

    MONTH = "month"
    WEEKDAY = "weekday"


@dataclass(frozen=True, slots=True)
class Remainder:
    """What division of a whole number leaves: of a negative one, 0 or negative, as in SQL."""

    divisor: int


Part: TypeAlias = TimePart | Remainder


@dataclass(frozen=True, slots=True)
class Equals:
    """The parent's column at `path`, or the part of it, equals the value."""

    path: Path
    value: Literal
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class In:
    """The column is one of the values: two or more, distinct, of one type, in ascending order."""

    path: Path
    values: tuple[Literal, ...]
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class NotIn:
    """The column is not NULL and none of the values: one or more, ordered as those of In."""

    path: Path
    values: tuple[Literal, ...]
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class Between:
    """The column lies in the closed range."""

    path: Path
    low: Literal
    high: Literal
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The column, of floats, is the value, or greater, or NaN."""

    path: Path
    low: Literal


@dataclass(frozen=True, slots=True)
class IsNull:
    """The column is NULL; it may be of any type, a struct or list too."""

    path: Path


@dataclass(frozen=True, slots=True)
class NotNull:
    """The column is not NULL (NaN is not)."""

    path: Path


@dataclass(frozen=True, slots=True)
class IsNan:
    """The column, of floats, is NaN."""

    path: Path


class Comparison(str, Enum):
    """How one column compares with another."""

    EQUAL = "="
    UNEQUAL = "<>"
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="


@dataclass(frozen=True, slots=True)
class Compare:
    """The column compares so with another of the same type; neither has NaN."""

    path: Path
    comparison: Comparison
    other: Path


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One at least of two or more conjunctions holds."""

    conjunctions: tuple[tuple["Atom", ...], ...]


OnColumn: TypeAlias = Equals | In | NotIn | Between | AtLeast | IsNull | NotNull | IsNan
Atom: TypeAlias = OnColumn | Compare | AnyOf


def columns_of(atoms: Iterable[Atom]) -> Iterator[Path]:
    """The columns that the atoms look at, one after another."""
    for atom in atoms:
        match atom:
            case AnyOf(conjunctions):
                for conjunction in conjunctions:
                    yield from columns_of(conjunction)
            case Compare(path, _, other):
                yield from (path, other)
            case _:
                yield atom.path


class ResidualKind(str, Enum):
    """The columns and rows of a residual file: see the module's table."""

    KEYS = "keys"
    HASHES = "hashes"
    POSITIONS = "positions"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Residual:
    """A Parquet file that a recipe reads besides; `sha256` is None until the file is written."""

    kind: ResidualKind
    location: str
    rows: int
    size_bytes: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """All rows of the parent."""

    parent: str
    columns: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Distinct:
    """The distinct rows of the parent's projection, of those that satisfy every atom."""

    parent: str
    columns: tuple[Output, ...]
    where: tuple[Atom, ...] = ()


@dataclass(frozen=True, slots=True)
class Select:
    """The parent's rows that satisfy every atom."""

    parent: str
    columns: tuple[Output, ...]
    where: tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """The parent's rows that a residual lists.

    KEYS: all rows with a listed key; `key` are the parent's columns, NULL equals NULL.
    HASHES: of the rows with a listed hash (of the child's columns), `copies`, no matter which.
    POSITIONS: the rows at these places of `snapshot`, the parent's, with its files in order of
    their paths; `held` tells it of each row.
    `key` is () and `snapshot` "" otherwise.
    """

    parent: str
    columns: tuple[Output, ...]
    residual: Residual
    key: tuple[Path, ...] = ()
    snapshot: str = ""


Leaf: TypeAlias = Project | Distinct | Select | Rows


@dataclass(frozen=True, slots=True)
class Union:
    """The parts' rows together (UNION ALL), or each of them once where it is `distinct` (UNION).

    Each part gives the same columns in the same order. One may stand there several times.
    """

    parts: tuple[Leaf, ...]
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Patch:
    """The rows of `recipe`, without those of `minus`, and with those of `plus`.

    `minus` (HASHES or ROWS) removes as many copies as it has; `plus` (ROWS) adds rows.
    """

    recipe: Leaf | Union
    plus: Residual | None = None
    minus: Residual | None = None


Recipe: TypeAlias = Leaf | Union | Patch


def leaves(recipe: Recipe) -> tuple[Leaf, ...]:
    """The parts of the recipe that read one parent each, in order."""
    match recipe:
        case Union(parts):
            return parts
        case Patch(inner):
            return leaves(inner)
        case _:
            return (recipe,)


def parents(recipe: Recipe) -> tuple[str, ...]:
    """The locations of all tables the recipe reads, sorted."""
    return tuple(sorted({leaf.parent for leaf in leaves(recipe)}))


def numbers_rows(recipe: Recipe) -> bool:
    """Whether a column is the row's number, so that the order of the parent's rows matters."""
    columns = (column for leaf in leaves(recipe) for column in leaf.columns)
    return any(isinstance(column.source, RowNumber) for column in columns)


def residuals(recipe: Recipe) -> tuple[Residual, ...]:
    """The recipe's residuals, in order of their location."""
    files = {leaf.residual for leaf in leaves(recipe) if isinstance(leaf, Rows)}
    if isinstance(recipe, Patch):
        files |= {file for file in (recipe.plus, recipe.minus) if file}
    return tuple(sorted(files, key=lambda file: file.location))


class ParentChange(str, Enum):
    """A change of a parent's rows or files."""

    APPEND = "append"
    DELETE = "delete"
    REWRITE = "rewrite"


class Survival(IntEnum):
    """Whether a recipe still gives the child after a change of one of its parents.

    Decided from the recipe alone, for one change of one parent; in doubt the lower word is taken.
    PERHAPS: the changed rows must be looked at.

    | recipe | rows appended | rows deleted | same rows rewritten |
    |---|---|---|---|
    | project | never: an appended row is in the result | never | always |
    | distinct | perhaps: an equal row may be there | perhaps: an equal row may be left | always |
    | select | perhaps: it may not satisfy the atoms | perhaps | always |
    | rows by keys | perhaps: no format keeps a key unique | perhaps | always |
    | rows by hashes | always: as many copies as are listed, of equal rows | perhaps | always |
    | rows by positions | never: positions count one snapshot's rows | never | never |
    | union | the worst word of its parts that read the parent; a distinct one's are distinct | | |
    | patch | its recipe's word | | |

    A row changed in place is a row deleted and one appended. "Rewritten" are files, order and row
    groups (compaction, clustering) while the rows stay as a multiset.
    """

    NEVER = 0
    PERHAPS = 1
    ALWAYS = 2


def survives(recipe: Recipe, parent: str, change: ParentChange) -> Survival:
    """Whether the recipe gives the same rows after it; ALWAYS if it does not read the parent."""
    read = [leaf for leaf in leaves(recipe) if leaf.parent == parent]
    if isinstance(recipe, Union) and recipe.distinct:
        read = [Distinct(parent, leaf.columns) for leaf in read]
    return min((_leaf_survives(leaf, change) for leaf in read), default=Survival.ALWAYS)


def _leaf_survives(leaf: Leaf, change: ParentChange) -> Survival:
    match leaf:
        case Rows(residual=file) if file.kind is ResidualKind.POSITIONS:
            return Survival.NEVER
        case _ if change is ParentChange.REWRITE and numbers_rows(leaf):
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
