"""Files that another table's metadata names are no tables of their own, wherever they lie."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

import r2d2
from r2d2.errors import UsageError
from r2d2.explain import explain_pair
from r2d2.settings.find import Settings, TableRule
from tests.support.lake.owned import IcebergTable, avro, parquet, put

ROWS = pa.table({"id": range(100), "s": [f"value {i}" for i in range(100)]})


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake with one table of its own."""
    folder = tmp_path / "lake"
    parquet(folder / "orders/all.parquet", ROWS)
    parquet(folder / "orders/some.parquet", ROWS.slice(0, 50))
    return folder


def eligible(lake: Path) -> set[str]:
    return {t.location for t in r2d2.tables(lake).tables if t.eligible}


OWN = {"orders/all.parquet", "orders/some.parquet"}


@pytest.mark.parametrize("scheme", ["file://", "file:", ""])
@pytest.mark.parametrize("version", [1, 2, 3])
def test_files_that_any_snapshot_of_iceberg_names_are_no_tables(
    lake: Path, scheme: str, version: int
) -> None:
    table = IcebergTable(lake, "wh/t", lambda p: f"{scheme}{lake}/{p}", version=version)
    table.properties["write.data.path"] = table.url("icedata/t")
    parquet(lake / "icedata/t/a.parquet", ROWS.slice(0, 10))
    parquet(lake / "icedata/t/orphan.parquet", ROWS.slice(0, 15))
    parquet(lake / "landing/old.parquet", ROWS.slice(0, 20))
    parquet(lake / "landing/innocent.parquet", ROWS.slice(0, 30))
    table.commit(["icedata/t/a.parquet", "landing/old.parquet"])
    table.commit(["icedata/t/a.parquet"])
    assert eligible(lake) == OWN | {"landing/innocent.parquet"}


def test_metadata_of_iceberg_may_be_compressed_and_lie_anywhere(lake: Path) -> None:
    table = IcebergTable(
        lake, "wh/t", lambda p: f"file://{lake}/{p}", metadata="meta/of/t", compressed=True
    )
    parquet(lake / "wh/t/data/a.parquet", ROWS.slice(0, 10))
    parquet(lake / "landing/b.parquet", ROWS.slice(0, 10))
    table.commit(["wh/t/data/a.parquet", "landing/b.parquet"])
    assert eligible(lake) == OWN


def test_a_manifest_that_is_damaged_keeps_all_that_it_may_own(lake: Path) -> None:
    table = IcebergTable(lake, "wh/t", lambda p: f"file://{lake}/{p}")
    table.commit(["wh/t/data/a.parquet"])
    (lake / "wh/t/metadata/00000001-m0.avro").write_bytes(b"Obj\x01 and no more")
    kept = {t.location: t.must_keep for t in r2d2.tables(lake).tables if t.eligible}
    assert kept.keys() == OWN
    assert all("Iceberg table wh/t" in str(reason) for reason in kept.values())


def test_the_manifest_list_of_an_expired_snapshot_may_be_gone(lake: Path) -> None:
    table = IcebergTable(lake, "wh/t", lambda p: f"file://{lake}/{p}")
    table.commit(["wh/t/data/a.parquet"])
    table.commit(["wh/t/data/b.parquet"])
    del table.snapshots[0]
    table.commit(["wh/t/data/b.parquet"])
    for path in (lake / "wh/t/metadata").glob("snap-1-*"):
        path.unlink()
    assert {t.must_keep for t in r2d2.tables(lake).tables} == {None}


def test_files_of_a_symlink_manifest_are_no_tables(lake: Path) -> None:
    put(lake / "hive/_symlink_format_manifest/d=1/manifest", f"file:{lake}/june.parquet\n")
    parquet(lake / "june.parquet", ROWS.slice(0, 10))
    assert eligible(lake) == OWN


def test_a_folder_like_paimons_is_one_table(lake: Path) -> None:
    put(lake / "pai/snapshot/snapshot-1", "{}")
    put(lake / "pai/schema/schema-0", "{}")
    parquet(lake / "pai/k=1/bucket-0/data-a-0.parquet", ROWS.slice(0, 10))
    assert eligible(lake) == OWN


