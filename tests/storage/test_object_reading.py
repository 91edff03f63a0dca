"""Ranges and seekable files of objects, on a real server and on our own."""

import io
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.errors import UnreadableTableError
from r2d2.storage import objects
from tests.support.servers import SmallServer
from tests.support.storage.buckets import Bucket, named

CONTENT = Random(0).randbytes(3_000_000)


@pytest.mark.parametrize(
    ("start", "length"),
    [
        (0, None),
        (5, 10),
        (0, 0),
        (2_999_990, None),
        (2_999_990, 100),
        (-10, None),
        (-10, 3),
        (-65536, None),
        (-4_000_000, None),
        (3_000_000, None),
        (4_000_000, 5),
    ],
)
def test_a_range_is_what_a_slice_is(bucket: Bucket, start: int, length: int | None) -> None:
    bucket.put("lake/a", CONTENT)
    storage = bucket.storage()
    begin = max(0, len(CONTENT) + start) if start < 0 else start
    expected = CONTENT[begin:] if length is None else CONTENT[begin : begin + length]
    assert storage.read(named(storage.list(), "a"), start, length) == expected


def test_the_tail_of_a_file_is_one_request_and_nothing_is_none(bucket: Bucket) -> None:
    bucket.put("lake/large", CONTENT)
    bucket.put("lake/small", b"x")
    storage = bucket.storage()
    listing = storage.list()
    before = storage.requests
    assert storage.read(named(listing, "large"), -65536) == CONTENT[-65536:]
    assert storage.read(named(listing, "small"), -65536) == b"x"
    assert storage.requests == before + 2
    assert storage.read(named(listing, "large"), length=0) == b""
    assert storage.requests == before + 2


def test_a_large_range_is_read_in_pieces(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PIECE_BYTES", 1_000_000)
    bucket.put("lake/a", CONTENT)
    storage = bucket.storage()
    file = named(storage.list(), "a")
    before = storage.requests
    assert storage.read(file, 1) == CONTENT[1:]
    assert storage.requests == before + 3


def test_a_small_file_opens_with_one_request(bucket: Bucket) -> None:
    bucket.put("lake/a", b"x" * 1000)
    storage = bucket.storage()
    file = named(storage.list(), "a")
    before = storage.requests
    with storage.open(file) as opened:
        opened.seek(500)
        assert opened.read() == b"x" * 500
    assert storage.requests == before + 1


def test_three_of_sixteen_columns_are_not_the_whole_file(small_bucket: Bucket) -> None:
    assert isinstance(small_bucket.server, SmallServer)
    written = sixteen_columns(rows=80_000)
    small_bucket.put("lake/t.parquet", written)
    storage = small_bucket.storage()
    file = named(storage.list(), "t.parquet")
    before = small_bucket.server.requests()
    opened = pq.ParquetFile(storage.open(file), pre_buffer=False)
    read = opened.read(columns=["c2", "c7", "c11"])
    after = small_bucket.server.requests()
    assert read == pq.read_table(io.BytesIO(written), columns=["c2", "c7", "c11"])
    assert after["GET"] - before.get("GET", 0) == 1 + 2 * 3
    assert after["BYTES"] - before.get("BYTES", 0) < 0.25 * file.size_bytes


def test_all_columns_come_in_fewer_requests_than_chunks(small_bucket: Bucket) -> None:
    written = sixteen_columns(rows=80_000)
    small_bucket.put("lake/t.parquet", written)
    storage = small_bucket.storage()
    file = named(storage.list(), "t.parquet")
    before = storage.requests
    read = pq.ParquetFile(storage.open(file), pre_buffer=False).read()
    assert read == pq.read_table(io.BytesIO(written))
    assert storage.requests - before <= 8


def sixteen_columns(rows: int) -> bytes:
    """A Parquet file of two row groups of 16 chunks."""
    random = np.random.default_rng(0)
    table = pa.table({f"c{i}": random.random(rows) for i in range(16)})
    target = io.BytesIO()
    pq.write_table(table, target, row_group_size=rows // 2, use_dictionary=False)
    return target.getvalue()


def test_an_error_in_mid_read_comes_through_pyarrow_as_it_is(bucket: Bucket) -> None:
    bucket.put("lake/t.parquet", sixteen_columns(rows=80_000))
    storage = bucket.storage()
    opened = pq.ParquetFile(storage.open(named(storage.list(), "t.parquet")))
    bucket.delete("lake/t.parquet")
    with pytest.raises(UnreadableTableError, match=r"t\.parquet: vanished since it was listed"):
        opened.read(columns=["c2"])
