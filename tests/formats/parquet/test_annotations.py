"""A Parquet column's annotation is part of its type, at any file size, and comes back with it."""

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.errors import NotWritableError
from r2d2.lake.inventory import layout_of
from r2d2.storage.local import LocalStorage
from tests.support.formats.annotated import EPSG, put_annotated
from tests.support.oracle.files import both_ways, delta_log, edges, write
from tests.support.recipes.lakes import come_back, put, tables

SPARK = {b"org.apache.spark.version": b"4.0.1"}
SMALL_AND_LARGE = (10, 5000)  # below and above the rows that are kept when they are listed


def types(lake: Path, name: str) -> list[str]:
    """The types of a table's columns."""
    table = tables(lake)[name]
    assert table.problem is None
    return [column.type for column in table.columns]


def uuids(rows: int) -> pa.Array:
    return pa.array([place.to_bytes(16, "big") for place in range(rows)], pa.uuid())


@pytest.mark.parametrize("rows", SMALL_AND_LARGE)
@pytest.mark.parametrize("store_schema", [True, False])
def test_uuids_and_json_are_types_of_their_own_at_any_size(
    tmp_path: Path, rows: int, store_schema: bool
) -> None:
    ids, texts = uuids(rows), pa.array(['{"a": 1}'] * rows, pa.json_())
    lists = pa.ListArray.from_arrays(pa.array(range(rows + 1), pa.int32()), ids)
    struct = pa.StructArray.from_arrays([ids, texts], ["u", "j"])
    table = pa.table({"u": ids, "j": texts, "l": lists, "s": struct})
    put(tmp_path, "t.parquet", table, store_schema=store_schema)
    assert types(tmp_path, "t.parquet") == ["uuid", "json", "list<uuid>", "uuid", "json"]
    come_back(tmp_path, tmp_path / ".copy", "t.parquet")


@pytest.mark.parametrize("rows", SMALL_AND_LARGE)
@pytest.mark.parametrize("kind", ["enum", "bson", "geometry", "geography", EPSG])
def test_an_annotation_that_arrow_does_not_show_is_a_type_at_any_size(
    tmp_path: Path, rows: int, kind: str
) -> None:
    put_annotated(tmp_path / "t.parquet", [b"point"] * rows, kind)
    put_annotated(tmp_path / "plain.parquet", [b"point"] * rows, "")
    (found,) = types(tmp_path, "t.parquet")
    assert found.startswith(kind.partition("(")[0])
    assert types(tmp_path, "plain.parquet") == ["binary"]


def test_one_geometry_in_two_coordinate_systems_is_two(tmp_path: Path, engine: str) -> None:
    put_annotated(tmp_path / "here.parquet", [b"a", b"b"], "geometry(srid:5070)")
    put_annotated(tmp_path / "here_too.parquet", [b"a", b"b"], "geometry(srid:5070)")
    put_annotated(tmp_path / "there.parquet", [b"a", b"b"], "geometry(srid:4326)")
    put_annotated(tmp_path / "bytes.parquet", [b"a", b"b"], "")
    assert edges(tmp_path, engine) == both_ways("here", "here_too")


def test_the_coordinate_system_of_geoparquet_is_part_of_the_type(tmp_path: Path) -> None:
    def geo(system: str) -> pa.Table:
        column = {"encoding": "WKB", "crs": {"id": system}, "bbox": [0, 0, 1, 1]}
        said = json.dumps({"version": "1.1.0", "columns": {"g": column}}).encode()
        return pa.table({"g": pa.array([b"a", b"b"])}).replace_schema_metadata({b"geo": said})

    write(tmp_path, here=geo("EPSG:5070"), here_too=geo("EPSG:5070"), there=geo("EPSG:4326"))
    assert edges(tmp_path, "local") == both_ways("here", "here_too")
    come_back(tmp_path, tmp_path / ".copy", "here.parquet")


def test_an_extension_type_that_nobody_knows_is_part_of_the_type(tmp_path: Path) -> None:
    def shared(name: str) -> pa.Table:
        metadata = {"ARROW:extension:name": name, "ARROW:extension:metadata": "{}"}
        field = pa.field("x", pa.int64(), metadata=metadata)
        return pa.table([pa.array([1, 2])], schema=pa.schema([field]))

    plain = pa.table({"x": pa.array([1, 2])})
    write(tmp_path, metres=shared("m"), metres_too=shared("m"), feet=shared("ft"), plain=plain)
    assert edges(tmp_path, "local") == both_ways("metres", "metres_too")
    come_back(tmp_path, tmp_path / ".copy", "metres.parquet")


