"""Recipes as SQL: run by DuckDB, and read back for the dialects that no test can run."""

import re
from functools import cache

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given
from sqlglot import exp

from r2d2.recipes.grammar import (
    Between,
    Cast,
    Distinct,
    Equals,
    Field,
    In,
    Output,
    Patch,
    Project,
    Recipe,
    Residual,
    ResidualKind,
    Rows,
    Select,
    Struct,
    Union,
)
from r2d2.recipes.literals import Literal, UnrenderableRecipeError
from r2d2.recipes.sql import query, view
from r2d2.recipes.sql_names import SqlDialect
from tests.support.recipes.hostile import HOSTILE
from tests.support.recipes.random_literals import literals


def is_written(literal: Literal) -> bool:
    """Whether SQL can say it."""
    nanoseconds = "[ns" in literal.type
    whole = literal.text.endswith("000") and "tz=" not in literal.type
    return "\0" not in literal.text and (whole or not nanoseconds)


NAMES = {"p": ("p",), "dotted": ("a.b",)}
COLUMNS = (Output("m", Field(("n",))), Output("number", Field(("s",))))
HASHES = Residual(ResidualKind.HASHES, "less", 2, 9)


WRITTEN = literals().filter(is_written)


def text(value: str) -> Literal:
    return Literal("string", value)


@cache
def database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@pytest.mark.slow
@given(WRITTEN)
def test_duckdb_reads_every_literal_as_its_value(literal: Literal) -> None:
    value = literal.scalar()
    where = (Equals(("x",), literal), Between(("x",), literal, literal))
    recipe = Select("p", (Output("x", Field(("x",))),), where)
    database().register("p", pa.table({"x": pa.array([value, None], value.type)}))
    assert len(database().sql(query(recipe, NAMES, SqlDialect.DUCKDB)).fetchall()) == 1


def test_duckdb_reads_nanoseconds_that_are_whole_microseconds() -> None:
    test = pa.array([-1000, None], pa.timestamp("ns"))
    literal = Literal.of(test[0])
    recipe = Select("p", COLUMNS[:1], (Between(("n",), literal, literal),))
    database().register("p", pa.table({"n": test}))
    assert len(database().sql(query(recipe, NAMES, SqlDialect.DUCKDB)).fetchall()) == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_duckdb_takes_hostile_names_and_texts_as_they_are(name: str) -> None:
    parent = pa.table({name: [name, "other", None]})
    recipe = Select("p", (Output(name + "!", Field((name,))),), (Equals((name,), text(name)),))
    names = {"p": (name,)}
    with duckdb.connect() as connection:
        connection.register("source", parent)
        quoted = '"' + name.replace('"', '""') + '"'
        connection.execute(f"CREATE TABLE {quoted} AS SELECT * FROM source")
        connection.execute(view((name + "?",), recipe, names, SqlDialect.DUCKDB))
        quoted_view = '"' + name.replace('"', '""') + '?"'
        result = connection.sql(f"SELECT * FROM {quoted_view}").to_arrow_table()
    assert result.to_pydict() == {name + "!": [name]}


@pytest.mark.parametrize("dialect", SqlDialect)
@pytest.mark.parametrize("name", HOSTILE)
def test_every_dialect_reads_hostile_names_and_texts_back(name: str, dialect: SqlDialect) -> None:
    refused = "." if dialect is SqlDialect.BIGQUERY else "${"
    column = name.replace(refused, "") or "x"
    same, one_of = Equals((column,), text(name)), In((column,), (text(name), text("z")))
    recipe = Select("p", (Output(column + "!", Field((column,))),), (same, one_of))
    plain = view((column + "v",), recipe, {"p": (column, column + "t")}, dialect)
    tree = sqlglot.parse_one(plain, dialect=dialect.value)
    identifiers = {node.this for node in tree.find_all(exp.Identifier)}
    assert identifiers == {"p", column, column + "!", column + "t", column + "v"}
    read = ["".join(part.this for part in one.find_all(exp.Literal)) for one in values(tree)]
    assert read == [name, name, "z"]


