"""Logs edited by hand: what is not known for certain makes the table unreadable, never wrong."""

import contextlib
import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from r2d2.errors import IneligibleTableError, TableError, UnreadableTableError
from r2d2.pipeline import tables
from r2d2.storage.local import Listing, LocalStorage

DATA = pa.table({"a": [1, 2, 3]})


def protocol(reader: int, writer: int, *features: str, also: tuple[str, ...] = ()) -> Any:
    """A protocol action; features are the reader's, `also` only the writer's."""
    lists = {"readerFeatures": [*features], "writerFeatures": [*features, *also]}
    versions = {"minReaderVersion": reader, "minWriterVersion": writer}
    return {"protocol": versions | (lists if writer == 7 else {})}


def refused(lake: Any, message: str, error: type[TableError] = UnreadableTableError) -> None:
    """Asserts that table t is not eligible, for the reason."""
    with pytest.raises(error, match=message):
        lake.inspect("t")


def test_a_plain_table_is_read(lake: Any) -> None:
    lake.create("t", DATA)
    table = lake.inspect("t")
    assert (table.rows, table.snapshot) == (3, "delta:0")
    assert lake.read("t").equals(DATA)


def test_a_table_at_the_root_of_the_lake_is_read(lake: Any) -> None:
    lake.create("", DATA)
    assert lake.read("").equals(DATA)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (protocol(3, 7, "deletionVectors", "telepathy"), "reader feature not supported: telepathy"),
        (protocol(3, 7, "variantType"), "reader feature not supported: variantType"),
        (protocol(3, 7, "catalogManaged"), "reader feature not supported: catalogManaged"),
        (protocol(1, 7, also=("coordinatedCommits-preview",)), "writer feature not supported"),
        (protocol(4, 7), "protocol 4/7 is not known"),
        (protocol(3, 8), "protocol 3/8 is not known"),
        (protocol(0, 2), "protocol 0/2 is not known"),
    ],
)
def test_an_unknown_feature_makes_the_table_unreadable(
    lake: Any, action: Any, message: str
) -> None:
    lake.create("t", DATA)
    lake.write_commit("t", 1, action)
    refused(lake, message)


def test_a_column_mapping_mode_that_is_not_known_is_refused(lake: Any) -> None:
    lake.create("t", DATA, **{"delta.columnMapping.mode": "telepathy"})
    lake.write_commit("t", 1, protocol(2, 5))
    refused(lake, "mode 'telepathy' is not known")


def test_column_mapping_without_its_feature_is_not_honoured(lake: Any) -> None:
    lake.create("t", DATA, **{"delta.columnMapping.mode": "name"})
    assert lake.read("t").equals(DATA)


def test_a_zero_byte_last_commit_is_unreadable(lake: Any) -> None:
    lake.create("t", DATA)
    lake.commit("t", 1).touch()
    refused(lake, r"commit 1 in _delta_log is empty \(0 bytes\)")


@pytest.mark.parametrize(
    "content",
    [
        b'{"add": {"path": "x',
        b"garbage\n",
        b"\0\0\0\0",
        b"[]\n",
        b"3\n",
        b"{}\n",
        b"\xff\xfe{}\n",
        b'{"add": {}}\n',
        b'{"add": 3}\n',
        b'{"remove": {"path": null}}\n',
        b'{"protocol": {"minReaderVersion": 1}}\n',
        b'{"metaData": {"schemaString": "{}"}}\n',
    ],
)
def test_a_damaged_last_commit_is_unreadable(lake: Any, content: bytes) -> None:
    lake.create("t", DATA)
    lake.commit("t", 1).write_bytes(content)
    refused(lake, "000001.json: line 1 is no Delta action")


NASTY = [None, 0, -1, 2**70, 1e400, True, "", "x", "\ud800", "%ff", [], {}, [[]], {"x": 1}, ["x"]]


def mutations(value: Any) -> Iterator[Any]:
    """The JSON value with one part of it, or all, replaced by something nasty."""
    yield from NASTY
    if isinstance(value, dict):
        for key, part in value.items():
            yield {k: v for k, v in value.items() if k != key}
            for changed in mutations(part):
                yield value | {key: changed}
    elif isinstance(value, str) and value.startswith("{"):
        yield from map(json.dumps, mutations(json.loads(value)))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            for changed in mutations(part):
                yield [*value[:index], changed, *value[index + 1 :]]


