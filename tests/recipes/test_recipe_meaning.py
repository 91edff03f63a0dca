"""The meaning of recipes as SQL, run by DuckDB and by Spark."""

import datetime as dt
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.recipes.grammar import (
    AnyOf,
    AtLeast,
    Atom,
    Between,
    Compare,
    Comparison,
    Distinct,
    Equals,
    Field,
    In,
    IsNan,
    IsNull,
    NotIn,
    NotNull,
    Output,
    Patch,
    Project,
    Recipe,
    Remainder,
    Residual,
    ResidualKind,
    Rows,
    Select,
    Struct,
    TimePart,
    Union,
)
from r2d2.recipes.literals import Literal
from r2d2.recipes.predicate.atoms import COMPARISONS
from r2d2.recipes.sql import SqlDialect, query
from tests.support.recipes.children import find
from tests.support.recipes.hostile import HOSTILE

Run: TypeAlias = Callable[..., pa.Table]
NAMES = {"p": ("p",), "q": ("q",), "keys": ("keys",), "more": ("more",), "less": ("less",)}
PARENT = pa.table({"n": [1, 2, 2, None, 3], "s": ["a", "b", "b", "c", None]})
COLUMNS = (Output("m", Field(("n",))), Output("number", Field(("s",))))
KEYS = Residual(ResidualKind.KEYS, "keys", 3, 9)
MORE = Residual(ResidualKind.ROWS, "more", 2, 9)
LESS = Residual(ResidualKind.ROWS, "less", 2, 9)


SIGNS = {comparison: signs for signs, comparison in COMPARISONS.items()}


