"""Owners of which only a part is there, or may be seen: of Hive, Iceberg and all others."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.orc as orc
import pytest

import r2d2
from tests.support.lake.owned import IcebergTable, manifest, manifest_list, parquet, put

ROWS = pa.table({"id": range(100), "s": [f"value {i}" for i in range(100)]})
OWN = {"orders/all.parquet"}
ID = str(UUID(int=5))


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake with one table of its own."""
    folder = tmp_path / "lake"
    parquet(folder / "orders/all.parquet", ROWS)
    return folder


def tables(lake: Path) -> dict[str, r2d2.Table]:
    return {table.location: table for table in r2d2.tables(lake).tables}


def eligible(lake: Path) -> set[str]:
    return {location for location, table in tables(lake).items() if table.eligible}


@pytest.mark.parametrize(
    "write",
    [
        ["base_0000002/bucket_00000"],
        ["base_0000002_v0000017/bucket_00000_0"],
        ["delta_0000001_0000001_0000/000000_0", "delta_0000002_0000002/000000_0"],
        [
            "delta_0000001_0000003_v0000020/bucket_00001",
            "delete_delta_0000003_0000003/bucket_00001",
        ],
        ["delta_0000004_0000009/bucket_00000", "delta_0000004_0000009/bucket_00000_flush_length"],
        ["base_12345678/000000_0", "delta_12345679_12345679_0000/000000_0"],
        ["base_20200101/bucket_00000", "base_20200101/_orc_acid_version"],
        ["delta_0000001_0000001/_metadata_acid", "delta_0000001_0000001/000000_0"],
    ],
)
@pytest.mark.parametrize("ending", ["", ".orc"])
def test_a_transactional_table_of_hive_is_one_with_its_partitions(
    lake: Path, write: Sequence[str], ending: str
) -> None:
    for key in ("p=1/", "p=2/q=a b/", "../v/"):
        for name in write:
            place = lake / f"t/{key}{name}{'' if '/_' in name else ending}"
            place.parent.mkdir(parents=True, exist_ok=True)
            orc.write_table(ROWS.slice(0, 10), place)
    parquet(lake / "t/p=3/000000_0", ROWS.slice(0, 10))
    parquet(lake / "t/p=3/000001_0.parquet", ROWS.slice(0, 10))
    parquet(lake / "u" / f"{write[0].replace('/_', '/x_')}", ROWS.slice(0, 10))
    found = tables(lake)
    assert {location for location, table in found.items() if table.eligible} - {"u"} == OWN
    for location in ("t", "v"):
        assert "a transactional table of Hive" in str(found[location].problem)
    assert found["orders/all.parquet"].must_keep is None


@pytest.mark.parametrize("key", ["", "p=1/"])
def test_a_link_in_a_transactional_table_of_hive_costs_no_other_table(
    lake: Path, tmp_path: Path, key: str
) -> None:
    parquet(lake / "t/p=2/000000_0.parquet", ROWS.slice(0, 10))
    (lake / f"t/{key}base_0000002").mkdir(parents=True)
    (lake / f"t/{key}base_0000002/bucket_00000").symlink_to(put(tmp_path / "elsewhere", ""))
    found = tables(lake)
    assert {location for location, table in found.items() if table.eligible} == OWN
    assert found["orders/all.parquet"].must_keep is None


@pytest.mark.parametrize(
    "folder", ["base_20200101", "delta_2", "delta_20200101_20200131", "base_1", "my_base_0000001"]
)
@pytest.mark.parametrize("name", ["orders_DE.parquet", "000000_0.parquet"])
def test_a_folder_that_is_called_a_base_or_a_delta_is_an_ordinary_one(
    lake: Path, folder: str, name: str
) -> None:
    parquet(lake / folder / name, ROWS.slice(0, 10))
    parquet(lake / "other/orders_FR.parquet", ROWS.slice(0, 10))
    table = f"{folder}/{name}" if "orders" in name else folder
    assert eligible(lake) == OWN | {table, "other/orders_FR.parquet"}


def iceberg_without_metadata(lake: Path, url: str) -> None:
    """A table of Iceberg that has lost its metadata file."""
    parquet(lake / "wh/t/data/a.parquet", ROWS.slice(0, 10))
    parquet(lake / "landing/b.parquet", ROWS.slice(0, 10))
    parquet(lake / "landing/c.parquet", ROWS.slice(0, 10))
    folder = lake / "wh/t/metadata"
    names = [f"{url}/wh/t/data/a.parquet", f"{url}/landing/b.parquet"]
    put(folder / f"{ID}-m0.avro", manifest(names))
    put(folder / f"snap-7-1-{ID}.avro", manifest_list([f"{url}/wh/t/metadata/{ID}-m0.avro"]))


