"""Hive-style folders: what a key's column is, and what files may differ in."""

import json
import math
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

import r2d2
from r2d2.errors import NotWritableError
from r2d2.model import Table
from tests.support.oracle.asking import find
from tests.support.recipes.lakes import come_back


def table(root: Path) -> Table:
    (found,) = r2d2.tables(root).tables
    return found


def write(root: Path, **columns: object) -> None:
    root.mkdir(parents=True)
    pq.write_table(pa.table(columns), root / "part.parquet")


def equal_to(root: Path, name: str = "t", **columns: object) -> bool:
    """Whether the folder is found equal to a flat file of these columns, and comes back."""
    flat = root / "flat.parquet"
    pq.write_table(pa.table(columns), flat)
    groups = r2d2.find(root).classes()
    flat.unlink()
    return (flat.name, name) in groups


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "12"], "int32"),
        (["1", "3000000000"], "int64"),
        (["01", "12"], "string"),
        (["2024-01-31", "2024-02-29"], "date"),
        (["2024-01-31", "2024-02-30"], "string"),
        (["1", "x"], "string"),
        (["7", "__HIVE_DEFAULT_PARTITION__"], "int32"),
        (["__HIVE_DEFAULT_PARTITION__"], "string"),
    ],
)
def test_a_key_is_typed_only_where_every_value_is_written_so(
    tmp_path: Path, values: list[str], kind: str
) -> None:
    for value in values:
        write(tmp_path / "t" / f"k={value}", x=[1])
    assert [(c.name, c.type) for c in table(tmp_path).columns] == [("x", "int64"), ("k", kind)]


def test_a_partitioned_table_equals_its_flat_copy(tmp_path: Path) -> None:
    write(tmp_path / "t" / "k=1", x=[1, 2])
    write(tmp_path / "t" / "k=__HIVE_DEFAULT_PARTITION__", x=[3])
    write(tmp_path / "flat", x=[1, 2, 3], k=pa.array([1, 1, None], pa.int32()))
    (group,) = r2d2.find(tmp_path).classes()
    assert group == ("flat/part.parquet", "t")


def test_a_column_that_a_file_lacks_is_null_there(tmp_path: Path) -> None:
    write(tmp_path / "t" / "k=1", x=[1], y=["a"])
    write(tmp_path / "t" / "k=2", x=[2])
    write(tmp_path / "flat", x=[1, 2], y=["a", None], k=pa.array([1, 2], pa.int32()))
    (group,) = r2d2.find(tmp_path).classes()
    assert group == ("flat/part.parquet", "t")


def test_files_that_disagree_on_a_type_make_the_table_ineligible(tmp_path: Path) -> None:
    write(tmp_path / "t" / "k=1", x=[1])
    write(tmp_path / "t" / "k=2", x=["1"])
    assert "column x is int64" in (table(tmp_path).problem or "")


def test_fields_that_a_files_struct_lacks_are_null_there(tmp_path: Path) -> None:
    write(tmp_path / "t" / "k=1", s=[{"a": 1}, None])
    write(tmp_path / "t" / "k=2", s=[{"b": 2, "a": 2}, {"a": 3, "b": None}])
    write(tmp_path / "t" / "k=3", n=[4])
    assert equal_to(
        tmp_path,
        s=[{"a": 1, "b": None}, None, {"a": 2, "b": 2}, {"a": 3, "b": None}, None],
        n=[None] * 4 + [4],
        k=pa.array([1, 1, 2, 2, 3], pa.int32()),
    )


def test_a_key_that_stands_in_the_files_too_is_one_column_of_their_type(tmp_path: Path) -> None:
    """As polars and DuckDB leave it, and some that lack it beside them."""
    write(tmp_path / "t" / "DAY=2024-01-01", day=["2024-01-01"] * 2, x=[1, 2])
    write(tmp_path / "t" / "DAY=2024-01-02", x=[3])
    assert [(c.name, c.type) for c in table(tmp_path).columns] == [
        ("day", "string"),
        ("x", "int64"),
    ]
    assert equal_to(tmp_path, day=["2024-01-01", "2024-01-01", "2024-01-02"], x=[1, 2, 3])


