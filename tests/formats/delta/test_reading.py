"""Tables read without a JVM: types, nesting, splits, bounds, identity, and how much is read."""

import datetime as dt
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.errors import UnreadableTableError
from r2d2.formats.bounds import number_rank, text_rank
from r2d2.formats.delta import read as delta_read
from r2d2.formats.delta import table as delta_table
from r2d2.model import Bounds, FileInfo
from r2d2.storage import storage_of
from r2d2.storage.local import LocalStorage

UTC = dt.UTC
EVERYTHING = pa.table(
    {
        "l": pa.array([1, None, -(2**63)], pa.int64()),
        "i": pa.array([1, None, -(2**31)], pa.int32()),
        "h": pa.array([1, None, -(2**15)], pa.int16()),
        "b": pa.array([1, None, -128], pa.int8()),
        "f": pa.array([0.1, None, float("nan")], pa.float32()),
        "d": pa.array([-0.0, None, float("inf")], pa.float64()),
        "s": pa.array(["", None, "ü\0🦆"], pa.string()),
        "x": pa.array([b"", None, b"\xff\0"], pa.binary()),
        "o": pa.array([True, None, False]),
        "e": pa.array([Decimal("1.50"), None, Decimal("-99.99")], pa.decimal128(4, 2)),
        "y": pa.array([dt.date(1, 1, 1), None, dt.date(9999, 12, 31)]),
        "t": pa.array(
            [dt.datetime(1, 1, 1, tzinfo=UTC), None, dt.datetime(9999, 12, 31, 23, tzinfo=UTC)],
            pa.timestamp("us", "UTC"),
        ),
        "n": pa.array([dt.datetime(1, 1, 1), None, dt.datetime(9999, 12, 31)], pa.timestamp("us")),
        "a": pa.array([[1, None], None, []], pa.list_(pa.int64())),
        "m": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "g": pa.array(
            [{"p": 1, "q": [{"r": "x"}, None]}, None, {"p": None, "q": None}],
            pa.struct([("p", pa.int32()), ("q", pa.list_(pa.struct([("r", pa.string())])))]),
        ),
    }
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_type_that_delta_rs_writes_is_read(lake: Any, same: Any) -> None:
    from deltalake import write_deltalake

    write_deltalake(lake.path("t"), EVERYTHING.slice(0, 2))
    write_deltalake(lake.path("t"), EVERYTHING.slice(2), mode="append")
    same(lake.read("t"), EVERYTHING)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_partitions_and_checkpoints_that_delta_rs_writes_are_read(lake: Any, same: Any) -> None:
    from deltalake import DeltaTable, write_deltalake

    texts = ["a b", "%41", "ü/x", None, "a=b", "+", "#?", "..", ":", "\n"]
    data = pa.table({"v": range(len(texts)), "p": texts})
    write_deltalake(lake.path("t"), data, partition_by=["p"])
    same(lake.read("t"), data)
    write_deltalake(lake.path("t"), data, mode="append")
    DeltaTable(lake.path("t")).delete("v < 3")
    DeltaTable(lake.path("t")).create_checkpoint()
    for version in range(2):
        lake.commit("t", version).unlink()
    same(lake.read("t"), pa.concat_tables([data.slice(3)] * 2))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_log_of_many_versions_by_delta_rs_is_read(lake: Any, same: Any) -> None:
    from deltalake import DeltaTable, write_deltalake

    for version in range(25):
        write_deltalake(lake.path("t"), pa.table({"a": [version]}), mode="append")
    DeltaTable(lake.path("t")).optimize.compact()
    assert lake.inspect("t").snapshot == "delta:25"
    same(lake.read("t"), pa.table({"a": range(25)}))


class Counting(LocalStorage):
    """A storage that counts what is read of each file."""

    reads: ClassVar[Counter[str]] = Counter()

    def read(self, file: FileInfo, start: int = 0, length: int | None = None) -> bytes:
        if length != 0:
            self.reads[Path(file.path).suffix] += 1
        return LocalStorage.read(self, file, start, length)


def test_a_small_table_costs_a_commit_and_a_footer_and_once_its_data(lake: Any) -> None:
    lake.create("t", EVERYTHING.select(["l", "s"]), schema="l long, s string")
    storage = Counting(str(lake.root))
    storage.reads.clear()
    table = delta_table.inspect(storage, "t", list(lake.files().values()))
    assert storage.reads == {".json": 1, ".parquet": 1}
    (split,) = table.splits
    list(delta_read.read(storage, split, {"l"}))
    assert storage.reads == {".json": 1, ".parquet": 2}


def test_only_the_columns_asked_for_are_read_in_the_tables_order(lake: Any) -> None:
    lake.create("t", pa.table({"a": [1], "b": ["x"], "c": [0.5]}))
    assert lake.read("t", ["c", "a"]).column_names == ["a", "c"]


def test_columns_are_found_whatever_their_case(lake: Any) -> None:
    lake.create("t", pa.table({"aB": [1]}), schema="Ab long")
    assert lake.read("t").to_pydict() == {"Ab": [1]}


def test_names_with_dots_are_not_mistaken_for_nesting(lake: Any) -> None:
    data = pa.table({"a.b": [1], "a": [{"b": 2}]})
    lake.create("t", data, schema="a.b long, c long")

    def nested(line: dict[str, Any]) -> None:
        if "metaData" in line:
            schema = json.loads(line["metaData"]["schemaString"])
            inner = {"name": "b", "type": "long", "nullable": True, "metadata": {}}
            schema["fields"][1] |= {"name": "a", "type": {"type": "struct", "fields": [inner]}}
            line["metaData"]["schemaString"] = json.dumps(schema)

    lake.rewrite("t", nested)
    assert lake.read("t").to_pylist() == [{"a.b": 1, "a": {"b": 2}}]
    assert lake.read("t", ["a"]).to_pylist() == [{"a": {"b": 2}}]


@pytest.mark.parametrize("layout", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_arrows_layouts_of_one_type_are_one(lake: Any, layout: pa.DataType) -> None:
    lake.create("t", pa.table({"a": pa.array(["x", None], layout)}), schema="a string")
    assert lake.read("t").schema == pa.schema([("a", pa.string())])


def test_bytes_that_are_no_text_are_no_string(lake: Any) -> None:
    lake.create("t", pa.table({"a": pa.array([b"ok"], pa.binary())}), schema="a string")
    assert lake.read("t").to_pydict() == {"a": ["ok"]}
    lake.create("u", pa.table({"a": pa.array([b"\xff"], pa.binary())}), schema="a string")
    with pytest.raises(UnreadableTableError, match="UTF8"):
        lake.read("u")


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_instants_of_a_file_without_a_zone_are_in_utc(lake: Any, unit: str) -> None:
    naive = pa.array([dt.datetime(2024, 1, 1), None, dt.datetime(1969, 12, 31)], pa.timestamp(unit))
    lake.create("t", pa.table({"a": naive}), schema="a timestamp")
    values = [dt.datetime(2024, 1, 1, tzinfo=UTC), None, dt.datetime(1969, 12, 31, tzinfo=UTC)]
    assert lake.read("t")["a"].to_pylist() == values


def test_instants_with_any_zone_are_instants_in_utc(lake: Any) -> None:
    at = pa.array([0], pa.timestamp("ms", "Europe/Berlin"))
    lake.create("t", pa.table({"a": at}), schema="a timestamp")
    assert lake.read("t")["a"].to_pylist() == [dt.datetime(1970, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize("year", [1899, 1900])
def test_old_int96_instants_of_an_unknown_calendar_are_refused(lake: Any, year: int) -> None:
    key = {"org.apache.spark.legacyINT96": ""}
    data = pa.table({"a": pa.array([dt.datetime(year, 1, 1)], pa.timestamp("us"))})
    add = lake.create("t", data, schema="a timestamp")
    path = lake.root / "t/f.parquet"
    pq.write_table(data.replace_schema_metadata(key), path, use_deprecated_int96_timestamps=True)
    add["add"]["size"] = path.stat().st_size
    lake.write_commit("t", 1, add)
    if year < 1900:
        with pytest.raises(UnreadableTableError, match="before 1900"):
            lake.read("t")
    else:
        assert lake.read("t").num_rows == 1


def test_a_big_file_is_split_at_row_groups(lake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta_table, "BIG_FILE_BYTES", 0)
    monkeypatch.setattr(delta_table, "SPLIT_BYTES", 2000)
    data = pa.table({"a": range(1000)})
    add = lake.create("t", data)
    pq.write_table(data, lake.root / "t/f.parquet", row_group_size=100)
    size = (lake.root / "t/f.parquet").stat().st_size
    vector = {
        "storageType": "i",
        "pathOrInlineDv": "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L",
        "sizeInBytes": 44,
        "cardinality": 6,
    }
    lake.write_commit("t", 1, {"remove": {"path": "f.parquet"}})
    lake.write_commit("t", 2, {"add": add["add"] | {"size": size, "deletionVector": vector}})
    splits = lake.inspect("t").splits
    assert [group for split in splits for group in split.row_groups] == list(range(10))
    assert len(splits) > 2
    gone = {3, 4, 7, 11, 18, 29}
    assert lake.read("t")["a"].to_pylist() == [row for row in range(1000) if row not in gone]


def exact(least: int, greatest: int, *, nulls: bool = False) -> Bounds:
    """Bounds that are attained."""
    return Bounds(least, least, greatest, greatest, nulls, True)


def test_bounds_come_from_the_live_files_footers(lake: Any) -> None:
    lake.create("t", pa.table({"a": [1, 5]}), schema="a long, b string")
    more = lake.add_file("t", "g.parquet", pa.table({"a": [-3, None], "b": ["x", "y"]}))
    lake.write_commit("t", 1, more)
    bounds = lake.inspect("t").bounds
    assert bounds["a"] == exact(number_rank(-3), number_rank(5), nulls=True)
    assert bounds["b"] == exact(text_rank(b"x"), text_rank(b"y"), nulls=True)
    lake.write_commit("t", 2, {"remove": {"path": "f.parquet"}})
    assert lake.inspect("t").bounds["b"] == exact(text_rank(b"x"), text_rank(b"y"))


def test_bounds_of_widened_numbers_are_kept_and_of_padded_text_are_not(lake: Any) -> None:
    data = pa.table({"a": pa.array([1, 2], pa.int32()), "c": ["x", "y"]})
    lake.create("t", data, schema="a double, c string")

    def char(line: dict[str, Any]) -> None:
        if "metaData" in line:
            schema = json.loads(line["metaData"]["schemaString"])
            schema["fields"][1]["metadata"] = {"__CHAR_VARCHAR_TYPE_STRING": "char(3)"}
            line["metaData"]["schemaString"] = json.dumps(schema)

    lake.rewrite("t", char)
    bounds = lake.inspect("t").bounds
    assert bounds["a"] == exact(number_rank(1), number_rank(2))
    assert bounds["c"] == Bounds()
    assert lake.read("t")["c"].to_pylist() == ["x  ", "y  "]


def test_splits_are_read_in_another_storage_of_the_same_lake(lake: Any) -> None:
    lake.create("t", pa.table({"a": [1]}))
    (split,) = lake.inspect("t").splits
    batches = list(delta_read.read(storage_of(str(lake.root)), split, {"a"}))
    assert [batch.to_pydict() for batch in batches] == [{"a": [1]}]


def test_a_file_changed_after_the_inventory_is_unreadable(lake: Any) -> None:
    lake.create("t", pa.table({"a": [1]}))
    (split,) = lake.inspect("t").splits
    pq.write_table(pa.table({"a": [2]}), lake.root / "t/f.parquet")
    with pytest.raises(UnreadableTableError, match="changed since it was listed"):
        list(delta_read.read(storage_of(str(lake.root)), split, {"a"}))
    (lake.root / "t/f.parquet").unlink()
    with pytest.raises(UnreadableTableError, match="vanished"):
        list(delta_read.read(storage_of(str(lake.root)), split, {"a"}))


@pytest.mark.parametrize("place", range(4, 500, 7))
def test_a_flipped_bit_is_an_error_or_no_difference(lake: Any, place: int) -> None:
    data = pa.table({"a": range(20), "b": [str(i) for i in range(20)]})
    lake.create("t", data)
    path = lake.root / "t/f.parquet"
    pq.write_table(data, path, write_page_checksum=True, compression="none")
    whole = bytearray(path.read_bytes())
    whole[place % len(whole)] ^= 0x10
    path.write_bytes(bytes(whole))
    lake.write_commit("t", 1, {"add": lake.actions("t", "add")[0] | {"size": len(whole)}})
    try:
        read = lake.read("t")
    except UnreadableTableError:
        return
    assert read.equals(data)
