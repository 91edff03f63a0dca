"""Avro: what is read is what was written, and what cannot be read rightly is refused."""

import bz2
import io
import json
import lzma
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import r2d2
from r2d2.lake import avro
from r2d2.lake.inventory import read_split
from r2d2.lake.storage import storage_of
from r2d2.model import Table

SYNC = bytes(range(16))
COUNT_UNREADABLE = """
import sys
import r2d2
graph = r2d2.find(sys.argv[1])
print(sum(table.unreadable for table in graph.tables), *sorted(graph.classes())[0])
"""


def record(*types: Any) -> dict[str, Any]:
    """A record's schema with fields `a`, `b` … of the types."""
    fields = [{"name": chr(97 + place), "type": type_} for place, type_ in enumerate(types)]
    return {"type": "record", "name": "r", "fields": fields}


def write(lake: Path, schema: Any, rows: Sequence[Any], **options: Any) -> Table:
    with (lake / "t.avro").open("wb") as file:
        fastavro.writer(file, schema, rows, **options)
    return the_table(lake)


def write_raw(
    lake: Path, schema: Any, blocks: Sequence[tuple[int, bytes]], codec: str = "null"
) -> Table:
    """A file of blocks as given; fastavro would not write what some tests need."""
    meta = {b"avro.schema": json.dumps(schema).encode(), b"avro.codec": codec.encode()}
    head = b"".join(text(key) + text(value) for key, value in meta.items())
    body = b"".join(long(rows) + text(content) + SYNC for rows, content in blocks)
    header = b"Obj\x01" + long(len(meta)) + head + b"\0" + SYNC
    (lake / "t.avro").write_bytes(header + body)
    return the_table(lake)


def long(number: int) -> bytes:
    number, found = (number << 1) ^ (number >> 63), b""
    while number > 127:
        number, found = number >> 7, found + bytes([number & 127 | 128])
    return found + bytes([number])


def text(content: bytes) -> bytes:
    return long(len(content)) + content


def the_table(lake: Path) -> Table:
    (found,) = r2d2.tables(lake).tables
    return found


def batches(lake: Path, table: Table, *names: str) -> list[pa.RecordBatch]:
    storage = storage_of(str(lake))
    wanted = names or tuple(column.path[0] for column in table.columns)
    return [batch for split in table.splits for batch in read_split(storage, split, wanted)]


def read(lake: Path, table: Table) -> pa.Table:
    assert table.problem is None
    return pa.Table.from_batches(batches(lake, table))


def values(lake: Path, table: Table) -> list[Any]:
    """The values of the first column."""
    return read(lake, table).column(0).to_pylist()


FIXED = {"type": "fixed", "name": "f", "size": 3}
ENUM = {"type": "enum", "name": "e", "symbols": ["A", "B"]}