def text(value: str) -> Literal:
    return Literal("string", value)


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Runs a recipe over tables of these names; each is a Parquet file."""

    def written(tables: dict[str, pa.Table]) -> dict[str, str]:
        for name, table in tables.items():
            pq.write_table(table, tmp_path / f"{name}.parquet")
        return {name: str(tmp_path / f"{name}.parquet") for name in tables}

    def in_duckdb(recipe: Recipe, **tables: pa.Table) -> pa.Table:
        with duckdb.connect() as connection:
            for name, path in written(tables).items():
                read = f"read_parquet('{path}', can_have_nan = true)"
                connection.execute(f"CREATE VIEW {name} AS FROM {read}")
            return connection.sql(query(recipe, NAMES, SqlDialect.DUCKDB)).to_arrow_table()

    def in_spark(recipe: Recipe, **tables: pa.Table) -> pa.Table:
        session = request.getfixturevalue("spark")
        for name, path in written(tables).items():
            session.read.parquet(path).createOrReplaceTempView(name)
        return session.sql(query(recipe, NAMES, SqlDialect.SPARK)).toArrow()

    return in_duckdb if request.param == "duckdb" else in_spark


def rows(table: pa.Table) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row.values()) for row in table.to_pylist())


def test_a_projection_renames_and_reorders(run: Run) -> None:
    result = run(Project("p", COLUMNS[::-1]), p=PARENT)
    assert result.column_names == ["number", "m"]
    assert rows(result) == Counter(
        zip(PARENT["s"].to_pylist(), PARENT["n"].to_pylist(), strict=True)
    )


def test_distinct_keeps_each_row_once(run: Run) -> None:
    assert rows(run(Distinct("p", COLUMNS), p=PARENT))[(2, "b")] == 1


def test_a_select_keeps_rows_that_satisfy_every_atom(run: Run) -> None:
    where = (Between(("n",), Literal("int64", "2"), Literal("int64", "9")), NotNull(("s",)))
    assert rows(run(Select("p", COLUMNS, where), p=PARENT)) == {(2, "b"): 2}
    nulls = Select("p", COLUMNS, (IsNull(("n",)),))
    assert rows(run(nulls, p=PARENT)) == {(None, "c"): 1}
    listed = Select("p", COLUMNS, (In(("s",), (text("a"), text("c"))),))
    assert rows(run(listed, p=PARENT)) == {(1, "a"): 1, (None, "c"): 1}


DAYS = [dt.date(2024, 1, 1) + dt.timedelta(day) for day in range(0, 366, 10)]
WALL = [dt.datetime.combine(day, dt.time(23, 59, 59)) for day in DAYS]


def chosen(run: Run, parent: pa.Table, *where: Atom) -> list[int]:
    """The numbers of the rows that are selected."""
    parent = parent.append_column("row", pa.array(range(parent.num_rows)))
    recipe = Select("p", (Output("row", Field(("row",))),), where)
    return sorted(run(recipe, p=parent)["row"].to_pylist())


def integers(*values: int) -> tuple[Literal, ...]:
    return tuple(Literal("int64", str(value)) for value in values)


def test_rows_without_a_value_are_in_no_list_and_out_of_none(run: Run) -> None:
    parent = pa.table({"n": [1, 2, None, 3], "x": [1.0, float("nan"), None, 0.5]})
    assert chosen(run, parent, NotIn(("n",), integers(2))) == [0, 3]
    assert chosen(run, parent, NotIn(("n",), integers(1, 2))) == [3]
    assert chosen(run, parent, NotIn(("x",), (Literal("double", "0.5"),))) == [0, 1]
    assert chosen(run, parent, AtLeast(("x",), Literal("double", "0.75"))) == [0, 1]
    assert chosen(run, parent, IsNan(("x",))) == [1]
    # A footer tells of 0.5 alone.
    half = pa.table({"x": [0.5, float("nan"), 0.5, None]})
    for others in (
        (Literal("double", "0.5"),),
        tuple(Literal("double", t) for t in ("0.5", "0.75")),
    ):
        assert chosen(run, half, NotIn(("x",), others)) == [1]


@pytest.mark.parametrize("values", [DAYS, WALL])
def test_months_and_weekdays_are_the_calendars(run: Run, values: list[dt.date]) -> None:
    parent = pa.table({"at": pa.array([*values, None])})
    for part, number_of in (
        (TimePart.MONTH, lambda at: at.month),
        (TimePart.WEEKDAY, lambda at: at.isoweekday()),
    ):
        for number in range(1, 8):
            expected = [row for row, at in enumerate(values) if number_of(at) == number]
            assert chosen(run, parent, Equals(("at",), *integers(number), part)) == expected


def test_a_remainder_has_the_sign_of_what_is_divided(run: Run) -> None:
    parent = pa.table({"n": pa.array([-7, -1, 0, 1, 13, None], pa.int32())})
    third = Remainder(3)
    assert chosen(run, parent, Equals(("n",), *integers(-1), third)) == [0, 1]
    assert chosen(run, parent, Between(("n",), *integers(0, 1), third)) == [2, 3, 4]
    assert chosen(run, parent, NotIn(("n",), integers(-1, 0), third)) == [3, 4]


@pytest.mark.parametrize("comparison", list(Comparison))
def test_two_columns_compare_by_their_values(run: Run, comparison: Comparison) -> None:
    parent = pa.table({"s": ["a", "b", "é", None, "z"], "t": ["b", "b", "z", "a", None]})
    sign = {0: -1, 1: 0, 2: 1}
    expected = [row for row, it in sign.items() if it in SIGNS[comparison]]
    assert chosen(run, parent, Compare(("s",), comparison, ("t",))) == expected


def test_one_of_two_conjunctions_is_enough_and_a_row_comes_once(run: Run) -> None:
    parent = pa.table({"n": [1, 1, 2, None], "s": ["a", "b", "a", "a"]})
    one, a, b = Equals(("n",), *integers(1)), Equals(("s",), text("a")), Equals(("s",), text("b"))
    assert chosen(run, parent, AnyOf(((one,), (a,)))) == [0, 1, 2, 3]
    assert chosen(run, parent, AnyOf(((one, a), (b, NotNull(("n",)))))) == [0, 1]
    assert chosen(run, parent, AnyOf(((one, a), (b,))), a) == [0]


def test_structs_and_lists_are_null_or_not(run: Run) -> None:
    parent = pa.table(
        {"geo": [{"x": None}, None], "tags": pa.array([None, []], pa.list_(pa.int8()))}
    )
    assert chosen(run, parent, NotNull(("geo",)), IsNull(("tags",))) == [0]
    assert chosen(run, parent, IsNull(("geo",)), NotNull(("tags",))) == [1]


def test_rows_by_keys_come_as_often_as_their_key_is_listed_even_null(run: Run) -> None:
    keys = pa.table({"k0": ["a", "a", None]})
    result = run(Rows("p", COLUMNS, KEYS, key=(("s",),)), p=PARENT, keys=keys)
    assert rows(result) == {(1, "a"): 2, (3, None): 1}


def test_a_union_adds_up(run: Run) -> None:
    recipe = Union((Project("p", COLUMNS), Distinct("q", COLUMNS)))
    assert rows(run(recipe, p=PARENT, q=PARENT))[(2, "b")] == 3


def test_a_patch_removes_as_many_copies_as_are_listed_and_adds_the_others(run: Run) -> None:
    less = pa.table({"m": [2, None], "number": ["b", "c"]})
    more = pa.table({"number": ["z", "z"], "m": [9, 9]})
    result = run(Patch(Project("p", COLUMNS), MORE, LESS), p=PARENT, less=less, more=more)
    assert rows(result) == {(1, "a"): 1, (2, "b"): 1, (3, None): 1, (9, "z"): 2}


def test_a_struct_comes_back_whole_or_in_part_and_null_where_the_parents_is(run: Run) -> None:
    geo = [{"lat": 1.0, "place": {"name": "x", "no": 1}}, {"lat": None, "place": None}, None]
    name = Output("name", Field(("geo", "place", "name")))
    place = Output("place", Struct(("geo", "place"), (name,)))
    columns = (
        Output("whole", Field(("geo",))),
        Output("part", Struct(("geo",), (place, Output("it's", Field(("geo", "lat")))))),
        Output("never", Struct((), (Output("lat", Field(("geo", "lat"))),))),
    )
    result = run(Project("p", columns), p=pa.table({"geo": geo}))
    assert result.to_pydict() == {
        "whole": geo,
        "part": [
            {"place": {"name": "x"}, "it's": 1.0},
            {"place": None, "it's": None},
            None,
        ],
        "never": [{"lat": 1.0}, {"lat": None}, {"lat": None}],
    }


VALUES = {
    "i8": pa.array([-128, None], pa.int8()),
    "i64": pa.array([-(2**63), None], pa.int64()),
    "u8": pa.array([255, None], pa.uint8()),
    "u64": pa.array([2**64 - 1, None], pa.uint64()),
    "f": pa.array([0.1, None], pa.float32()),
    "d": pa.array([5e-324, None], pa.float64()),
    "e": pa.array([1.7976931348623157e308, None], pa.float64()),
    "b": pa.array([False, None]),
    "x": pa.array([b"\x00\xff'", None]),
    "y": pa.array([b"", None]),
    "s": pa.array(["", None]),
    "dec": pa.array([Decimal("-12345678901234567890123456789.123456789"), None]),
    "day": pa.array([-719162, None], pa.date32()),
    "at": pa.array([-1, None], pa.timestamp("us", "UTC")),
    "ms": pa.array([1, None], pa.timestamp("ms", "Europe/Rome")),
    "wall": pa.array([-1, None], pa.timestamp("us")),
}


def test_every_literal_is_its_value(run: Run) -> None:
    literals = {name: Literal.of(column[0]) for name, column in VALUES.items()}
    where: list[Atom] = [Equals((name,), literal) for name, literal in literals.items()]
    where += [In((name,), (literal,) * 2) for name, literal in literals.items()]
    where += [Between((n,), literal, literal) for n, literal in literals.items() if n != "b"]
    recipe = Select("p", (Output("i8", Field(("i8",))),), tuple(where))
    assert run(recipe, p=pa.table(VALUES)).num_rows == 1


def test_hostile_names_and_texts_are_taken_as_they_are(run: Run) -> None:
    names = [name for name in HOSTILE if "${" not in name]
    columns = tuple(Output(name + "!", Field((name,))) for name in names)
    where = [Equals((name,), text(value)) for name, value in zip(names, HOSTILE, strict=False)]
    where[0] = In(where[0].path, tuple(text(value) for value in sorted(HOSTILE)))
    values = {name: [value, "other", None] for name, value in zip(names, HOSTILE, strict=False)}
    result = run(Select("p", columns, tuple(where)), p=pa.table(values))
    assert rows(result) == {HOSTILE[: len(names)]: 1}
    assert result.column_names == [name + "!" for name in names]


@pytest.mark.parametrize("text_", [value for value in HOSTILE if "$" in value])
def test_nothing_is_put_into_a_text(text_: str, run: Run) -> None:
    recipe = Select("p", COLUMNS[1:], (Equals(("s",), text(text_)),))
    assert rows(run(recipe, p=pa.table({"s": [text_, "x"]}))) == {(text_,): 1}


def test_zeros_and_nan_are_selected_as_the_search_says(run: Run) -> None:
    nan = float("nan")
    for values, child in (
        ([-1.0, -0.0, 0.0, 1.0, 2.0, nan, None], [0, 1, 2, 3]),
        ([0.0, 0.0, 3.0, nan, None], [0, 1]),
        ([nan, 1.0, None], [0, 1]),
    ):
        parent = pa.table({"x": values})
        found = find(parent, child)
        assert found
        columns = (Output("x", Field(("x",))),)
        result = run(Select("p", columns, found.atoms), p=parent)
        assert list(map(str, result["x"].to_pylist())) == [str(values[row]) for row in child]