def test_a_nasty_value_anywhere_in_the_log_ends_one_table_only(lake: Any) -> None:
    lake.create("t", DATA, **{"delta.columnMapping.mode": "id"})
    lines = [json.loads(line) for line in lake.commit("t", 0).read_text().splitlines()]
    lines[0] = protocol(3, 7, "columnMapping", "deletionVectors")
    mapped = {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "p"}
    parts = {
        "type": "struct",
        "fields": [{"name": "x", "type": "decimal(4,2)", "metadata": mapped}],
    }
    types = [
        "integer",
        {"type": "array", "elementType": parts},
        {"type": "map", "keyType": "string", "valueType": "date"},
    ]
    fields = [{"name": f"p{i}", "type": t, "metadata": mapped} for i, t in enumerate(types)]
    lines[1]["metaData"]["schemaString"] = json.dumps({"type": "struct", "fields": fields})
    lines[1]["metaData"]["partitionColumns"] = ["p0"]
    vector = {
        "storageType": "u",
        "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^",
        "offset": 4,
        "sizeInBytes": 40,
        "cardinality": 6,
    }
    lines[2]["add"] |= {"deletionVector": vector, "partitionValues": {"p": "1"}}
    lines.append({"remove": {"path": "gone", "deletionVector": vector}})
    tried = 0
    for index, line in enumerate(lines):
        for changed in mutations(line):
            lake.write_commit("t", 0, *lines[:index], changed, *lines[index + 1 :])
            with contextlib.suppress(TableError):
                lake.inspect("t")
            tried += 1
    assert tried > 1200


def test_a_log_nested_without_end_is_unreadable(lake: Any) -> None:
    lake.create("t", DATA)
    lake.commit("t", 1).write_text("[" * 100_000)
    refused(lake, "line 1 is no Delta action")
    lake.commit("t", 1).write_text('{"add": ' + '{"a":' * 100_000)
    refused(lake, "line 1 is no Delta action")


def test_a_gap_in_the_commits_is_unreadable(lake: Any) -> None:
    lake.create("t", DATA)
    lake.write_commit("t", 2, {"commitInfo": {}})
    refused(lake, "commit 1 is missing")


def test_a_log_without_its_first_commit_is_unreadable(lake: Any) -> None:
    lake.create("t", DATA)
    lake.commit("t", 0).rename(lake.commit("t", 1))
    refused(lake, "commit 0 is missing")


def test_an_empty_log_is_unreadable(lake: Any) -> None:
    lake.create("t", DATA)
    lake.commit("t", 0).rename(lake.log("t", "notes.txt"))
    refused(lake, "_delta_log holds no commit")


@pytest.mark.parametrize(
    "name",
    [
        f"{1:020}.crc",
        f"{1:020}.{3:020}.compacted.json",
        f"{4:020}.checkpoint.parquet",
        f"{4:020}.checkpoint.{1:010}.{2:010}.parquet",
    ],
)
def test_a_trace_of_a_later_version_is_never_an_older_version(lake: Any, name: str) -> None:
    lake.create("t", DATA)
    lake.log("t", name).touch()
    refused(lake, "is of a version after 0|is missing")


def test_a_table_without_metadata_or_protocol_is_unreadable(lake: Any) -> None:
    lake.create("t", DATA)
    lake.write_commit("t", 0, protocol(1, 2))
    refused(lake, "no metaData action")


def test_data_in_another_format_is_refused(lake: Any) -> None:
    lake.create("t", DATA)

    def as_csv(line: dict[str, Any]) -> None:
        if "metaData" in line:
            line["metaData"]["format"]["provider"] = "csv"

    lake.rewrite("t", as_csv)
    refused(lake, "data files are csv")


def test_a_missing_data_file_is_unreadable(lake: Any) -> None:
    lake.create("t", DATA)
    (lake.root / "t/f.parquet").unlink()
    refused(lake, "t/f.parquet is named in _delta_log and is missing")


def test_a_data_file_of_another_size_is_unreadable(lake: Any) -> None:
    lake.create("t", DATA)
    pq.write_table(pa.table({"a": [1, 2, 3], "b": [1, 2, 3]}), lake.root / "t/f.parquet")
    refused(lake, "has 7.. bytes, 4.. by _delta_log")