def logical(type_: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": type_, "logicalType": name, **more}


@pytest.mark.parametrize(
    ("schema", "arrow", "value"),
    [
        ("boolean", pa.bool_(), True),
        ("int", pa.int32(), -(2**31)),
        ("long", pa.int64(), -(2**63)),
        ("float", pa.float32(), 0.5),
        ("double", pa.float64(), 0.1),
        ("string", pa.string(), "é\0"),
        ("bytes", pa.binary(), b"\xff\0"),
        ("null", pa.null(), None),
        (FIXED, pa.binary(), b"abc"),
        (ENUM, pa.string(), "B"),
        (logical("int", "date"), pa.date32(), date(1500, 3, 1)),
        (logical("int", "time-millis"), pa.time32("ms"), time(23, 59, 59, 999_000)),
        (logical("long", "time-micros"), pa.time64("us"), time(23, 59, 59, 999_999)),
        (
            logical("long", "timestamp-millis"),
            pa.timestamp("ms", "UTC"),
            datetime(1, 1, 1, tzinfo=UTC),
        ),
        (
            logical("long", "timestamp-micros"),
            pa.timestamp("us", "UTC"),
            datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        ),
        (logical("long", "local-timestamp-millis"), pa.timestamp("ms"), datetime(1, 1, 1)),
        (logical("long", "local-timestamp-micros"), pa.timestamp("us"), datetime(1969, 12, 31, 1)),
        (logical("bytes", "decimal", precision=5, scale=2), pa.decimal128(5, 2), Decimal("-1.50")),
        (
            logical("bytes", "decimal", precision=76),
            pa.decimal256(76, 0),
            Decimal(10) ** 75,
        ),
        ({**FIXED, **logical("fixed", "decimal", precision=6)}, pa.decimal128(6, 0), Decimal(-7)),
        (logical("string", "uuid"), pa.string(), "00000000-0000-0000-0000-000000000001"),
        (logical("long", "of-the-future"), pa.int64(), 7),
        ({"type": "array", "items": "int"}, pa.list_(pa.int32()), [1, -1]),
        ({"type": "map", "values": "int"}, pa.map_(pa.string(), pa.int32()), {"k": 1}),
        (
            {"type": "record", "name": "s", "fields": [{"name": "x", "type": "int"}]},
            pa.struct([("x", pa.int32())]),
            {"x": 1},
        ),
    ],
)
@pytest.mark.parametrize("union", ["no", "null first", "null last"])
def test_each_type_is_read_as_the_arrow_type_that_means_the_same(
    tmp_path: Path, schema: Any, arrow: pa.DataType, value: Any, union: str
) -> None:
    rows = [value]
    if union != "no" and schema != "null":
        schema = ["null", schema] if union == "null first" else [schema, "null"]
        rows = [None, value, None]
    found = read(tmp_path, write(tmp_path, record(schema), [{"a": row} for row in rows]))
    assert found.schema.types == [arrow]
    expected = [list(row.items()) if pa.types.is_map(arrow) and row else row for row in rows]
    assert found.column(0).to_pylist() == expected


def test_dates_beyond_pythons_years_and_nanoseconds_are_read_exactly(tmp_path: Path) -> None:
    schema = record(
        logical("int", "date"),
        logical("long", "timestamp-micros"),
        logical("long", "timestamp-nanos"),
        logical("long", "local-timestamp-nanos"),
    )
    extremes = [2**31 - 1, -(2**63), 2**63 - 1, -1]
    found = read(tmp_path, write_raw(tmp_path, schema, [(1, b"".join(map(long, extremes)))]))
    assert found.schema.types[2:] == [pa.timestamp("ns", "UTC"), pa.timestamp("ns")]
    numbers = [found.column(0).cast(pa.int32()), *(c.cast(pa.int64()) for c in found.columns[1:])]
    assert [number[0].as_py() for number in numbers] == extremes


@pytest.mark.parametrize(
    "schema",
    [
        logical("bytes", "decimal", precision=2, scale=3),
        logical("bytes", "decimal", precision=0),
        logical("bytes", "decimal"),
        {**FIXED, **logical("fixed", "decimal", precision=7)},
    ],
)
def test_a_logical_type_that_contradicts_itself_is_ignored(tmp_path: Path, schema: Any) -> None:
    assert write_raw(tmp_path, record(schema), []).columns[0].type == "binary"


def test_a_map_keeps_all_entries_of_a_key_that_was_written_twice(tmp_path: Path) -> None:
    entries = long(2) + text(b"k") + long(1) + text(b"k") + long(2) + long(0)
    found = write_raw(tmp_path, record({"type": "map", "values": "int"}), [(1, entries)])
    assert values(tmp_path, found) == [[("k", 1), ("k", 2)]]


def test_names_are_verbatim(tmp_path: Path) -> None:
    schema = record("int", "int")
    schema["fields"][0]["name"], schema["fields"][1]["name"] = "a.b c", "Ä"
    found = write_raw(tmp_path, schema, [(1, long(1) + long(2))])
    assert [column.path for column in found.columns] == [("a.b c",), ("Ä",)]
    assert batches(tmp_path, found, "Ä")[0].to_pylist() == [{"Ä": 2}]
    assert batches(tmp_path, found, "none of them")[0].num_rows == 1


def test_a_named_type_may_be_used_again_in_its_namespace(tmp_path: Path) -> None:
    inner = {"type": "record", "name": "i", "fields": [{"name": "e", "type": ENUM}]}
    schema = {**record(["null", inner], "i", "n.i", ["e", "null"]), "namespace": "n"}
    row = {"a": None, "b": {"e": "A"}, "c": {"e": "B"}, "d": "B"}
    found = write(tmp_path, schema, [row])
    assert [column.name for column in found.columns] == ["a.e", "b.e", "c.e", "d"]
    assert read(tmp_path, found).to_pylist() == [row]


RECURSIVE = {"type": "array", "items": "r"}
DEEP: Any = "int"
for _ in range(200):
    DEEP = {"type": "array", "items": DEEP}


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (record(["int", "string"]), "field a: a union of int32, string has no row identity"),
        (record(["null", "int", "long"]), "union"),
        (record(RECURSIVE), "type r contains itself"),
        (record({**FIXED, "size": 12, "logicalType": "duration"}), "type duration"),
        (record(logical("bytes", "big-decimal")), "type big-decimal"),
        (record(logical("bytes", "decimal", precision=77)), "a decimal of 77 digits"),
        (record({"type": "array", "items": "null"}), "take no bytes"),
        (record(DEEP), "nested too deep"),
        ("long", "rows are no records"),
        (record("int", "int") | {"fields": [{"name": "a", "type": "int"}] * 2}, "same name"),
    ],
)
def test_what_has_no_row_identity_makes_the_table_ineligible(
    tmp_path: Path, schema: Any, reason: str
) -> None:
    found = write_raw(tmp_path, schema, [])
    assert reason in str(found.problem)
    assert not found.unreadable