def test_json_is_not_text_and_a_time_with_a_zone_is_none_without(tmp_path: Path) -> None:
    for name, query in {
        "zoned": "'12:00:00+00'::TIMETZ t",
        "zoned_too": "'12:00:00+00'::TIMETZ t",
        "unzoned": "'12:00:00'::TIME t",
        "typed": "'{}'::JSON t",
        "text": "'{}' t",
    }.items():
        duckdb.sql(f"COPY (SELECT {query}) TO '{tmp_path}/{name}.parquet'")
    assert edges(tmp_path, "local") == both_ways("zoned", "zoned_too")
    for name in ("zoned", "typed"):
        come_back(tmp_path, tmp_path / ".copy", f"{name}.parquet")
    assert duckdb.sql(f"SELECT t FROM '{tmp_path}/.copy/zoned.parquet'").types == [
        "TIME WITH TIME ZONE"
    ]


@pytest.mark.parametrize("rows", SMALL_AND_LARGE)
@pytest.mark.parametrize(
    "kind", ["geometry", "geography", EPSG, "geometry(OGC:CRS84)", 'geometry({"id":[5070,"`<>"]})']
)
def test_a_geometry_comes_back_with_its_coordinate_system(
    tmp_path: Path, rows: int, kind: str
) -> None:
    put_annotated(tmp_path / "t.parquet", [b"point"] * rows, kind)
    come_back(tmp_path, tmp_path / ".copy", "t.parquet")
    ours, theirs = (pq.ParquetFile(tmp_path / p / "t.parquet").schema for p in ("", ".copy"))
    usual = str(ours.column(0).logical_type).replace("OGC:CRS84", "")
    assert str(theirs.column(0).logical_type) == usual


def test_a_key_geo_that_is_not_geoparquet_s_says_nothing(tmp_path: Path) -> None:
    table = pa.table({"x": pa.array([1])})
    for number, said in enumerate((b"EU", b"{}", b"[1]", b'{"columns": {"x": 1}}')):
        marked = table.replace_schema_metadata({b"geo": said})
        put(tmp_path, f"{number}.parquet", marked)
        assert types(tmp_path, f"{number}.parquet") == ["int64"]


@pytest.mark.parametrize("kind", ["enum", "bson"])
def test_what_cannot_be_written_back_has_no_layout(tmp_path: Path, kind: str) -> None:
    put_annotated(tmp_path / "t.parquet", [b"a"], kind)
    table = tables(tmp_path)["t.parquet"]
    with pytest.raises(NotWritableError, match=f"column x is of Parquet's type {kind}"):
        layout_of(LocalStorage(str(tmp_path)), table)


def test_times_with_and_without_a_zone_in_one_file_have_no_layout(tmp_path: Path) -> None:
    duckdb.sql(f"COPY (SELECT '1:00:00+00'::TIMETZ a, '1:00:00'::TIME b) TO '{tmp_path}/t.parquet'")
    assert types(tmp_path, "t.parquet") == ["timetz", "time"]
    with pytest.raises(NotWritableError, match="which r2d2 cannot write back"):
        layout_of(LocalStorage(str(tmp_path)), tables(tmp_path)["t.parquet"])


def test_the_files_of_a_folder_must_agree_on_annotations(tmp_path: Path) -> None:
    for part, kind in (("k=1", "json"), ("k=2", "")):
        (tmp_path / "t" / part).mkdir(parents=True)
        put_annotated(tmp_path / "t" / part / "a.parquet", [b"{}"], kind)
    assert "column x is" in (tables(tmp_path)["t"].problem or "")


