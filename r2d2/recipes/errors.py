"""What can be wrong with a recipe."""

from r2d2.errors import R2D2Error


class RecipeError(R2D2Error):
    """The recipe as written is none; the message names the place in its JSON."""


class UnrenderableRecipeError(R2D2Error):
    """The recipe is sound, but the SQL dialect cannot say it; the engines still run it."""