def test_records_that_double_at_every_level_are_refused(tmp_path: Path) -> None:
    schema: Any = record("int")
    for level in range(40):
        fields = [{"name": "x", "type": schema}, {"name": "y", "type": schema["name"]}]
        schema = {"type": "record", "name": f"r{level}", "fields": fields}
    assert "more than 50000 columns" in str(write_raw(tmp_path, schema, []).problem)


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        {},
        record("no such type"),
        record(None),
        record({"type": "enum", "name": "e"}),
        record({"type": "fixed", "name": "f", "size": -1}),
        record(FIXED, FIXED),
        record(["null", "null"]),
        {"type": "record", "name": "r"},
        {"type": "record", "fields": []},
        record("int") | {"fields": [{"type": "int"}]},
        record("int") | {"fields": [{"name": "\ud800", "type": "int"}]},
    ],
)
def test_what_is_no_schema_makes_the_table_unreadable(tmp_path: Path, schema: Any) -> None:
    assert write_raw(tmp_path, schema, []).unreadable


def snappy(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, codec="snappy", asbytes=True)
    return packed + zlib.crc32(content).to_bytes(4, "big")


CODECS: dict[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    "deflate": lambda content: zlib.compress(content)[2:-4],
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstandard": lambda content: pa.compress(content, codec="zstd", asbytes=True),
    "snappy": snappy,
}


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_of_the_specification_is_read(tmp_path: Path, codec: str) -> None:
    blocks = [(3, long(1) + long(2) + long(3)), (0, b""), (5000, long(7) * 5000)]
    packed = [(rows, CODECS[codec](content)) for rows, content in blocks]
    found = write_raw(tmp_path, record("long"), packed, codec)
    assert found.rows == 5003
    assert values(tmp_path, found) == [1, 2, 3] + [7] * 5000


@pytest.mark.parametrize("codec", sorted(CODECS.keys() - {"null"}))
def test_a_block_that_blows_up_is_refused_as_a_bomb(
    tmp_path: Path, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(avro, "BLOCK_BYTES", 1 << 16)
    bomb = CODECS[codec](bytes(1 << 20))
    found = write_raw(tmp_path, record("long"), [(1 << 20, bomb)], codec)
    with pytest.raises(r2d2.R2D2Error, match="bomb"):
        read(tmp_path, found)


def test_blocks_that_blow_up_together_are_refused_as_a_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(avro, "BOMB_BYTES", 1 << 16)
    monkeypatch.setattr(avro, "BOMB_RATIO", 10)
    block = (1 << 14, CODECS["deflate"](bytes(1 << 14)))
    found = write_raw(tmp_path, record("long"), [block] * 20, "deflate")
    with pytest.raises(r2d2.R2D2Error, match="bomb"):
        read(tmp_path, found)


@pytest.mark.parametrize(
    ("types", "rows"), [(["long"], 2**40), (["null"], 2**40), ([], 2**40), (["long"], -1)]
)
def test_a_block_of_more_rows_than_it_can_hold_makes_the_table_unreadable(
    tmp_path: Path, types: list[Any], rows: int
) -> None:
    found = write_raw(tmp_path, record(*types), [(rows, b"\0")])
    if not found.unreadable:
        with pytest.raises(r2d2.R2D2Error, match="cannot hold"):
            read(tmp_path, found)


def test_a_codec_that_is_not_avros_is_named(tmp_path: Path) -> None:
    found = write_raw(tmp_path, record("long"), [], "lz4")
    assert found.unreadable
    assert "codec 'lz4'" in str(found.problem)


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        ([(2, long(1))], "cannot hold 2 rows"),
        ([(1, long(1) + long(2))], "more than the 1 rows"),
        ([(1, b"\xff" * 11)], "damaged"),
    ],
)
def test_a_block_that_does_not_hold_what_it_declares_makes_the_table_unreadable(
    tmp_path: Path, blocks: list[tuple[int, bytes]], reason: str
) -> None:
    found = write_raw(tmp_path, record("long"), blocks)
    with pytest.raises(r2d2.R2D2Error, match=reason):
        read(tmp_path, found)