def test_a_wrong_row_count_in_the_log_is_unreadable(lake: Any) -> None:
    add = lake.create("t", DATA)
    add["add"]["stats"] = json.dumps({"numRecords": 4})
    lake.write_commit("t", 1, add)
    refused(lake, "3 rows, 4 by _delta_log")


def test_rows_are_counted_where_the_log_has_no_statistics(lake: Any) -> None:
    add = lake.create("t", DATA)
    del add["add"]["stats"]
    lake.write_commit("t", 1, add)
    assert lake.inspect("t").rows == 3


@pytest.mark.parametrize("path", ["../t/f.parquet", "x/../f.parquet", "%2E%2E/t/f.parquet"])
def test_a_path_with_dots_is_refused(lake: Any, path: str) -> None:
    add = lake.create("t", DATA)
    lake.write_commit("t", 1, {"add": add["add"] | {"path": path}})
    refused(lake, "a path with `..` is refused")


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "file:///etc/passwd", "s3://bucket/key", "a:b/f.parquet"]
)
def test_a_path_out_of_the_lake_is_refused(lake: Any, path: str) -> None:
    add = lake.create("t", DATA)
    lake.write_commit("t", 1, {"add": add["add"] | {"path": path}})
    refused(lake, "lies outside the lake: refused")


@pytest.mark.parametrize("form", ["{}", "file:{}", "file://{}"])
def test_an_absolute_path_into_the_lake_is_followed(lake: Any, form: str) -> None:
    add = lake.create("source", DATA)
    lake.create("t", DATA)
    path = form.format(f"{lake.root}/source/f.parquet")
    lake.write_commit(
        "t", 1, {"remove": {"path": "f.parquet"}}, {"add": add["add"] | {"path": path}}
    )
    assert lake.inspect("t").files == (lake.files()["source/f.parquet"],)
    assert lake.read("t").equals(DATA)