def test_what_r2d2_wrote_itself_is_no_table(lake: Path) -> None:
    from r2d2.report import write_find
    from r2d2.settings.find import Settings

    before = r2d2.find(lake).owners
    for name in ("run", "runs/two"):
        write_find(lake / name, r2d2.find(lake), Settings(), str(lake))
        assert eligible(lake) == OWN
        assert r2d2.find(lake).owners == before
    (lake / "run/.r2d2").unlink()
    assert eligible(lake) == OWN


def test_a_users_graph_json_is_a_table(lake: Path) -> None:
    put(lake / "mine/graph.json", '{"edges": [1], "tables": [2]}\n')
    put(lake / "mine/edges.csv", "child,parent\na,b\n")
    assert eligible(lake) == OWN | {"mine/graph.json", "mine/edges.csv"}


def with_metadata(folder: Path, files: dict[str, pa.Table]) -> None:
    """Writes Parquet files, and a `_metadata` in the folder that names them."""
    footers = []
    for name, rows in files.items():
        footers.append(pq.read_metadata(parquet(folder / name, rows)))
        footers[-1].set_file_path(name)
    pq.write_metadata(ROWS.schema, folder / "_metadata", footers)


MONTHS = {"orders_may.parquet": ROWS[:9], "eu/orders_june.parquet": ROWS[9:30]}


def test_a_folder_all_of_whose_files_metadata_names_is_one_table(lake: Path) -> None:
    with_metadata(lake / "set", MONTHS)
    found = {t.location: t for t in r2d2.tables(lake).tables}
    assert found.keys() == OWN | {"set"}
    assert found["set"].rows == 30
    assert "_metadata" in found["set"].details["one table by"]
    assert found["set"].must_keep is None


def test_a_file_beside_a_dataset_that_its_metadata_does_not_name_is_kept(lake: Path) -> None:
    with_metadata(lake / "set", MONTHS)
    parquet(lake / "set/orders_july.parquet", ROWS[:9])
    found = {t.location: t.must_keep for t in r2d2.tables(lake).tables}
    assert found.keys() == OWN | {"set/orders_july.parquet"}
    assert found["set/orders_july.parquet"]


def test_a_rule_makes_tables_of_files_that_metadata_names_and_they_are_kept(lake: Path) -> None:
    with_metadata(lake / "set", MONTHS)
    rules = (TableRule(files="set/**"),)
    found = {t.location: t.must_keep for t in r2d2.tables(lake, Settings(tables=rules)).tables}
    assert found.keys() == OWN | {f"set/{name}" for name in MONTHS}
    assert all("Parquet dataset set" in str(found[f"set/{name}"]) for name in MONTHS)


def test_metadata_in_each_partition_does_not_take_the_table_apart(lake: Path) -> None:
    for key in (1, 2):
        with_metadata(lake / f"set/k={key}", {"part.0.parquet": ROWS[:9]})
    assert eligible(lake) == OWN | {"set"}


@pytest.mark.parametrize(
    ("kind", "sign"),
    [
        ("Hudi", ".hoodie/hoodie.properties"),
        ("Lance", "_versions/1.manifest"),
        ("Iceberg", "metadata/v1.metadata.json"),
        ("Paimon", "snapshot/snapshot-1"),
    ],
)
def test_all_below_a_table_that_is_not_read_is_its_own_and_its_kind_is_named(
    lake: Path, kind: str, sign: str
) -> None:
    put(lake / "far/t" / sign, "{}")
    if kind == "Paimon":
        put(lake / "far/t/schema/schema-0", "{}")
    for name in ("data/a.parquet", "k=1/b.parquet", "bucket-0/c.parquet", "part-0.parquet"):
        parquet(lake / "far/t" / name, ROWS[:9])
    found = {t.location: t.problem for t in r2d2.tables(lake).tables}
    assert found.keys() == OWN | {"far/t"}
    assert f"({kind})" in str(found["far/t"])


@pytest.mark.parametrize("commits", [3, 40])
def test_a_clone_owns_what_its_log_names_after_and_in_its_newest_checkpoint(
    lake: Path, commits: int
) -> None:
    """Of a long log, old commits need not be read: the checkpoint has removed files, too."""
    log = lake / "clone/_delta_log"
    for name in ("live", "removed", "late"):
        parquet(lake / f"far/{name}_x.parquet", ROWS[:9])
    for version in range(commits):
        put(log / f"{version:020}.json", '{"commitInfo": {}}\n')
    late = {"add": {"path": f"file:{lake}/far/late_x.parquet"}}
    put(log / f"{commits:020}.json", json.dumps(late) + "\n")
    if commits == 3:
        (log / f"{0:020}.json").unlink()
    add = [{"path": f"file:{lake}/far/live_x.parquet"}, None]
    remove = [None, {"path": f"{lake}/far/removed_x.parquet"}]
    table = pa.table({"add": add, "remove": remove})
    parquet(log / f"{commits - 1:020}.checkpoint.parquet", table)
    assert eligible(lake) == OWN
    assert r2d2.tables(lake).skipped["owned by Delta table clone"] == 3