def test_a_snappy_block_with_another_checksum_makes_the_table_unreadable(tmp_path: Path) -> None:
    content = snappy(long(1))[:-1] + b"\0"
    found = write_raw(tmp_path, record("long"), [(1, content)], "snappy")
    with pytest.raises(r2d2.R2D2Error, match="checksum"):
        read(tmp_path, found)


@pytest.mark.parametrize("cut", [1, 16, 17, 20, 40, 120, 10_000])
def test_a_file_cut_short_is_unreadable(tmp_path: Path, cut: int) -> None:
    write_raw(tmp_path, record("long", "string"), [(2, (long(1) + text(b"word")) * 2)] * 2)
    data = (tmp_path / "t.avro").read_bytes()
    (tmp_path / "t.avro").write_bytes(data[:-cut] if cut < len(data) else b"")
    assert the_table(tmp_path).unreadable


def test_a_block_without_its_sync_marker_makes_the_table_unreadable(tmp_path: Path) -> None:
    write_raw(tmp_path, record("long"), [(1, long(1))] * 2)
    data = (tmp_path / "t.avro").read_bytes()
    (tmp_path / "t.avro").write_bytes(data[:-1] + b"!")
    assert "sync marker" in str(the_table(tmp_path).problem)


def test_blocks_are_splits_and_batches_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(avro, "SPLIT_BYTES", 3000)
    monkeypatch.setattr(avro, "BATCH_ROWS", 100)
    numbers = list(range(5000))
    found = write(tmp_path, record("long"), [{"a": n} for n in numbers], sync_interval=1000)
    assert len(found.splits) > 2
    assert sum(split.rows or 0 for split in found.splits) == found.rows == 5000
    assert {batch.num_rows <= 100 for batch in batches(tmp_path, found)} == {True}
    assert values(tmp_path, found) == numbers
    monkeypatch.setattr(avro, "BATCH_BYTES", 50)
    assert max(batch.num_rows for batch in batches(tmp_path, found)) <= 50
    assert values(tmp_path, found) == numbers


def test_a_file_without_blocks_is_an_empty_table(tmp_path: Path) -> None:
    found = write_raw(tmp_path, record("long"), [])
    assert (found.rows, found.problem, batches(tmp_path, found)) == (0, None, [])


def test_avro_under_hive_folders_is_one_table(tmp_path: Path) -> None:
    for key in (1, 2):
        folder = tmp_path / "t" / f"k={key}"
        folder.mkdir(parents=True)
        write(folder, record("string"), [{"a": "x"}])
    found = the_table(tmp_path)
    assert (found.location, found.rows) == ("t", 2)
    assert read(tmp_path, found).to_pylist() == [{"a": "x", "k": 1}, {"a": "x", "k": 2}]


