"""Owners in a bucket: names in metadata are URLs of it, of another place, or relative."""

from pathlib import Path

import pyarrow as pa
import pytest

import r2d2
from tests.support.lake.owned import parquet
from tests.support.lake.random_owners import make_owned_lake
from tests.support.storage.buckets import Bucket


@pytest.mark.parametrize("seed", range(8))
def test_a_file_that_another_table_names_is_no_table_in_a_bucket_either(
    small_bucket: Bucket, tmp_path: Path, seed: int
) -> None:
    lake = make_owned_lake(tmp_path / "lake", seed, small_bucket.name)
    for path in sorted(lake.root.rglob("*")):
        if path.is_file():
            small_bucket.put(f"lake/{path.relative_to(lake.root).as_posix()}", path.read_bytes())
    inventory = r2d2.tables(f"s3://{small_bucket.name}/lake")
    lake.check({table.location: table for table in inventory.tables})


@pytest.mark.parametrize("name", ["../june.parquet", "s3a://{}/lake/june.parquet"])
def test_a_manifest_in_a_bucket_names_files_by_url_or_relative(
    small_bucket: Bucket, tmp_path: Path, name: str
) -> None:
    file = parquet(tmp_path / "june.parquet", pa.table({"x": [1, 2]})).read_bytes()
    for path in ("lake/june.parquet", "lake/may.parquet"):
        small_bucket.put(path, file)
    line = name.format(small_bucket.name).encode()
    small_bucket.put("lake/hive/_symlink_format_manifest/manifest", line)
    inventory = r2d2.tables(f"s3://{small_bucket.name}/lake")
    assert [table.location for table in inventory.tables] == ["may.parquet"]
    assert inventory.skipped["owned by symlink manifest table hive"] == 1
