"""A recipe's parents, its files, and the changes that it survives."""

import pytest

from r2d2.recipes.grammar import (
    Distinct,
    Field,
    IsNull,
    Output,
    ParentChange,
    Patch,
    Project,
    Recipe,
    Residual,
    ResidualKind,
    Rows,
    Select,
    Survival,
    Union,
    parents,
    residuals,
    survives,
)

COLUMNS = (Output("x", Field(("x",))),)
NEVER, PERHAPS, ALWAYS = Survival
PROJECT = Project("p", COLUMNS)
DISTINCT = Distinct("p", COLUMNS)
SELECT = Select("p", COLUMNS, (IsNull(("x",)),))
BY_KEYS = Rows("p", COLUMNS, Residual(ResidualKind.KEYS, "k", 1, 9), key=(("x",),))
BY_HASHES = Rows("p", COLUMNS, Residual(ResidualKind.HASHES, "h", 1, 9))
BY_POSITIONS = Rows("p", COLUMNS, Residual(ResidualKind.POSITIONS, "n", 1, 9), snapshot="7")
ADDED = Residual(ResidualKind.ROWS, "a", 1, 9)
OTHER = Project("q", COLUMNS)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (PROJECT, (NEVER, NEVER, ALWAYS)),
        (DISTINCT, (PERHAPS, PERHAPS, ALWAYS)),
        (SELECT, (PERHAPS, PERHAPS, ALWAYS)),
        (BY_KEYS, (PERHAPS, PERHAPS, ALWAYS)),
        (BY_HASHES, (ALWAYS, PERHAPS, ALWAYS)),
        (BY_POSITIONS, (NEVER, NEVER, NEVER)),
        (Union((SELECT, OTHER)), (PERHAPS, PERHAPS, ALWAYS)),
        (Union((BY_HASHES, SELECT)), (PERHAPS, PERHAPS, ALWAYS)),
        (Patch(BY_HASHES, ADDED), (ALWAYS, PERHAPS, ALWAYS)),
        (Patch(Union((PROJECT, OTHER)), ADDED), (NEVER, NEVER, ALWAYS)),
        (OTHER, (ALWAYS, ALWAYS, ALWAYS)),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, tuple) else "",
)
def test_a_recipe_survives_some_changes_of_a_parent(
    recipe: Recipe, words: tuple[Survival, ...]
) -> None:
    assert tuple(survives(recipe, "p", change) for change in ParentChange) == words


def test_a_recipe_names_all_its_parents_and_files() -> None:
    taken = Residual(ResidualKind.HASHES, "t", 1, 9)
    recipe = Patch(Union((OTHER, BY_KEYS, SELECT)), ADDED, taken)
    assert parents(recipe) == ("p", "q")
    assert residuals(recipe) == (ADDED, BY_KEYS.residual, taken)
    assert residuals(PROJECT) == ()
