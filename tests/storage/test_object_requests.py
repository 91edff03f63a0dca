"""How many requests a lake of many small tables costs."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.formats.parquet import read as parquet
from r2d2.storage.connection import CONCURRENT_READS
from tests.support.servers import SmallServer
from tests.support.storage.buckets import Bucket

TABLES = 10_000


@pytest.fixture
def many_tables(small_bucket: Bucket, tmp_path: Path) -> Bucket:
    """10,000 small Parquet objects, all of one content."""
    assert isinstance(small_bucket.server, SmallServer)
    first = tmp_path / "00000.parquet"
    pq.write_table(pa.table({"id": range(10), "name": [str(i) for i in range(10)]}), first)
    for number in range(1, TABLES):
        os.link(first, tmp_path / f"{number:05d}.parquet")
    small_bucket.server.load(small_bucket.name, "lake/", tmp_path)
    return small_bucket


def test_ten_thousand_tables_cost_one_request_each_and_eleven_for_the_listing(
    many_tables: Bucket,
) -> None:
    assert isinstance(many_tables.server, SmallServer)
    before = many_tables.server.requests()
    storage = many_tables.storage()
    files = storage.list().files
    with ThreadPoolExecutor(CONCURRENT_READS) as pool:
        tables = list(pool.map(lambda file: parquet.inspect(storage, file.path, file), files))
    after = many_tables.server.requests()
    assert [table.rows for table in tables] == [10] * TABLES
    # After full pages only, one more request tells that the listing did not break off.
    assert after["LIST"] - before.get("LIST", 0) == TABLES // 1000 + 1
    assert after["GET"] - before.get("GET", 0) == TABLES
    assert storage.requests == TABLES + TABLES // 1000 + 1
    assert after.get("HEAD", 0) == before.get("HEAD", 0)
