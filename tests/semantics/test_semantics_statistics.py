"""Statistics are bounds, not facts: one test for each line of design/semantics.md."""

import base64
import datetime as dt
import json
import struct
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import r2d2
from tests.support.oracle.asking import ask, find
from tests.support.oracle.files import (
    all_equal,
    both_ways,
    delta_log,
    edges,
    one,
    patched_footer,
    write,
)

pytestmark = pytest.mark.usefixtures("bounds_from")

NOBODY = b"nobody-knows-it version 1.2"


def test_bounds_refute_without_any_data_read(tmp_path: Path, engine: str) -> None:
    write(tmp_path, low=one([1, 2, 3]), high=one([11, 12]), wide=one([0, 100]))
    graph = find(tmp_path, engine=engine)
    assert graph.edges == ()
    metadata = next(row for row in graph.funnel if row.stage == "metadata")
    assert (metadata.pairs, metadata.refuted, metadata.left) == (6, 4, 2)
    assert metadata.bytes_read == 0


def test_a_string_statistic_cut_to_a_prefix_refutes_nothing_true(
    tmp_path: Path, engine: str
) -> None:
    long = ["a" * 100 + "b", "m" * 70, "z" * 100 + "c"]
    highest = ["\U0010ffff" * 40 + "x", "\x7f" * 70]
    for name, values in (("long", long), ("highest", highest)):
        pl.DataFrame({"x": values}).write_parquet(tmp_path / f"{name}.parquet")
        duckdb.from_arrow(one(values)).write_parquet(str(tmp_path / f"{name}_duck.parquet"))
        write(tmp_path, **{f"{name}_whole": one(values)})
    write(tmp_path, last=one(long[2:]), first=one(long[:1]))
    write(tmp_path, prefix=one([long[2][:64]]), carried=one(["z" * 63 + "{"]))
    equal = all_equal("long", "long_duck", "long_whole")
    equal |= all_equal("highest", "highest_duck", "highest_whole")
    parts = {f"{p} in long{e}" for p in ("first", "last") for e in ("", "_duck", "_whole")}
    assert edges(tmp_path, engine) == equal | parts


def test_bounds_made_up_by_an_unknown_writer_are_hints_only(tmp_path: Path, engine: str) -> None:
    write(tmp_path, made_up=one(["bbbbbbbb", "yyyyyyyy"]), honest=one(["bbbbbbbb", "yyyyyyyy"]))
    write(tmp_path, numbers_up=one([5, 6]), numbers=one([5, 6]))
    changes = {
        b"parquet-cpp-arrow version 2": NOBODY,
        b"bbbbbbbb": b"cccccccc",
        b"yyyyyyyy": b"dddddddd",
    }
    patched_footer(tmp_path / "made_up.parquet", changes)
    six, nine = struct.pack("<q", 6), struct.pack("<q", 5)
    numbers = {b"parquet-cpp-arrow version 2": NOBODY, six: nine}
    patched_footer(tmp_path / "numbers_up.parquet", numbers)
    expected = both_ways("made_up", "honest") | both_ways("numbers_up", "numbers")
    assert edges(tmp_path, engine) == expected


def test_nan_outside_the_bounds_refutes_nothing_true(tmp_path: Path, engine: str) -> None:
    nan = float("nan")
    write(tmp_path, nan=one([nan]), low=one([1.0, nan]), parent=one([0.0, 1.0, nan]))
    write(tmp_path, without=one([0.0, 1.0]))
    values = {"x": [0.0, 1.0, nan]}
    pl.DataFrame(values).write_parquet(tmp_path / "polars.parquet")
    duckdb.from_arrow(pa.table(values)).write_parquet(str(tmp_path / "duck.parquet"))
    parents = ("parent", "polars", "duck")
    children = {f"{c} in {p}" for c in ("nan", "low", "without") for p in parents}
    expected = all_equal(*parents) | children | {"nan in low"}
    assert edges(tmp_path, engine) == expected


def test_zeros_of_either_sign_are_within_each_others_bounds(tmp_path: Path, engine: str) -> None:
    write(tmp_path, plus=one([0.0]), minus=one([-0.0]), minus_null=one([-0.0, None]))
    expected = both_ways("plus", "minus") | {"plus in minus_null", "minus in minus_null"}
    assert edges(tmp_path, engine) == expected