DUCKLAKE_FILE = "ducklake-01a22674-532e-7720-bf95-f58b696c1b8f"


def test_data_files_of_a_ducklake_whose_catalogue_is_a_server_are_no_tables(lake: Path) -> None:
    for name in (f"{DUCKLAKE_FILE}.parquet", f"{DUCKLAKE_FILE}-delete.parquet"):
        parquet(lake / "main/t" / name, ROWS[:9])
        parquet(lake / "main/u/id=1" / name, ROWS[:9])
    assert eligible(lake) == OWN
    rules = (TableRule(files=f"main/t/{DUCKLAKE_FILE}.parquet"),)
    tables = r2d2.tables(lake, Settings(tables=rules)).tables
    ruled = {t.location: t.must_keep for t in tables if t.location not in OWN}
    assert ruled.keys() == {f"main/t/{DUCKLAKE_FILE}.parquet"}
    assert all(ruled.values())


def ducklake(catalogue: Path, data_path: str, files: Sequence[tuple[str, bool]]) -> None:
    """A catalogue of one table `t` with these files; a relative one is below `main/t/`."""
    with closing(sqlite3.connect(catalogue)) as database, database:
        run = database.execute
        run("CREATE TABLE ducklake_metadata (key, value)")
        run("INSERT INTO ducklake_metadata VALUES ('data_path', ?)", [data_path])
        run("CREATE TABLE ducklake_schema (schema_id, path, path_is_relative)")
        run("INSERT INTO ducklake_schema VALUES (0, 'main/', 1)")
        run("CREATE TABLE ducklake_table (table_id, schema_id, path, path_is_relative)")
        run("INSERT INTO ducklake_table VALUES (1, 0, 't/', 1)")
        run("CREATE TABLE ducklake_data_file (table_id, path, path_is_relative)")
        for file in files:
            run("INSERT INTO ducklake_data_file VALUES (1, ?, ?)", file)


@pytest.mark.parametrize("data_path", ["lake/cat/far/", "cat/far", "far/", "./far", "../cat/far"])
def test_a_relative_data_path_of_ducklake_is_from_any_folder_above_its_catalogue(
    lake: Path, data_path: str
) -> None:
    """DuckLake writes down the path as it was given, relative to the working directory."""
    parquet(lake / "cat/far/main/t/one.parquet", ROWS[:9])
    parquet(lake / "landing/two.parquet", ROWS[:9])
    parquet(lake / "landing/three.parquet", ROWS[:9])
    files = [("one.parquet", True), (f"{lake}/landing/two.parquet", False)]
    ducklake(lake / "cat/a.db", data_path, files)
    assert eligible(lake) == OWN | {"landing/three.parquet"}


def test_a_catalogue_of_ducklake_for_another_place_keeps_what_may_be_a_copy_of_it(
    lake: Path,
) -> None:
    parquet(lake / "data/main/t/one.parquet", ROWS[:9])
    parquet(lake / "data/main/t/orphan.parquet", ROWS[:9])
    ducklake(lake / "a.sqlite", "s3://bucket/lake/data/", [("one.parquet", True)])
    kept = {t.location: t.must_keep for t in r2d2.tables(lake).tables}
    assert {name for name, reason in kept.items() if reason is None} == OWN
    assert {name for name, reason in kept.items() if reason} == {
        "data/main/t/one.parquet",
        "data/main/t/orphan.parquet",
    }


def test_a_database_that_is_no_catalogue_claims_nothing(lake: Path) -> None:
    with closing(sqlite3.connect(lake / "app.db")) as database, database:
        database.execute("CREATE TABLE users (name)")
    put(lake / "notes.db", "no database at all")
    duckdb.connect(str(lake / "mine.duckdb")).execute("CREATE TABLE users (name TEXT)").close()
    assert {t.must_keep for t in r2d2.tables(lake).tables} == {None}
    assert eligible(lake) == OWN