@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("lost", ["nothing more", f"snap-7-1-{ID}.avro"])
def test_manifests_without_a_metadata_file_own_what_they_name(
    lake: Path, is_moved: bool, lost: str
) -> None:
    iceberg_without_metadata(lake, "s3://bucket/old" if is_moved else str(lake))
    (lake / "wh/t/metadata" / lost).unlink(missing_ok=True)
    found = tables(lake)
    assert {location for location, table in found.items() if table.eligible} == OWN | {
        "landing/c.parquet"
    }
    assert all(found[location].must_keep is None for location in OWN)
    assert "(Iceberg)" in str(found["wh/t"].problem)


@pytest.mark.parametrize("left", [f"snap-7-1-{ID}.avro", "version-hint.text", f"{ID}-m1.avro"])
def test_where_no_manifest_tells_any_file_may_be_the_tables(lake: Path, left: str) -> None:
    iceberg_without_metadata(lake, str(lake))
    (lake / f"wh/t/metadata/{ID}-m0.avro").unlink()
    put(lake / "wh/t/metadata/version-hint.text", "1")
    if left == f"{ID}-m1.avro":
        put(lake / "wh/t/metadata" / left, b"Obj\x01 and no more")
    for path in (lake / "wh/t/metadata").iterdir():
        if path.name != left:
            path.unlink()
    found = tables(lake)
    assert found["landing/b.parquet"].eligible
    for location in ("landing/b.parquet", "landing/c.parquet", *OWN):
        assert "Iceberg table wh/t, which is not resolved" in str(found[location].must_keep)
    assert not found["wh/t"].eligible


def test_manifests_beside_a_metadata_file_are_no_second_table(lake: Path) -> None:
    table = IcebergTable(lake, "wh/t", lambda p: f"file://{lake}/{p}")
    parquet(lake / "wh/t/data/a.parquet", ROWS.slice(0, 10))
    table.commit(["wh/t/data/a.parquet"])
    put(lake / "wh/t/metadata/version-hint.text", "1")
    put(lake / f"wh/t/metadata/{ID}-m0.avro", manifest(["wh/t/data/b.parquet"]))
    found = tables(lake)
    assert found["orders/all.parquet"].must_keep is None
    assert not found["wh/t"].eligible


def test_a_folder_called_metadata_is_no_table_of_iceberg(lake: Path) -> None:
    parquet(lake / "t/metadata/sensors.parquet", ROWS.slice(0, 10))
    parquet(lake / "t/orders_DE.parquet", ROWS.slice(0, 10))
    assert eligible(lake) == OWN | {"t/metadata/sensors.parquet", "t/orders_DE.parquet"}


METADATA = {
    "delta": "clone/_delta_log/00000000000000000000.json",
    "hudi": "h/.hoodie/hoodie.properties",
    "iceberg": "ice/metadata/v1.metadata.json",
    "paimon": "p/snapshot/snapshot-1",
    "lance": "l/_versions/1.manifest",
    "symlink manifest": "s/_symlink_format_manifest/manifest",
    "Spark streaming sink": "k/_spark_metadata/0",
    "parquet _metadata": "m/_metadata",
    "catalogue file": "c/files.ducklake",
}


def away(path: Path, to: Path) -> None:
    to.parent.mkdir(exist_ok=True)
    path.rename(to)
    path.symlink_to(to)


@pytest.mark.parametrize("kind", METADATA)
@pytest.mark.parametrize("is_folder", [True, False])
@pytest.mark.parametrize("outside", [True, False])
def test_an_owner_whose_metadata_is_a_link_may_own_any_file(
    lake: Path, kind: str, is_folder: bool, outside: bool
) -> None:
    metadata = put(lake / METADATA[kind], "{}")
    place = metadata.parent if is_folder and metadata.parent.parent != lake else metadata
    away(place, (lake.parent if outside else lake) / "elsewhere" / place.name)
    found = r2d2.tables(lake)
    path = place.relative_to(lake).as_posix()
    kept = {table.location: table.must_keep for table in found.tables}["orders/all.parquet"]
    assert f"is not resolved: {path}: " in str(kept)
    assert found.owners["looked_at"][kind] >= 1
    assert path in {entry["metadata"] for entry in found.owners["unresolved"]}