def test_a_table_without_statistics_is_not_refuted_by_them(tmp_path: Path, engine: str) -> None:
    write(tmp_path, {"write_statistics": False}, bare=one([1, 2]), bare_child=one([1]))
    write(tmp_path, told=one([1, 2]), told_child=one([1]), nulls=one([None, 1, 2]))
    expected = both_ways("bare", "told") | both_ways("bare_child", "told_child")
    expected |= {
        f"{child} in {parent}"
        for child in ("bare_child", "told_child")
        for parent in ("bare", "told", "nulls")
    }
    expected |= {"bare in nulls", "told in nulls"}
    assert edges(tmp_path, engine) == expected


def test_a_child_with_more_rows_than_its_parent_is_not_refuted(tmp_path: Path, engine: str) -> None:
    write(tmp_path, child=one([1, 2] * 500), parent=one([1, 2, 3]))
    assert edges(tmp_path, engine) == {"child in parent"}


def test_a_distinct_count_above_the_parents_refutes(tmp_path: Path, engine: str) -> None:
    write(tmp_path, child=one([1, 2, 3, 4]), parent=one([1, 4, 4, 4, 4, 4]))
    assert edges(tmp_path, engine) == {"parent in child"}


def test_nulls_and_values_that_statistics_count_refute_nothing_true(
    tmp_path: Path, engine: str
) -> None:
    write(tmp_path, nulls=one([None, None], pa.int64()), mixed=one([None, 1]), full=one([1]))
    assert edges(tmp_path, engine) == {"nulls in mixed", "full in mixed"}


def test_bounds_at_the_ends_of_every_type_refute_nothing_true(tmp_path: Path, engine: str) -> None:
    big = 2**63 - 1
    tables = {
        "int64": one([-big - 1, big]),
        "uint64": one([0, 2**64 - 1], pa.uint64()),
        "uint32": one([0, 2**32 - 1], pa.uint32()),
        "uint8": one([0, 255], pa.uint8()),
        "date": one([-(2**31), 2**31 - 1], pa.date32()),
        "millis": one([-big, big], pa.timestamp("ms")),
        "micros": one([-big, big], pa.timestamp("us", "UTC")),
        "nanos": one([-big, big], pa.timestamp("ns")),
        "double": one([-float("inf"), float("inf"), 5e-324]),
        "bytes": one([b"", b"\xff" * 70]),
        "time": one([0, 86_399_999_999_999], pa.time64("ns")),
    }
    write(tmp_path / "a", **tables)
    write(tmp_path / "b", {"write_statistics": False}, **tables)
    write(tmp_path / "c", {"row_group_size": 1}, **tables)
    expected = set()
    for name in tables:
        expected |= all_equal(*(f"{folder}/{name}" for folder in "abc"))
    assert edges(tmp_path, engine) == expected


def test_bounds_of_a_dotted_column_are_not_those_of_a_struct_field(
    tmp_path: Path, engine: str
) -> None:
    point = pa.struct([("lat", pa.int64())])
    write(
        tmp_path,
        parent={"geo": pa.array([{"lat": 1000}], point), "geo.lat": [1]},
        turned={"geo.lat": [1], "geo": pa.array([{"lat": 1000}], point)},
        child={"geo.lat": [1]},
        field={"geo": pa.array([{"lat": 1000}], point)},
    )
    expected = both_ways("parent", "turned")
    expected |= {f"{c} in {p}" for c in ("child", "field") for p in ("parent", "turned")}
    assert edges(tmp_path, engine) == expected


def _delta(lake: Path, name: str, table: pa.Table, type_: str, stats: dict[str, Any]) -> None:
    write(lake / name, part=table)
    counted = {"numRecords": table.num_rows, "nullCount": {"x": 0}, **stats}
    adds = [{"path": "part.parquet", "stats": json.dumps(counted)}]
    delta_log(lake / name, [("x", type_)], adds)


