"""Tables and columns by name, as sqlglot's expressions: always quoted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from r2d2.recipes.errors import UnrenderableRecipeError
from r2d2.recipes.sql import Dialect, Name

SUBSTITUTING = (Dialect.SPARK, Dialect.DATABRICKS)


def identifier(name: str, dialect: Dialect) -> exp.Identifier:
    """The name, quoted.

    Raises:
        UnrenderableRecipeError: the dialect has no way to write it.
    """
    if not name:
        raise UnrenderableRecipeError("an empty name cannot be written in SQL")
    if "\0" in name:
        raise UnrenderableRecipeError(f"name {name!r} holds NUL")
    if "${" in name and dialect in SUBSTITUTING:
        raise UnrenderableRecipeError(f"name {name!r} would be substituted by {dialect.value}")
    if "." in name and dialect is Dialect.BIGQUERY:
        raise UnrenderableRecipeError(f"bigquery would read {name!r} as several names")
    return exp.Identifier(this=name, quoted=True)


@dataclass(frozen=True, slots=True)
class Names:
    """What the recipe's tables are called, by location, in one dialect."""

    tables: Mapping[str, Name]
    dialect: Dialect

    def quoted(self, name: str) -> exp.Identifier:
        """The name, quoted."""
        return identifier(name, self.dialect)

    def column(self, table: str, name: str) -> exp.Column:
        """A column of the table of that alias."""
        return exp.Column(this=self.quoted(name), table=self.quoted(table))

    def columns(self, table: str, names: Iterable[str]) -> list[exp.Expr]:
        """The columns of these names."""
        return [self.column(table, name) for name in names]

    def stored(self, location: str, alias: str) -> exp.Table:
        """The table at the location, under an alias.

        Raises:
            UnrenderableRecipeError: it has no name.
        """
        if location not in self.tables:
            raise UnrenderableRecipeError(f"{location} has no table's name")
        table = self.named(self.tables[location])
        table.set("alias", exp.TableAlias(this=self.quoted(alias)))
        return table

    def named(self, name: Name) -> exp.Table:
        """The table of that name.

        Raises:
            UnrenderableRecipeError: the name has no part or more than three.
        """
        if not 1 <= len(name) <= 3:
            raise UnrenderableRecipeError(f"a table's name has one to three parts, not {name!r}")
        parts = zip(("this", "db", "catalog"), map(self.quoted, reversed(name)), strict=False)
        return exp.Table(**dict(parts))
