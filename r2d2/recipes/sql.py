"""A recipe as one SQL view, for people and for catalogs; r2d2 itself never runs SQL text.

Every name is quoted, every value a literal. What a dialect cannot say is refused, never bent:

- rows by hashes or positions, and a patch that takes rows away by hashes, are r2d2's own;
- Trino and Snowflake name no fields of a new struct, and Snowflake reads fields as variants;
- no dialect agrees with another on an empty name, or on NUL in a name or text;
- Spark and Databricks replace `${env:HOME}` and the like before they parse: in a value it is taken
  apart, in a name it is refused;
- BigQuery reads a dot within a quoted name as the end of a part;
- a timestamp with nanoseconds that are not whole microseconds.

A patch that takes rows away groups by all columns, which BigQuery refuses for floats and structs.
Identifiers in Snowflake keep their case, as quoted ones do.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from r2d2.recipes.grammar import Recipe

Name: TypeAlias = tuple[str, ...]


class SqlDialect(str, Enum):
    """The SQL a view is written in."""

    SPARK = "spark"
    DATABRICKS = "databricks"
    TRINO = "trino"
    BIGQUERY = "bigquery"
    SNOWFLAKE = "snowflake"
    DUCKDB = "duckdb"


def query(recipe: Recipe, names: Mapping[str, Name], dialect: SqlDialect) -> str:
    """The SELECT that gives the child.

    `names` has a table's name, of up to three parts, for each parent's and residual's location.

    Raises:
        UnrenderableRecipeError: the dialect cannot say it.
    """
    from r2d2.recipes import sql_tree  # sqlglot takes 0.15 s to import

    return sql_tree.query(recipe, names, dialect)


def view(name: Name, recipe: Recipe, names: Mapping[str, Name], dialect: SqlDialect) -> str:
    """`CREATE VIEW name AS` with the query.

    Raises:
        UnrenderableRecipeError: the dialect cannot say it.
    """
    from r2d2.recipes import sql_tree

    return sql_tree.view(name, recipe, names, dialect)
