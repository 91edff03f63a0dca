"""Tables, columns and containment as design/semantics.md defines them, on every engine."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

import r2d2
from tests.support.oracle.asking import ask, find
from tests.support.oracle.files import all_equal, both_ways, edges, one, text, write


def test_structs_are_flattened_with_dots_and_lists_and_maps_stay_whole(
    tmp_path: Path, engine: str
) -> None:
    price = pa.struct([("value", pa.float64()), ("currency", pa.string())])
    product = pa.struct([("Price", price), ("tags", pa.list_(pa.string()))])
    row = {"Price": {"value": 1.5, "currency": "EUR"}, "tags": ["a"]}
    write(
        tmp_path,
        nested={"product": pa.array([row], product), "m": pa.array([[]], pa.map_("i4", "i4"))},
    )
    columns = ask(tmp_path, engine).columns["nested.parquet"]
    assert columns == {
        "product.Price.value": "float64",
        "product.Price.currency": "string",
        "product.tags": "list<string>",
        "m": "map<int32,int32>",
    }


def test_a_struct_with_fewer_fields_is_in_one_with_more(tmp_path: Path, engine: str) -> None:
    few = pa.struct([("lat", pa.int64())])
    many = pa.struct([("LON", pa.int64()), ("Lat", pa.int64())])
    write(
        tmp_path,
        few=one([{"lat": 1}, None], few),
        many=one([{"LON": 9, "Lat": 1}, None, {"LON": 8, "Lat": 2}], many),
    )
    assert edges(tmp_path, engine) == {"few in many"}


def test_a_dotted_name_is_not_a_struct_field(tmp_path: Path, engine: str) -> None:
    point = pa.struct([("lat", pa.int64())])
    write(
        tmp_path,
        dotted={"geo.lat": [1]},
        struct={"geo": pa.array([{"lat": 1}], point)},
        both={"geo": pa.array([{"lat": 7}], point), "geo.lat": [1]},
        both_turned={"geo.lat": [7], "geo": pa.array([{"lat": 1}], point)},
    )
    assert edges(tmp_path, engine) == {"dotted in both", "struct in both_turned"}


def test_names_match_in_any_case_and_exactly_when_asked(tmp_path: Path, engine: str) -> None:
    point = pa.struct([("LAT", pa.int64())])
    write(
        tmp_path,
        upper={"ID": [1], "GEO": pa.array([{"LAT": 2}], point)},
        lower={"id": [1], "geo": pa.array([{"lat": 2}], pa.struct([("lat", pa.int64())]))},
        umlaut={"\u00c4": [1]},
        umlaut_lower={"\u00e4": [1]},
        umlaut_apart={"a\u0308": [1]},
    )
    expected = both_ways("upper", "lower") | both_ways("umlaut", "umlaut_lower")
    assert edges(tmp_path, engine) == expected
    assert edges(tmp_path, engine, case_sensitive=True) == set()


def test_columns_that_differ_by_case_only_make_a_table_ineligible(
    tmp_path: Path, engine: str
) -> None:
    write(tmp_path, two={"id": [1], "ID": [2]}, copy={"id": [1], "ID": [2]}, child={"id": [1]})
    answer = ask(tmp_path, engine)
    assert not answer.edges
    assert not answer.unreadable
    assert answer.problems.keys() == {"two.parquet", "copy.parquet"}
    assert "'id'" in answer.problems["two.parquet"]
    assert "'ID'" in answer.problems["two.parquet"]
    expected = both_ways("two", "copy") | {"child in two", "child in copy"}
    assert edges(tmp_path, engine, case_sensitive=True) == expected


def test_one_name_twice_makes_a_table_ineligible(tmp_path: Path, engine: str) -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    write(tmp_path, twice=twice, copy=twice, child={"x": [1]}, other={"x": [1]})
    lists_and_structs = [pa.array([[1]]), pa.array([{"a": 1}])]
    write(tmp_path, struct=pa.Table.from_arrays(lists_and_structs, names=["x", "x"]))
    answer = ask(tmp_path, engine)
    assert answer.edges.keys() == {
        ("child.parquet", "other.parquet"),
        ("other.parquet", "child.parquet"),
    }
    assert answer.problems.keys() == {"twice.parquet", "copy.parquet", "struct.parquet"}


def test_strict_types_keep_numbers_apart_and_an_edge_after_cast_says_so(
    tmp_path: Path, engine: str
) -> None:
    write(
        tmp_path,
        small=one([1, 2], pa.int32()),
        large=one([1, 2], pa.int64()),
        double=one([1.0, 2.0], pa.float64()),
        single=one([1.0, 2.0], pa.float32()),
        decimal=one([Decimal("1.00"), Decimal("2.00")], pa.decimal128(9, 2)),
        large_copy=one([1, 2, 3], pa.int64()),
    )
    assert edges(tmp_path, engine) == {"large in large_copy"}
    widened = ask(tmp_path, engine, types="widened")
    names = ("small", "large", "double", "single", "decimal")
    found = {f"{c.split('.')[0]} in {p.split('.')[0]}" for c, p in widened.edges}
    assert found == all_equal(*names) | {f"{name} in large_copy" for name in names}
    assert widened.cast == widened.edges.keys() - {("large.parquet", "large_copy.parquet")}


def test_nested_numbers_are_widened_too(tmp_path: Path, engine: str) -> None:
    write(
        tmp_path,
        ints=one([[1, None]], pa.list_(pa.int32())),
        longs=one([[1, None]], pa.list_(pa.int64())),
        doubles=one([[1.0, None]], pa.list_(pa.float64())),
        map_ints=pa.table({"m": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8()))}),
        map_longs=pa.table({"m": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))}),
    )
    assert edges(tmp_path, engine) == set()
    expected = all_equal("ints", "longs", "doubles") | both_ways("map_ints", "map_longs")
    assert edges(tmp_path, engine, types="widened") == expected


def test_dates_moments_and_text_stay_apart_when_widened(tmp_path: Path, engine: str) -> None:
    write(
        tmp_path,
        date=one([dt.date(2020, 1, 1)]),
        moment=one([dt.datetime(2020, 1, 1)]),
        text=one(["2020-01-01"]),
        days=one([18262]),
        digits=one(["18262"]),
        truth=one([True]),
        one=one([1]),
    )
    assert edges(tmp_path, engine, types="widened") == set()


def test_a_child_has_some_of_the_columns_and_some_of_the_rows(tmp_path: Path, engine: str) -> None:
    write(
        tmp_path,
        base={"x": [1, 2, 3], "y": ["a", "b", "c"], "z": [0.5, None, 1.5]},
        rows={"x": [3, 1], "y": ["c", "a"], "z": [1.5, 0.5]},
        columns={"z": [0.5, None, 1.5], "x": [1, 2, 3]},
        neither={"x": [1, 2], "z": [None, 0.5]},
        one_column={"y": ["a"]},
    )
    assert edges(tmp_path, engine) == {
        "rows in base",
        "columns in base",
        "one_column in base",
        "one_column in rows",
    }


def test_the_fraction_counts_distinct_rows(tmp_path: Path, engine: str) -> None:
    write(
        tmp_path,
        child={"x": [1, 1, 1, 2, 3, 4]},
        parent={"x": [1, 2, 3, 3, 5]},
        apart={"x": [9]},
    )
    answer = ask(tmp_path, engine, min_fraction=0.75)
    assert answer.edges == {
        ("child.parquet", "parent.parquet"): (0.75, 1),
        ("parent.parquet", "child.parquet"): (0.75, 1),
    }
    assert not answer.equal
    assert ask(tmp_path, engine, min_fraction=0.76).edges == {}


@pytest.mark.parametrize("shared", [7, 14, 28, 55, 56, 57, 58])
def test_a_fraction_that_just_reaches_the_threshold_is_listed(tmp_path: Path, shared: int) -> None:
    write(
        tmp_path,
        child={"x": list(range(100))},
        parent={"x": [*range(shared), *range(1000, 1000 + shared)]},
    )
    answer = ask(tmp_path, min_fraction=shared / 100)
    assert answer.edges["child.parquet", "parent.parquet"] == (shared / 100, 100 - shared)


def test_equal_tables_are_edges_both_ways_and_one_class(tmp_path: Path, engine: str) -> None:
    write(
        tmp_path,
        one={"x": [1, 2]},
        two={"X": [2, 1, 1]},
        three={"x": [2, 1], "y": [0, 0]},
        four={"y": [0, 0], "x": [1, 2]},
    )
    graph = find(tmp_path, engine=engine)
    equal = {(edge.child, edge.parent) for edge in graph.edges if edge.equal}
    classes = (("four.parquet", "three.parquet"), ("one.parquet", "two.parquet"))
    assert graph.classes() == classes
    assert equal == {(a, b) for names in classes for a in names for b in names if a != b}
    assert len(graph.edges) == 8


def test_tables_without_rows_are_listed_apart(tmp_path: Path, engine: str) -> None:
    numbers = pa.int64()
    write(
        tmp_path,
        empty=one([], numbers),
        empty_too=one([], numbers),
        full=one([1], numbers),
        wide={"x": [2], "y": [3]},
        other_type=one(["a"]),
    )
    answer = ask(tmp_path, engine)
    assert answer.edges == {}
    assert answer.degenerate == {
        ("empty.parquet", "empty_too.parquet"),
        ("empty_too.parquet", "empty.parquet"),
        ("empty.parquet", "full.parquet"),
        ("empty_too.parquet", "full.parquet"),
        ("empty.parquet", "wide.parquet"),
        ("empty_too.parquet", "wide.parquet"),
    }


def test_tables_without_columns_are_listed_apart(tmp_path: Path, engine: str) -> None:
    rows_alone = pa.table({"x": [1, 2]}).select([])
    write(tmp_path, nothing=pa.table({}), rows_alone=rows_alone, full=one([1]), copy=one([1]))
    answer = ask(tmp_path, engine)
    assert not answer.problems
    assert answer.edges.keys() == answer.among("full.parquet", "copy.parquet")
    assert answer.degenerate >= {
        ("nothing.parquet", "full.parquet"),
        ("nothing.parquet", "rows_alone.parquet"),
        ("rows_alone.parquet", "full.parquet"),
    }


@pytest.mark.parametrize("sketch_size", [1, 1024])
def test_a_text_file_of_a_header_alone_is_listed_apart(
    tmp_path: Path, engine: str, sketch_size: int
) -> None:
    text(tmp_path, header_csv="x,y\n", full_csv="x,y\n1,2\n3,4\n5,6\n")
    answer = ask(tmp_path, engine, sketch_size=sketch_size)
    assert answer.edges == {}
    assert answer.degenerate == {("header.csv", "full.csv")}


def test_one_row_and_one_column_are_ordinary(tmp_path: Path, engine: str) -> None:
    write(tmp_path, cell={"x": [1]}, column={"x": [1, 2]}, row={"x": [1], "y": [2]})
    answer = ask(tmp_path, engine)
    found = {f"{c.split('.')[0]} in {p.split('.')[0]}" for c, p in answer.edges}
    assert found == {"cell in row", "cell in column"}
    assert not answer.degenerate


def test_every_edge_tells_what_proved_it(tmp_path: Path, engine: str) -> None:
    write(tmp_path, child={"x": [1]}, parent={"X": [1, 2]})
    (edge,) = find(tmp_path, engine=engine).edges
    assert edge.columns == (("x", "X"),)
    assert edge.stage == "exact"
    assert [evidence.verdict for evidence in edge.evidence] == [r2d2.Verdict.PROVED]


def test_no_stage_but_exact_and_shared_files_proves(tmp_path: Path, engine: str) -> None:
    write(tmp_path, child={"x": [1]}, parent={"x": [1, 2]})
    for stages in (("schema",), ("schema", "metadata"), ("schema", "metadata", "sketch")):
        assert find(tmp_path, engine=engine, stages=stages).edges == ()


def test_two_runs_give_the_same_answer_in_the_same_order(tmp_path: Path, engine: str) -> None:
    write(tmp_path, **{f"t{n}": {"x": list(range(n))} for n in range(12)})
    one_run, other = (find(tmp_path, engine=engine) for _ in range(2))
    assert one_run.edges == other.edges
    assert list(one_run.edges) == sorted(one_run.edges, key=lambda e: (e.child, e.parent))