def test_a_lake_of_shallow_clones_is_listed_once(
    lake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = lake.create("source", DATA)
    for clone in ("c", "d"):
        lake.create(clone, DATA)
        copied = add["add"] | {"path": f"{lake.root}/source/f.parquet"}
        lake.write_commit(clone, 1, {"remove": {"path": "f.parquet"}}, {"add": copied})
    source, listed, listings = lake.files()["source/f.parquet"], LocalStorage.list, []

    def counted(storage: LocalStorage) -> Listing:
        listings.append(storage.url)
        return listed(storage)

    monkeypatch.setattr(LocalStorage, "list", counted)
    assert [table.files for table in tables(lake.root).tables] == [(source,)] * 3
    assert len(listings) == 1


def test_a_link_out_of_the_lake_is_not_followed(lake: Any, tmp_path: Any) -> None:
    add = lake.create("t", DATA)
    (lake.root / "t/f.parquet").rename(tmp_path / "f.parquet")
    (lake.root / "t/f.parquet").symlink_to(tmp_path / "f.parquet")
    lake.write_commit("t", 1, add)
    refused(lake, "is missing")


def test_a_removed_file_is_not_read(lake: Any) -> None:
    lake.create("t", DATA)
    more = lake.add_file("t", "a b%.parquet", pa.table({"a": [9]}))
    more["add"]["path"] = "a%20b%25.parquet"
    lake.write_commit("t", 1, more, {"remove": {"path": "f.parquet"}})
    assert lake.read("t").to_pydict() == {"a": [9]}


def test_hives_word_for_null_is_a_text_in_a_delta_log(lake: Any) -> None:
    lake.create("t", DATA)

    def partition(line: dict[str, Any]) -> None:
        if "metaData" in line:
            schema = line["metaData"]["schemaString"]
            field = '{"name": "p", "type": "string", "nullable": true, "metadata": {}}'
            line["metaData"]["schemaString"] = schema[:-2] + f", {field}" + schema[-2:]
            line["metaData"]["partitionColumns"] = ["p"]

    lake.rewrite("t", partition)
    for version, text in enumerate(["__HIVE_DEFAULT_PARTITION__", None], start=1):
        values = {"p": text}
        add = lake.add_file("t", f"{version}.parquet", DATA, partitionValues=values)
        lake.write_commit("t", version, add, {"remove": {"path": "f.parquet"}})
    assert set(lake.read("t")["p"].to_pylist()) == {None, "__HIVE_DEFAULT_PARTITION__"}
    lake.write_commit("t", 3, lake.add_file("t", "3.parquet", DATA))
    refused(lake, "no value for partition column p")


@pytest.mark.parametrize(
    ("type_", "text", "error"),
    [
        ("integer", "1.0", UnreadableTableError),
        ("integer", "x", UnreadableTableError),
        ("byte", "128", UnreadableTableError),
        ("double", "0x1p3", UnreadableTableError),
        ("double", "1e", UnreadableTableError),
        ("boolean", "yes", UnreadableTableError),
        ("date", "2024-02-30", UnreadableTableError),
        ("date", "+12024-02-01", UnreadableTableError),
        ("decimal(4,2)", "1.234", UnreadableTableError),
        ("decimal(4,2)", "123.4", UnreadableTableError),
        ("decimal(4,2)", "NaN", UnreadableTableError),
        ("timestamp_ntz", "2024-01-01T00:00:00Z", UnreadableTableError),
        ("timestamp_ntz", "2024-01-01 00:00:00.0000001", UnreadableTableError),
        ("timestamp", "2024-01-01 00:00:00", IneligibleTableError),
        ("timestamp", "2024-01-01", IneligibleTableError),
        ("string", "", IneligibleTableError),
        ("binary", "", IneligibleTableError),
        ("binary", "\\u0001", IneligibleTableError),
        ({"type": "array", "elementType": "string"}, "x", UnreadableTableError),
    ],
)
def test_partition_text_that_is_no_value_is_refused(
    lake: Any, type_: Any, text: str, error: type[TableError]
) -> None:
    partition_by(lake, type_, text)
    refused(lake, re.escape(repr(text)), error)


def partition_by(lake: Any, type_: Any, text: str) -> None:
    """Writes table t of column p alone, a partition's of the type and with the value."""
    lake.create("t", DATA)

    def partition(line: dict[str, Any]) -> None:
        if "metaData" in line:
            fields = [{"name": "p", "type": type_, "nullable": True, "metadata": {}}]
            line["metaData"]["schemaString"] = json.dumps({"type": "struct", "fields": fields})
            line["metaData"]["partitionColumns"] = ["p"]
        if "add" in line:
            line["add"]["partitionValues"] = {"p": text}

    lake.rewrite("t", partition)


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("integer", "", None),
        ("date", "", None),
        ("timestamp", "", None),
        ("boolean", "", None),
        ("double", "-inf", -math.inf),
        ("float", "-Infinity", -math.inf),
        ("binary", "\u00fc", "\u00fc".encode()),
        ("timestamp", "2024-01-01T00:00:00.5Z", datetime(2024, 1, 1, 0, 0, 0, 500_000, UTC)),
        ("timestamp", "2024-01-01 00:00:00Z", datetime(2024, 1, 1, tzinfo=UTC)),
        ("timestamp_ntz", "2024-01-01 00:00:00.000000", datetime(2024, 1, 1)),
    ],
)
def test_partition_text_that_all_readers_read_alike_is_a_value(
    lake: Any, type_: str, text: str, value: object
) -> None:
    partition_by(lake, type_, text)
    assert lake.read("t")["p"].to_pylist() == [value] * 3


@pytest.mark.parametrize(
    ("data", "schema", "message"),
    [
        (DATA, "a integer", "a is int64 in the file and int32 in the table"),
        (DATA, "a double", "a is int64 in the file and double in the table"),
        (DATA, "a string", "a is int64 in the file and string in the table"),
        (pa.table({"a": [1.5]}), "a long", "a is double in the file and int64"),
        (pa.table({"a": ["x"]}), "a long", "a is string in the file"),
        (pa.table({"a": pa.array([0], pa.timestamp("ns"))}), "a timestamp", "a is timestamp"),
        (pa.table({"a": pa.array([0], pa.timestamp("us", "UTC"))}), "a timestamp_ntz", "a is tim"),
        (pa.table({"a": pa.array([0], pa.timestamp("ns"))}), "a timestamp_ntz", "a is timestamp"),
        (pa.table({"a": [1], "A": [2]}), "a long", "a fits 2 columns of the file"),
        (pa.table({"a": [[1]]}), "a long", "a is list<element: int64> in the file"),
    ],
)
def test_a_file_that_contradicts_the_schema_is_unreadable(
    lake: Any, data: pa.Table, schema: str, message: str
) -> None:
    lake.create("t", data, schema=schema)
    refused(lake, message)