def test_a_shallow_clone_and_its_source_are_kept_while_both_are_there(lake: Path) -> None:
    write_deltalake(lake / "source", ROWS[:50])
    (file,) = (Path(uri).name for uri in DeltaTable(lake / "source").file_uris())
    start, _ = (lake / f"source/_delta_log/{0:020}.json").read_text().split('{"add"')
    size = (lake / "source" / file).stat().st_size
    add = {"path": f"file://{lake}/source/{file}", "partitionValues": {}, "size": size}
    add |= {"modificationTime": 1, "dataChange": True}
    put(lake / f"clone/_delta_log/{0:020}.json", start + json.dumps({"add": add}) + "\n")
    kept = {t.location: str(t.must_keep) for t in r2d2.tables(lake).tables}
    assert "Delta table clone reads its files" in kept["source"]
    assert "lie in files of other tables" in kept["clone"]


def test_external_files_of_paimon_are_no_tables_and_files_beside_them_are(lake: Path) -> None:
    put(lake / "pai/snapshot/snapshot-1", "{}")
    put(lake / "pai/schema/schema-0", json.dumps({"options": {}}))
    parquet(lake / "hot/far_file.parquet", ROWS[:9])
    parquet(lake / "hot/near_file.parquet", ROWS[:9])
    place = {"name": "_EXTERNAL_PATH", "type": ["null", "string"]}
    file = {"name": "_FILE", "type": {"type": "record", "name": "f", "fields": [place]}}
    names = [f"file:{lake}/hot/far_file.parquet", None]
    content = avro("entry", [file], [{"_FILE": {"_EXTERNAL_PATH": name}} for name in names])
    put(lake / "pai/manifest/manifest-1-0", content)
    assert eligible(lake) == OWN | {"hot/near_file.parquet"}


def test_a_manifest_of_paimon_in_another_format_matters_only_with_external_paths(
    lake: Path,
) -> None:
    put(lake / "pai/snapshot/snapshot-1", "{}")
    put(lake / "pai/schema/schema-0", json.dumps({"options": {"manifest.format": "orc"}}))
    put(lake / "pai/manifest/manifest-1-0", b"ORC and so on")
    assert {t.must_keep for t in r2d2.tables(lake).tables} == {None}
    options = {"data-file.external-paths": "s3://elsewhere/hot"}
    put(lake / "pai/schema/schema-1", json.dumps({"options": options}))
    kept = {t.location: t.must_keep for t in r2d2.tables(lake).tables if t.eligible}
    assert all("Paimon table pai" in str(reason) for reason in kept.values())


@pytest.mark.parametrize("gone", ["s3\\://bucket/lake/before", "file\\:/x/before"])
def test_a_bootstrapped_hudi_tables_files_are_kept_where_the_lake_was_moved(
    lake: Path, gone: str
) -> None:
    put(lake / "t/.hoodie/hoodie.properties", f"hoodie.bootstrap.base.path={gone}\n")
    parquet(lake / "before/region_eu.parquet", ROWS[:9])
    parquet(lake / "after/region_eu.parquet", ROWS[:9])
    kept = {t.location: t.must_keep for t in r2d2.tables(lake).tables if t.eligible}
    assert kept.pop("before/region_eu.parquet")
    assert set(kept.values()) == {None}


def test_a_file_called_metadata_blocks_at_most_its_folder(lake: Path) -> None:
    put(lake / "flink/chk-7/_metadata", b"\x49\x60 the state of a job")
    parquet(lake / "flink/chk-7/side_output.parquet", ROWS[:9])
    put(lake / "set/_metadata", b"PAR1 cut off")
    parquet(lake / "set/orders_may.parquet", ROWS[:9])
    kept = {t.location: t.must_keep for t in r2d2.tables(lake).tables}
    assert "Parquet dataset set" in str(kept.pop("set/orders_may.parquet"))
    assert kept.keys() == OWN | {"flink/chk-7/side_output.parquet"}
    assert set(kept.values()) == {None}


def test_explain_says_whose_file_it_is(lake: Path) -> None:
    put(lake / "hive/_symlink_format_manifest/manifest", f"{lake}/june.parquet\n")
    parquet(lake / "june.parquet", ROWS[:9])
    with pytest.raises(UsageError, match="belongs to symlink manifest table hive"):
        explain_pair(str(lake), "june.parquet", "orders/all.parquet", Settings(), 0)