def values(tree: exp.Expr) -> list[exp.Expr]:
    """The constants that columns are compared with."""
    equal, listed = next(tree.find_all(exp.EQ)), next(tree.find_all(exp.In))
    return [equal.expression, *listed.expressions]


WRITTEN = literals().filter(
    lambda value: "\0" not in value.text and "timestamp[ns" not in value.type
)


@pytest.mark.slow
@pytest.mark.parametrize("dialect", SqlDialect)
@given(literal=WRITTEN)
def test_every_dialect_reads_every_literal_back(dialect: SqlDialect, literal: Literal) -> None:
    plain = query(Select("p", COLUMNS, (Equals(("n",), literal),)), NAMES, dialect)
    tree = sqlglot.parse_one(plain, dialect=dialect.value)
    again = sqlglot.parse_one(tree.sql(dialect.value), dialect=dialect.value)
    assert again == tree
    assert len(list(tree.find_all(exp.EQ))) == 1


DATE_AND_TIME = {
    "spark": "CAST('2020-01-01 00:00:00.000001+00:00' AS TIMESTAMP)",
    "databricks": "CAST('2020-01-01 00:00:00.000001+00:00' AS TIMESTAMP)",
    "trino": "CAST('2020-01-01 00:00:00.000001 UTC' AS TIMESTAMP(6) WITH TIME ZONE)",
    "bigquery": "CAST('2020-01-01 00:00:00.000001+00:00' AS TIMESTAMP)",
    "snowflake": "CAST('2020-01-01 00:00:00.000001+00:00' AS TIMESTAMPTZ)",
    "duckdb": "CAST('2020-01-01 00:00:00.000001+00:00' AS TIMESTAMPTZ)",
}
WALL_CLOCK = {
    "spark": "CAST('2020-01-01 00:00:00.000001' AS TIMESTAMP_NTZ)",
    "databricks": "CAST('2020-01-01 00:00:00.000001' AS TIMESTAMP_NTZ)",
    "trino": "CAST('2020-01-01 00:00:00.000001' AS TIMESTAMP(6))",
    "bigquery": "CAST('2020-01-01 00:00:00.000001' AS DATETIME)",
    "snowflake": "CAST('2020-01-01 00:00:00.000001' AS TIMESTAMPNTZ)",
    "duckdb": "CAST('2020-01-01 00:00:00.000001' AS TIMESTAMP)",
}


@pytest.mark.parametrize("dialect", SqlDialect)
def test_timestamps_keep_their_microseconds_and_their_zone(dialect: SqlDialect) -> None:
    zoned = Literal("timestamp[us, tz=UTC]", "2020-01-01T00:00:00.000001Z")
    plain = Literal("timestamp[us]", "2020-01-01T00:00:00.000001")
    for literal, expected in ((zoned, DATE_AND_TIME), (plain, WALL_CLOCK)):
        recipe = Select("p", COLUMNS, (Equals(("n",), literal),))
        assert f"= {expected[dialect.value]}" in query(recipe, NAMES, dialect)


VIEW = """\
CREATE VIEW `team`.`italy` AS
SELECT
  `p`.`n` AS `m`,
  `p`.`s` AS `number`
FROM `main`.`lake`.`all` AS `p`
WHERE
  `p`.`n` BETWEEN -5 AND 7 AND `p`.`s` = 'it\\'s'"""


def test_a_view_is_readable() -> None:
    ends = (Literal("int64", "-5"), Literal("int64", "7"))
    recipe = Select("p", COLUMNS, (Between(("n",), *ends), Equals(("s",), text("it's"))))
    tables = {"p": ("main", "lake", "all")}
    assert view(("team", "italy"), recipe, tables, SqlDialect.DATABRICKS) == VIEW


