"""Delta tables on an S3-compatible server: the same rows, few requests, no way out of the lake."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from r2d2.errors import UnreadableTableError
from r2d2.formats.delta import read as delta_read
from r2d2.formats.delta import table as delta_table
from r2d2.model import Table
from r2d2.storage.local import Storage
from tests.support.servers import SmallServer, small_server
from tests.support.storage.buckets import Bucket, bucket_on

DATA = pa.table({"a": [1, 2, 3], "s": ["x", None, "z"]})
NAME = "p=a%20b/#f%.parquet"


@pytest.fixture(scope="module")
def server() -> Iterator[SmallServer]:
    """One server for all."""
    with small_server() as started:
        yield started


@pytest.fixture
def bucket(lake: Any, server: SmallServer, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket whose lake holds a table `t` of one file with an awkward name."""
    lake.create("t", DATA)
    add = lake.add_file("t", NAME, DATA)["add"]
    path = "p=a%2520b/%23f%25.parquet"
    lake.write_commit("t", 1, {"remove": {"path": "f.parquet"}}, {"add": add | {"path": path}})
    return bucket_on(server, monkeypatch)


def inspect(storage: Storage, table: str) -> Table:
    """What r2d2 tells of the table."""
    files = [file for file in storage.list().files if file.path.startswith(f"{table}/")]
    return delta_table.inspect(storage, table, files)


def loaded(bucket: Bucket, lake: Any) -> Storage:
    """The bucket's lake, with all of the folder's files."""
    assert isinstance(bucket.server, SmallServer)
    bucket.server.load(bucket.name, "lake/", lake.root)
    return bucket.storage()


def test_a_table_costs_a_request_for_each_commit_footer_and_file(bucket: Bucket, lake: Any) -> None:
    storage = loaded(bucket, lake)
    files = storage.list().files
    before = storage.requests
    table = delta_table.inspect(storage, "t", files)
    assert storage.requests - before == 3
    assert (table.rows, [file.path for file in table.files]) == (3, [f"t/{NAME}"])
    (split,) = table.splits
    batches = list(delta_read.read(storage, split, {"a", "s"}))
    assert storage.requests - before == 4
    assert pa.Table.from_batches(batches).equals(DATA)


@pytest.mark.parametrize("scheme", ["s3", "s3a"])
def test_a_clone_in_a_bucket_is_followed_into_the_lake_only(
    bucket: Bucket, lake: Any, scheme: str
) -> None:
    add = lake.actions("t", "add")[-1]
    inside = f"{scheme}://{bucket.name}/lake/t/{add['path']}"
    lake.create("c", DATA)
    lake.write_commit("c", 1, {"remove": {"path": "f.parquet"}}, {"add": add | {"path": inside}})
    storage = loaded(bucket, lake)
    assert inspect(storage, "c").files == inspect(storage, "t").files
    lake.write_commit("c", 2, {"add": add | {"path": f"{scheme}://{bucket.name}/lakes/x"}})
    with pytest.raises(UnreadableTableError, match="outside the lake: refused"):
        inspect(loaded(bucket, lake), "c")
