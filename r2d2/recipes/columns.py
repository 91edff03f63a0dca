"""A child's flattened columns as the top-level fields that a recipe gives back.

A struct of the child is taken whole where the parent has one with exactly these fields in this
order, and is put together from its parts otherwise; then it is NULL where the parent's struct is
from which its parts come. Whether that gives the child is for the proof to say.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby

from r2d2.model import Column
from r2d2.recipes.errors import RecipeError
from r2d2.recipes.grammar import Field, Output, Path, Struct

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