@pytest.mark.parametrize(
    ("folder", "values"),
    [
        ("7", pa.array([7], pa.int8())),
        ("07", pa.array([7])),
        ("1e%2B20", pa.array([1e20])),
        ("NaN", pa.array([math.nan])),
        ("true", pa.array([True])),
        ("1.50", pa.array([Decimal("1.50")])),
        ("2024-01-02%2003%3A04%3A05.000000", pa.array([datetime(2024, 1, 2, 3, 4, 5)])),
        ("2024-01-02 03:04:05+00", pa.array([datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)])),
        ("01%3A02%3A03", pa.array([time(1, 2, 3)])),
        ("a%00", pa.array([b"a\0"])),
        ("a%5Cx00", pa.array([b"a\0"])),
        ("", pa.array([""])),
        ("a", pa.array(["a"]).dictionary_encode()),
        ("__HIVE_DEFAULT_PARTITION__", pa.array([None], pa.int64())),
        ("__HIVE_DEFAULT_PARTITION__", pa.array([None])),
    ],
)
def test_a_folder_that_says_what_its_file_says_agrees(
    tmp_path: Path, folder: str, values: pa.Array
) -> None:
    write(tmp_path / "t" / f"k={folder}", x=[1], k=values)
    typed = values.cast(pa.string()) if pa.types.is_null(values.type) else values
    assert equal_to(tmp_path, x=[1], k=typed)
    if pa.types.is_binary(values.type) or pa.types.is_time(values.type):
        with pytest.raises(NotWritableError, match="names no folder"):
            come_back(tmp_path, tmp_path / "copy", "t")
    else:
        come_back(tmp_path, tmp_path / "copy", "t")


@pytest.mark.parametrize(
    ("folder", "values"),
    [
        ("8", [7, 8]),
        ("7.0", [7, 7]),
        ("7", [7, None]),
        ("x", ["x", "X"]),
        ("__HIVE_DEFAULT_PARTITION__", ["__HIVE_DEFAULT_PARTITION__", None]),
        ("x", [None, None]),
        ("2024-01-01", [datetime(2024, 1, 1), datetime(2024, 1, 1, 1)]),
    ],
)
def test_a_key_that_contradicts_its_folder_makes_the_table_unreadable(
    tmp_path: Path, folder: str, values: list[object]
) -> None:
    write(tmp_path / "t" / f"k={folder}", x=[1, 2], k=values)
    write(tmp_path / "flat", x=[1, 2], k=values)
    write(tmp_path / "x", x=[1, 2])
    found = r2d2.find(tmp_path)
    assert "holds other values than its folder's k=" in problem(found, "t")
    assert not [edge for edge in found.edges if "t" in (edge.child, edge.parent)]


def test_a_key_in_other_files_of_a_type_that_the_folder_does_not_write_is_unreadable(
    tmp_path: Path,
) -> None:
    write(tmp_path / "t" / "k=1", x=[1], k=[1])
    write(tmp_path / "t" / "k=a", x=[1])
    write(tmp_path / "x", x=[1])
    assert "is no int64" in problem(r2d2.find(tmp_path), "t")


def problem(graph: r2d2.Graph, location: str) -> str:
    (found,) = [table for table in graph.tables if table.location == location]
    assert found.unreadable
    return found.problem or ""


def test_names_may_differ_in_case_between_files(tmp_path: Path) -> None:
    write(tmp_path / "t" / "k=1", V=[1], s=[{"A": 1}])
    write(tmp_path / "t" / "k=2", S=[{"a": 2}], v=[2])
    assert [c.name for c in table(tmp_path).columns] == ["V", "s.A", "k"]
    assert equal_to(tmp_path, v=[1, 2], s=[{"a": 1}, {"a": 2}], k=pa.array([1, 2], pa.int32()))