def test_delta_statistics_cut_to_milliseconds_refute_nothing_true(
    tmp_path: Path, engine: str
) -> None:
    moment = dt.datetime(2020, 1, 1, 0, 0, 0, 123_999)
    cut = "2020-01-01T00:00:00.123Z"
    table = one([moment], pa.timestamp("us", "UTC"))
    _delta(tmp_path, "cut", table, "timestamp", {"minValues": {"x": cut}, "maxValues": {"x": cut}})
    _delta(tmp_path, "bare", table, "timestamp", {})
    write(tmp_path, parquet=table)
    assert edges(tmp_path, engine) == all_equal("cut", "bare", "parquet")


def test_delta_statistics_cut_to_a_prefix_refute_nothing_true(tmp_path: Path, engine: str) -> None:
    values = ["a" * 50, "z" * 50]
    stats = {"minValues": {"x": "a" * 32}, "maxValues": {"x": "z" * 32 + "\U0010ffff"}}
    _delta(tmp_path, "cut", one(values), "string", stats)
    tied = {"minValues": {"x": "a" * 32}, "maxValues": {"x": "z" * 32}}
    _delta(tmp_path, "tied", one(values), "string", tied)
    write(tmp_path, parquet=one(values), child=one(values[1:]))
    expected = all_equal("cut", "tied", "parquet")
    expected |= {"child in cut", "child in tied", "child in parquet"}
    assert edges(tmp_path, engine) == expected


def test_shared_files_prove_and_a_deletion_vector_is_part_of_a_file(
    tmp_path: Path, engine: str
) -> None:
    write(tmp_path / "whole", part=one([1, 2, 3, 4]))
    delta_log(tmp_path / "whole", [("x", "long")], [{"path": "part.parquet"}])
    shared = {"path": f"file://{tmp_path}/whole/part.parquet"}
    delta_log(tmp_path / "clone", [("x", "long")], [shared])
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, **features}
    cut = {**shared, "deletionVector": _deleted([1, 3])}
    delta_log(tmp_path / "cut", [("x", "long")], [cut], protocol=protocol)
    delta_log(tmp_path / "cut_clone", [("x", "long")], [cut], protocol=protocol)
    answer = ask(tmp_path, engine)
    assert not answer.problems
    rows = {table.location: table.rows for table in r2d2.tables(tmp_path).tables}
    assert rows == {"whole": 4, "clone": 4, "cut": 2, "cut_clone": 2}
    expected = all_equal("whole", "clone") | all_equal("cut", "cut_clone")
    expected |= {f"{c} in {p}" for c in ("cut", "cut_clone") for p in ("whole", "clone")}
    assert {f"{child} in {parent}" for child, parent in answer.edges} == expected


def _deleted(rows: list[int]) -> dict[str, object]:
    """An inline deletion vector of these rows: Delta's roaring bitmap array in Z85."""
    bitmap = struct.pack("<IIHHI", 12_346, 1, 0, len(rows) - 1, 16)
    bitmap += struct.pack(f"<{len(rows)}H", *rows)
    data = struct.pack("<IQI", 1_681_511_377, 1, 0) + bitmap
    ascii_of = dict(zip(_B85, _Z85, strict=True))
    text = "".join(ascii_of[character] for character in base64.b85encode(data).decode())
    return {
        "storageType": "i",
        "pathOrInlineDv": text,
        "sizeInBytes": len(data),
        "cardinality": len(rows),
    }


_B85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def test_partition_values_are_part_of_a_file(tmp_path: Path, engine: str) -> None:
    write(tmp_path / "one", part=one([1, 2]))
    shared = f"file://{tmp_path}/one/part.parquet"
    schema = [("x", "long"), ("p", "string")]
    for name, value in (("one", "a"), ("clone", "a"), ("other", "b"), ("null", None)):
        path = "part.parquet" if name == "one" else shared
        adds = [{"path": path, "partitionValues": {"p": value}}]
        delta_log(tmp_path / name, schema, adds, partitions=["p"])
    write(tmp_path, plain={"x": [1, 2]})
    answer = ask(tmp_path, engine)
    assert not answer.problems
    expected = both_ways("one", "clone")
    expected |= {f"plain.parquet in {name}" for name in ("one", "clone", "other", "null")}
    assert {f"{child} in {parent}" for child, parent in answer.edges} == expected
