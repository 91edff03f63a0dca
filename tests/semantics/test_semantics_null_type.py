"""A column of type null is contained in any column that has a NULL, and contains only NULLs."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.oracle.asking import ask
from tests.support.oracle.brute_force import edges as edges_of
from tests.support.oracle.brute_force import judge
from tests.support.oracle.files import all_equal, edges, write

MODES = ["strict", "widened"]


def table(**columns: Any) -> pa.Table:
    return pa.table({"k": pa.array([1] * len(next(iter(columns.values())))), **columns})


@pytest.mark.parametrize("types", MODES)
def test_a_column_of_type_null_is_in_any_column_that_has_a_null(
    tmp_path: Path, engine: str, types: str
) -> None:
    write(
        tmp_path,
        untyped=table(x=pa.nulls(2)),
        numbers=table(x=pa.array([None, 5])),
        texts=table(x=pa.array([None, "a"])),
        moments=table(x=pa.array([None, 5], pa.timestamp("us"))),
        lists=table(x=pa.array([None, []], pa.list_(pa.int8()))),
        without=table(x=pa.array([4, 5])),
        empty_lists=table(x=pa.array([[], []], pa.list_(pa.int8()))),
    )
    wanted = {f"untyped in {name}" for name in ("numbers", "texts", "moments", "lists")}
    found = ask(tmp_path, engine, types=types)
    assert edges(tmp_path, engine, types=types) == wanted | {"empty_lists in lists"}
    assert not found.cast


def test_nothing_but_nulls_is_in_a_column_of_type_null(tmp_path: Path, engine: str) -> None:
    write(
        tmp_path,
        untyped=table(x=pa.nulls(2)),
        number_nulls=table(x=pa.nulls(2, pa.int64())),
        text_nulls=table(x=pa.nulls(1, pa.string())),
        numbers=table(x=pa.array([0, None])),
        texts=table(x=pa.array(["", None])),
    )
    assert edges(tmp_path, engine) == {
        *all_equal("untyped", "number_nulls"),
        *all_equal("untyped", "text_nulls"),
        *("number_nulls in numbers", "untyped in numbers"),
        *("text_nulls in texts", "untyped in texts"),
    }


def test_nulls_of_no_type_within_lists_and_structs_match_any_type(
    tmp_path: Path, engine: str
) -> None:
    inside = pa.struct([("a", pa.null()), ("b", pa.int64())])
    write(
        tmp_path,
        untyped=table(l=pa.array([[None], [], None], pa.list_(pa.null()))),
        numbers=table(l=pa.array([[None], [], None, [1]], pa.list_(pa.int64()))),
        texts=table(l=pa.array([[None], [], [""]], pa.list_(pa.string()))),
        struct=table(s=pa.array([{"a": None, "b": 1}, None], inside)),
        whole=table(s=pa.array([{"a": None, "b": 1}, {"a": "x", "b": 1}, None])),
        other=table(s=pa.array([{"a": None, "b": 2}, {"a": 1, "b": 1}, None])),
    )
    assert edges(tmp_path, engine) == {"untyped in numbers", "struct in whole"}


TYPES = [
    pa.null(),
    pa.int8(),
    pa.int64(),
    pa.string(),
    pa.list_(pa.null()),
    pa.list_(pa.int64()),
    pa.list_(pa.string()),
    pa.struct([("a", pa.null())]),
    pa.struct([("a", pa.int64())]),
    pa.map_(pa.string(), pa.null()),
    pa.map_(pa.string(), pa.int8()),
]


def values(type_: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_null(type_):
        return st.none()
    if pa.types.is_integer(type_):
        return st.none() | st.sampled_from([0, 1])
    if pa.types.is_string(type_):
        return st.none() | st.sampled_from(["", "1"])
    if pa.types.is_map(type_):
        return st.none() | st.dictionaries(st.just("key"), values(type_.item_type), max_size=1).map(
            lambda found: list(found.items())
        )
    if pa.types.is_struct(type_):
        return st.none() | st.builds(lambda a: {"a": a}, values(type_.field(0).type))
    return st.none() | st.lists(values(type_.value_type), max_size=1)


@st.composite
def columns(draw: st.DrawFn, rows: int) -> pa.Array:
    type_ = draw(st.sampled_from(TYPES))
    return pa.array(draw(st.lists(values(type_), min_size=rows, max_size=rows)), type_)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(1, 3))
    names = draw(st.sampled_from([("x",), ("x", "y")]))
    return pa.table({name: draw(columns(rows)) for name in names})


@settings(max_examples=60)
@given(st.lists(tables(), min_size=2, max_size=6), st.sampled_from(MODES))
def test_the_edges_are_those_of_brute_force(
    tmp_path_factory: pytest.TempPathFactory, lake: list[pa.Table], types: str
) -> None:
    root = tmp_path_factory.mktemp("lake")
    write(root, **{f"t{number}": one for number, one in enumerate(lake)})
    wanted = edges_of(judge(root, widened=types == "widened"))
    found = ask(root, types=types)
    assert found.edges == {
        pair: (1 - missing / rows, missing) for pair, (rows, missing) in wanted.items()
    }