LEAVES: list[tuple[Any, Any]] = [
    ("boolean", st.booleans()),
    ("int", st.integers(-(2**31), 2**31 - 1)),
    ("long", st.integers(-(2**63), 2**63 - 1)),
    ("float", st.floats(width=32)),
    ("double", st.floats()),
    ("string", st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
    ("bytes", st.binary(max_size=8)),
    (logical("int", "date"), st.dates()),
    (
        logical("long", "local-timestamp-micros"),
        st.datetimes().map(lambda when: when.replace(fold=0)),
    ),
    (logical("bytes", "decimal", precision=30, scale=5), st.decimals(-(10**20), 10**20, places=5)),
]


def nested(inner: st.SearchStrategy[tuple[Any, Any]]) -> st.SearchStrategy[tuple[Any, Any]]:
    keys = st.text("ab", max_size=2)
    return inner.flatmap(
        lambda kind: st.sampled_from(
            [
                ({"type": "array", "items": kind[0]}, st.lists(kind[1], max_size=3)),
                ({"type": "map", "values": kind[0]}, st.dictionaries(keys, kind[1], max_size=3)),
                (
                    # Names are given below: each record's must be another.
                    {"type": "record", "fields": [{"name": "x", "type": kind[0]}]},
                    kind[1].map(lambda value: {"x": value}),
                ),
                *([] if isinstance(kind[0], list) else [(["null", kind[0]], st.none() | kind[1])]),
            ]
        )
    )


KINDS = st.recursive(st.sampled_from(LEAVES), nested, max_leaves=3)


def rows_of(kinds: list[tuple[Any, Any]]) -> st.SearchStrategy[tuple[Any, list[Any]]]:
    schema = record(*(named(kind, f"n{place}") for place, (kind, _) in enumerate(kinds)))
    fields = {chr(97 + place): strategy for place, (_, strategy) in enumerate(kinds)}
    return st.tuples(st.just(schema), st.lists(st.fixed_dictionaries(fields), max_size=5))


def named(schema: Any, name: str) -> Any:
    if isinstance(schema, list):
        return [named(branch, name) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    inside = {key: named(schema[key], name + "x") for key in ("items", "values") if key in schema}
    if "fields" in schema:
        (only,) = schema["fields"]
        inside = {"name": name, "fields": [{**only, "type": named(only["type"], name + "x")}]}
    return {**schema, **inside}


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(KINDS, min_size=1, max_size=4).flatmap(rows_of), st.sampled_from(["null", "xz"]))
def test_random_tables_come_back_as_they_were(
    written: tuple[Any, list[dict[str, Any]]], codec: str
) -> None:
    schema, rows = written
    with TemporaryDirectory() as folder:
        found = write(Path(folder), schema, rows, codec=codec)
        read_rows = [row for batch in batches(Path(folder), found) for row in batch.to_pylist()]
    assert (found.problem, found.rows) == (None, len(rows))
    assert repr(read_rows) == repr([plain(row, schema) for row in rows])


def plain(value: Any, schema: Any) -> Any:
    """The value as Arrow shows it: a map as pairs, a float rounded to its width."""
    if value is None:
        return None
    if isinstance(schema, list):
        return plain(value, schema[1])
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        return {
            field["name"]: plain(value[field["name"]], field["type"]) for field in schema["fields"]
        }
    if kind == "map":
        return [(key, plain(item, schema["values"])) for key, item in value.items()]
    return [plain(item, schema["items"]) for item in value] if kind == "array" else value


def test_damaged_files_are_unreadable_and_disturb_no_others(tmp_path: Path) -> None:
    """In a process of its own, which is seen to live."""
    chance = Random(0)
    schema = record(
        ["null", "long"],
        "string",
        ENUM,
        {"type": "array", "items": ["null", "int"]},
        {"type": "map", "values": "string"},
        logical("bytes", "decimal", precision=9, scale=2),
        logical("int", "time-millis"),
        {"type": "record", "name": "s", "fields": [{"name": "x", "type": FIXED}]},
    )
    row = {"a": None, "b": "é", "c": "A", "d": [1, None], "e": {"k": "v"}, "f": Decimal("1.50")}
    rows = [{**row, "g": time(1, 2, 3), "h": {"x": b"abc"}}] * 50
    for codec in ("null", "deflate", "bzip2"):
        sink = io.BytesIO()
        fastavro.writer(sink, schema, rows, codec=codec, sync_interval=500)
        for number in range(100):
            flipped = bytearray(sink.getvalue())
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
            (tmp_path / f"{codec}_{number}.avro").write_bytes(flipped)
    for name in ("a good.avro", "a same.avro"):
        with (tmp_path / name).open("wb") as file:
            fastavro.writer(file, record("long"), [{"a": 1}, {"a": 2}])
    run = subprocess.run(
        [sys.executable, "-c", COUNT_UNREADABLE, str(tmp_path)],
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert run.returncode == 0, run.stderr
    unreadable, good = run.stdout.decode().split(maxsplit=1)
    assert int(unreadable) > 100
    assert good == "a good.avro a same.avro\n"