def test_names_that_differ_in_case_within_a_file_stay_two(tmp_path: Path) -> None:
    write(tmp_path / "t" / "k=1", V=[1], v=[2])
    write(tmp_path / "t" / "k=2", v=[2])
    assert "same name but for case" in (table(tmp_path).problem or "")
    (sensitive,) = r2d2.tables(tmp_path, r2d2.Settings(case_sensitive=True)).tables
    assert [c.name for c in sensitive.columns] == ["V", "v", "k"]


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (pa.array([-1, 127], pa.int32()), pa.int64()),
        (pa.array([1, 255], pa.uint8()), pa.int16()),
        (pa.array([1, 2**32 - 1], pa.uint32()), pa.int64()),
        (pa.array([0.1, math.nan], pa.float32()), pa.float64()),
        (pa.array([Decimal("-1.50")] * 2, pa.decimal128(5, 2)), pa.decimal128(38, 2)),
        (pa.array([Decimal("-1.50")] * 2, pa.decimal128(5, 2)), pa.decimal256(40, 2)),
        (pa.array([[1, None], None], pa.list_(pa.int32())), pa.list_(pa.int64())),
        (pa.array([{"a": 1}, None], pa.struct([("a", pa.int8())])), pa.struct([("a", pa.int64())])),
        (
            pa.array([[("a", 0.1)], []], pa.map_(pa.string(), pa.float32())),
            pa.map_(pa.string(), pa.float64()),
        ),
        (pa.nulls(2), pa.date32()),
        (pa.nulls(2), pa.large_list(pa.string())),
        (pa.nulls(2), pa.struct([("a", pa.string())])),
        (pa.nulls(2), pa.timestamp("ns")),
        (pa.array([[None], None], pa.list_(pa.null())), pa.list_(pa.struct([("A", pa.int8())]))),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_narrower_type_is_widened_whichever_file_comes_first(
    tmp_path: Path, narrow: pa.Array, wide: pa.DataType, is_first: bool
) -> None:
    lake = tmp_path / "lake"
    write(lake / "t" / f"k={2 - is_first}", x=[1, 2], c=narrow)
    write(lake / "t" / f"k={1 + is_first}", x=[3], c=pa.nulls(1, wide))
    widened = pa.concat_arrays([narrow.cast(wide), pa.nulls(1, wide)])
    keys = pa.array([2 - is_first] * 2 + [1 + is_first], pa.int32())
    assert equal_to(lake, x=[1, 2, 3], c=widened, k=keys)
    come_back(lake, tmp_path / "copy", "t")


@pytest.mark.parametrize("kind", ["parquet", "csv", "json", "orc"])
def test_a_key_alone_is_read_from_files_that_differ(tmp_path: Path, kind: str) -> None:
    for key, names in (("1", ["x", "y"]), ("2", ["Y"])):
        folder = tmp_path / "t" / f"k={key}"
        folder.mkdir(parents=True)
        rows = pa.table({name: ["a", "b"] for name in names})
        if kind == "csv":
            lines = [",".join(some) for some in (names, ["a"] * len(names))]
            (folder / "p.csv").write_text("\n".join([*lines, *lines[1:]]))
        elif kind == "json":
            lines = [json.dumps(row) for row in rows.to_pylist()]
            (folder / "p.json").write_text("\n".join(lines))
        elif kind == "orc":
            orc.write_table(rows, folder / "p.orc")
        else:
            pq.write_table(rows, folder / "p.parquet")
    pq.write_table(pa.table({"k": pa.array([1, 2, 2], pa.int32())}), tmp_path / "keys.parquet")
    (edge,) = r2d2.find(tmp_path).edges
    assert (edge.child, edge.parent) == ("keys.parquet", "t")


def test_both_engines_read_a_folder_whose_files_differ(tmp_path: Path, engine: str) -> None:
    write(tmp_path / "t" / "k=1", k=["1"], N=pa.array([1], pa.int8()), s=[{"A": 0.5}])
    write(tmp_path / "t" / "k=2", n=[2], k=["2"])
    write(tmp_path / "wrong" / "k=1", k=["2"], n=[2])
    whole = pa.table({"k": ["1", "2"], "n": [1, 2], "s": [{"a": 0.5}, None]})
    pq.write_table(whole, tmp_path / "flat.parquet")
    found = find(tmp_path, engine)
    assert found.classes() == (("flat.parquet", "t"),)
    assert "other values than its folder's k=1" in problem(found, "wrong")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["1"], [1]),
        ([1], [1.0]),
        (pa.array([1], pa.uint64()), pa.array([1], pa.int8())),
        ([Decimal("1.0")], [Decimal("1.00")]),
        ([datetime(2024, 1, 1)], [datetime(2024, 1, 1).date()]),
        ([{"a": 1}], [1]),
        ([[1]], [["1"]]),
    ],
    ids=str,
)
def test_types_that_no_type_holds_exactly_make_the_table_ineligible(
    tmp_path: Path, one: object, other: object
) -> None:
    write(tmp_path / "t" / "k=1", x=one)
    write(tmp_path / "t" / "k=2", x=other)
    found = table(tmp_path)
    assert "t: column x is " in (found.problem or "")
    assert not found.unreadable