@pytest.mark.parametrize("type_", ["interval day", "udt", "geometry(4326)", "calendar_interval"])
def test_a_type_without_identity_is_ineligible(lake: Any, type_: str) -> None:
    lake.create("t", DATA, schema=f"a {type_}")
    refused(lake, f"column a: Delta type {re.escape(type_)}", IneligibleTableError)


def test_a_file_without_ids_is_unreadable_under_mapping_by_id(lake: Any) -> None:
    lake.create("t", DATA, **{"delta.columnMapping.mode": "id"})

    def mapped(line: dict[str, Any]) -> None:
        if "metaData" in line:
            schema = json.loads(line["metaData"]["schemaString"])
            schema["fields"][0]["metadata"] = {
                "delta.columnMapping.id": 1,
                "delta.columnMapping.physicalName": "a",
            }
            line["metaData"]["schemaString"] = json.dumps(schema)

    lake.write_commit("t", 1, protocol(2, 5))
    refused(lake, "the Delta schema cannot be understood: KeyError")
    lake.rewrite("t", mapped)
    refused(lake, "no field ids")


def test_a_compaction_is_not_read_where_single_commits_tell_otherwise(lake: Any) -> None:
    lake.create("t", DATA)
    first = list(map(json.loads, lake.commit("t", 0).read_text().splitlines()))
    more = lake.add_file("t", "more.parquet", pa.table({"a": [9]}))
    lake.write_commit("t", 1, more)
    lake.write_commit("t", 2, {"remove": {"path": "f.parquet"}})
    newest_first = [{"remove": {"path": "f.parquet"}}, more, *first]
    written = "".join(json.dumps(action) + "\n" for action in newest_first)
    lake.log("t", f"{0:020}.{2:020}.compacted.json").write_text(written)
    assert lake.read("t").to_pydict() == {"a": [9]}


@pytest.mark.parametrize(
    "other",
    [
        pa.table({"txn": [{"appId": "a", "version": 1}]}),
        pa.table({"remove": [{"path": "gone.parquet", "deletionTimestamp": 0}]}),
        pa.table({"domainMetadata": [{"domain": "a", "configuration": "", "removed": False}]}),
        pa.table({"txn": pa.array([], pa.struct([("appId", pa.string())]))}),
        pa.table({}),
    ],
)
def test_a_part_of_a_checkpoint_may_hold_nothing_that_a_reader_needs(
    lake: Any, other: pa.Table
) -> None:
    write_deltalake(lake.path("t"), DATA)
    DeltaTable(lake.path("t")).create_checkpoint()
    whole = lake.log("t", f"{0:020}.checkpoint.parquet")
    whole.rename(lake.log("t", f"{0:020}.checkpoint.{1:010}.{2:010}.parquet"))
    part = lake.log("t", f"{0:020}.checkpoint.{2:010}.{2:010}.parquet")
    pq.write_table(other, part)
    lake.commit("t", 0).write_text("never read")
    assert lake.read("t").equals(DATA)
    pq.write_table(pa.table({"a": [1]}), part)
    refused(lake, "none of its columns")


def test_a_damaged_checkpoint_is_unreadable(lake: Any) -> None:
    add = lake.create("t", DATA)
    lake.write_commit("t", 1, add)
    lake.log("t", f"{1:020}.checkpoint.parquet").write_bytes(b"PAR1 damaged PAR1")
    refused(lake, "checkpoint")


def test_a_checkpoint_of_no_bytes_is_not_used(lake: Any) -> None:
    add = lake.create("t", DATA)
    lake.write_commit("t", 1, add)
    lake.log("t", f"{1:020}.checkpoint.parquet").touch()
    assert lake.read("t").equals(DATA)


def test_a_checksum_file_that_disagrees_makes_the_table_unreadable(lake: Any) -> None:
    add = lake.create("t", DATA)
    crc = lake.commit("t", 0).with_suffix(".crc")
    crc.write_text(json.dumps({"numFiles": 1, "tableSizeBytes": add["add"]["size"]}))
    assert lake.inspect("t").rows == 3
    crc.write_text(json.dumps({"numFiles": 2, "tableSizeBytes": add["add"]["size"]}))
    refused(lake, "should have 2 files")
    crc.write_text("damaged")
    assert lake.inspect("t").rows == 3