def test_what_a_dialect_cannot_express_is_refused() -> None:
    struct = (Output("x", Struct((), (Output("y", Field(("n",))),))),)
    nested = (Output("x", Field(("s", "t"))),)
    named = (Output("x", Field(("${env:HOME}",))),)
    whole = Project("p", COLUMNS)
    nanosecond = Literal("timestamp[ns]", "2020-01-01T00:00:00.000000001")
    refused: list[tuple[Recipe, SqlDialect]] = [
        (Rows("p", COLUMNS, HASHES), SqlDialect.SPARK),
        (
            Rows("p", COLUMNS, Residual(ResidualKind.POSITIONS, "keys", 1, 1), snapshot="7"),
            SqlDialect.DUCKDB,
        ),
        (Patch(whole, minus=HASHES), SqlDialect.DUCKDB),
        (Project("p", struct), SqlDialect.TRINO),
        (Project("p", struct), SqlDialect.SNOWFLAKE),
        (Project("p", nested), SqlDialect.SNOWFLAKE),
        (Project("p", named), SqlDialect.SPARK),
        (Project("p", named), SqlDialect.DATABRICKS),
        (Project("p", (Output("", Field(("n",))),)), SqlDialect.DUCKDB),
        (Project("p", (Output("a\0b", Field(("n",))),)), SqlDialect.DUCKDB),
        (Select("p", COLUMNS, (Equals(("s",), text("\0")),)), SqlDialect.SPARK),
        (Project("unnamed", COLUMNS), SqlDialect.DUCKDB),
        (Project("dotted", COLUMNS), SqlDialect.BIGQUERY),
        (Select("p", COLUMNS, (Equals(("s",), nanosecond),)), SqlDialect.DUCKDB),
    ]
    for recipe, dialect in refused:
        with pytest.raises(UnrenderableRecipeError):
            query(recipe, NAMES, dialect)
    assert "${env:HOME}" in query(Project("p", named), NAMES, SqlDialect.TRINO)


CASTS = {
    ("int32", "int64"): ("INT", "INTEGER", "INT64", "INT"),
    ("float32", "float64"): ("FLOAT", "REAL", "FLOAT64", "REAL"),
    ("decimal(9,2)", "decimal(18,4)"): (*["DECIMAL(9, 2)"] * 2, "NUMERIC", "DECIMAL(9, 2)"),
    ("uint8", "int64"): ("SMALLINT", "SMALLINT", "INT64", "UTINYINT"),
    ("float64", "decimal(9,2)"): None,
    ("decimal(9,2)", "float64"): None,
    ("float16", "float64"): None,
    ("list<int8>", "list<int64>"): None,
}


@pytest.mark.parametrize(("to", "of"), CASTS)
def test_numbers_are_cast_where_no_engine_rounds(to: str, of: str) -> None:
    recipe = Project("p", (Output("x", Cast(("n",), of, to)),))
    dialects = SqlDialect.SPARK, SqlDialect.TRINO, SqlDialect.BIGQUERY, SqlDialect.DUCKDB
    expected = CASTS[to, of]
    for number, dialect in enumerate(dialects):
        if expected is None:
            with pytest.raises(UnrenderableRecipeError, match=f"cast {re.escape(of)} to"):
                query(recipe, NAMES, dialect)
        else:
            assert f"AS {expected[number]}) AS" in query(recipe, NAMES, dialect)


def test_loads_that_overlap_and_distinct_rows_of_a_predicate_are_sql() -> None:
    tables = {"p": pa.table({"n": [1, 1, 2]}), "q": pa.table({"n": [2, 3]})}
    whole = [Project(name, (Output("m", Field(("n",))),)) for name in tables]
    ones = Distinct("p", whole[0].columns, (Equals(("n",), Literal("int64", "1")),))
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        for recipe, rows in (
            (Union((whole[0], whole[1]), distinct=True), [1, 2, 3]),
            (Union((whole[1], whole[1])), [2, 2, 3, 3]),
            (ones, [1]),
        ):
            text = query(recipe, {name: (name,) for name in tables}, SqlDialect.DUCKDB)
            assert sorted(row[0] for row in connection.sql(text).fetchall()) == rows
