"""Files that another table's metadata names are no tables of their own, wherever they lie."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.settings.find import Settings, TableRule
from tests.support.lake.owned import IcebergTable, parquet, put

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
    from r2d2.report.find import write_find
    from r2d2.settings.find import Settings

    for name in ("run", "runs/two"):
        write_find(lake / name, r2d2.find(lake), Settings(), str(lake))
        assert eligible(lake) == OWN
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
