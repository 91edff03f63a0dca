"""Files that another table's metadata names are no tables of their own, wherever they lie."""

from pathlib import Path

import pyarrow as pa
import pytest

import r2d2
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