@pytest.mark.parametrize("rows", SMALL_AND_LARGE)
def test_int96_is_an_instant_where_spark_wrote_it(tmp_path: Path, rows: int) -> None:
    instants = pa.table({"t": pa.array(range(rows), pa.timestamp("us"))})
    put(tmp_path, "arrow.parquet", instants, use_deprecated_int96_timestamps=True)
    put(
        *(tmp_path, "int96.parquet", instants),
        use_deprecated_int96_timestamps=True,
        store_schema=False,
    )
    sparks = instants.replace_schema_metadata(SPARK)
    put(tmp_path, "spark.parquet", sparks, use_deprecated_int96_timestamps=True)
    assert types(tmp_path, "int96.parquet") == ["timestamp(int96)"]
    assert types(tmp_path, "arrow.parquet") == ["timestamp"]
    assert types(tmp_path, "spark.parquet") == ["timestamptz"]


@pytest.mark.parametrize("mark", [None, SPARK])
def test_int96_comes_back_in_every_year(tmp_path: Path, mark: dict[bytes, bytes] | None) -> None:
    far = pa.array([0, 7_258_118_400_000_000, None], pa.timestamp("us"))
    table = pa.table({"t": far}).replace_schema_metadata(mark)
    if mark is None:
        table = pa.table({"t": far.slice(0, 1)})
    put(tmp_path, "t.parquet", table, use_deprecated_int96_timestamps=True, store_schema=False)
    come_back(tmp_path, tmp_path / ".copy", "t.parquet")
    column = pq.ParquetFile(tmp_path / ".copy/t.parquet").schema.column(0)
    assert column.physical_type == "INT96"


@pytest.mark.parametrize("store_schema", [True, False])
def test_a_delta_table_is_of_the_log_s_types_whatever_its_files_say(
    tmp_path: Path, store_schema: bool
) -> None:
    table = pa.table({"j": pa.array(["{}", "1"], pa.json_()), "l": [["a"], ["b"]]})
    put(tmp_path, "t/part.parquet", table, store_schema=store_schema)
    delta_log(tmp_path / "t", [("j", "string")], [{"path": "part.parquet"}])
    write(tmp_path, copy=pa.table({"j": ["{}", "1"]}))
    assert edges(tmp_path, "local") == both_ways("t", "copy")


def test_a_folder_s_annotated_columns_come_back_from_files_that_differ(tmp_path: Path) -> None:
    for part, table in {
        "k=1": pa.table({"u": uuids(3), "n": pa.array([1, 2, 3], pa.int32())}),
        "k=2": pa.table({"u": uuids(2), "n": pa.array([1, 2], pa.int64()), "more": ["a", "b"]}),
        "k=3": pa.table({"n": pa.array([1], pa.int64())}),
    }.items():
        put(tmp_path / "t", f"{part}/part-0.parquet", table)
    assert types(tmp_path, "t") == ["uuid", "int64", "string", "int32"]
    come_back(tmp_path, tmp_path / ".copy", "t")


@pytest.mark.parametrize(("store_schema", "type_"), [(True, "time"), (False, "timetz")])
def test_arrow_s_own_times_have_no_zone_however_it_marked_them(
    tmp_path: Path, store_schema: bool, type_: str
) -> None:
    table = pa.table({"t": pa.array([1, None], pa.time64("us"))})
    put(tmp_path, "t.parquet", table, write_time_adjusted_to_utc=True, store_schema=store_schema)
    assert types(tmp_path, "t.parquet") == [type_]
    come_back(tmp_path, tmp_path / ".copy", "t.parquet")
    ours, theirs = (pq.ParquetFile(tmp_path / p / "t.parquet").schema for p in ("", ".copy"))
    assert str(ours.column(0).logical_type) == str(theirs.column(0).logical_type)


def test_an_extension_type_that_this_process_knows_is_what_it_is_where_it_does_not(
    tmp_path: Path,
) -> None:
    class Shared(pa.ExtensionType):
        def __init__(self) -> None:
            super().__init__(pa.int64(), "r2d2.test.shared")

        def __arrow_ext_serialize__(self) -> bytes:
            return b"{}"

        @classmethod
        def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> "Shared":
            return cls()

    array = pa.ExtensionArray.from_storage(Shared(), pa.array([1, 2]))
    put(tmp_path, "t.parquet", pa.table({"x": array, "l": pa.array([[1], None])}))
    unknown = types(tmp_path, "t.parquet")
    assert unknown[0].startswith("extension(")
    pa.register_extension_type(Shared())
    try:
        assert types(tmp_path, "t.parquet") == unknown
        come_back(tmp_path, tmp_path / ".copy", "t.parquet")
    finally:
        pa.unregister_extension_type("r2d2.test.shared")
