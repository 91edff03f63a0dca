"""What a listing shows, on a real server and on our own."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from r2d2.errors import LakeError
from tests.support.storage.buckets import Bucket, named

HOSTILE = (
    "plain.parquet",
    "a b.parquet",
    "a%20b",
    "a%2Fb",
    "a#b",
    "a?b",
    "t[12]/x",
    "*",
    "ünï/ÿ",
    "e\u0301",
    "\u00e9",
    "\U0001f600",
    "a\\b",
    "a~b|c<d>&\"'`^{e}",
    "a+b",
    "day=2024-01-01 00%3A00/x",
    " lead",
    "trail ",
    "a:b;c,d@e$!()",
    "..x/y",
    "x..",
    "...",
    "_hidden",
    ".hidden",
)


def test_every_key_is_listed_and_read_whatever_it_is_called(bucket: Bucket) -> None:
    for key in HOSTILE:
        bucket.put(f"lake/{key}", key.encode())
    listing = bucket.storage().list()
    assert [file.path for file in listing.files] == sorted(HOSTILE)
    assert not listing.left_out
    assert not listing.skipped
    for file in listing.files:
        assert bucket.storage().read(file) == file.path.encode()
        assert file.size_bytes == len(file.path.encode())


@pytest.mark.parametrize("prefix", ["a b", "a%20b", "a#b", "a?b", "t[12]", "ünï", "day=1/x+y"])
def test_a_prefix_is_no_pattern_and_no_url(bucket: Bucket, prefix: str) -> None:
    bucket.put(f"{prefix}/t.csv", b"x")
    bucket.put("t1/other.csv", b"x")
    storage = bucket.storage(prefix)
    assert [storage.read(file) for file in storage.list().files] == [b"x"]


def test_a_prefix_ends_at_a_folder(bucket: Bucket) -> None:
    for key in ("lake/a", "lake2/b", "lake.csv", "lak"):
        bucket.put(key)
    assert [file.path for file in bucket.storage("lake/").list().files] == ["a"]


def test_a_bucket_is_a_lake(bucket: Bucket) -> None:
    bucket.put("a/b.csv")
    assert [file.path for file in bucket.storage("").list().files] == ["a/b.csv"]


def test_an_empty_bucket_is_an_empty_lake(bucket: Bucket) -> None:
    assert bucket.storage("").list().files == ()


def test_a_prefix_that_holds_nothing_is_an_error(bucket: Bucket) -> None:
    with pytest.raises(LakeError, match="no objects there"):
        bucket.storage("lkae").list()


def test_versions_tell_objects_apart_that_were_replaced(bucket: Bucket) -> None:
    bucket.put("lake/a", b"one")
    before = bucket.storage().list()
    assert before == bucket.storage().list()
    bucket.put("lake/a", b"two")
    assert named(before, "a").version != named(bucket.storage().list(), "a").version


def test_folders_markers_are_no_files(bucket: Bucket) -> None:
    for key in ("lake/", "lake/t.parquet/", "lake/none/", "lake/empty.csv", "lake/_SUCCESS"):
        bucket.put(key, b"")
    bucket.put("lake/t.parquet/part.parquet")
    listing = bucket.storage().list()
    paths = [file.path for file in listing.files]
    assert paths == ["_SUCCESS", "empty.csv", "t.parquet/part.parquet"]
    assert listing.skipped == {"folder marker": 2}


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("a//b.csv", "a//b.csv"),
        ("./x.csv", "./x.csv"),
        ("a/../b.csv", "a/../b.csv"),
        ("x.csv//", "x.csv//"),
        ("tab\t.csv", "tab\\x09.csv"),
        ("bell\x07.csv", "bell\\x07.csv"),
        ("del\x7f.csv", "del\\x7f.csv"),
    ],
)
def test_a_key_that_breaks_the_listing_is_named_and_the_rest_is_read(
    bucket: Bucket, key: str, shown: str
) -> None:
    check_broken_key(bucket, key, shown)


def test_a_key_with_a_line_break_is_named_and_the_rest_is_read(small_bucket: Bucket) -> None:
    check_broken_key(small_bucket, "new\nline.csv", "new\\x0aline.csv")


def check_broken_key(bucket: Bucket, key: str, shown: str) -> None:
    for good in ("a b.csv", "folder/t[1].csv", "a%20b#.csv"):
        bucket.put(f"lake/{good}", good.encode())
    for marker in ("lake/", "lake/folder/"):
        bucket.put(marker, b"")
    bucket.put(f"lake/{key}", b"1")
    storage = bucket.storage()
    listing = storage.list()
    assert "" not in dict(listing.left_out)
    assert shown in dict(listing.left_out)
    assert "rename" in dict(listing.left_out)[shown]
    for good in ("a b.csv", "folder/t[1].csv", "a%20b#.csv"):
        assert storage.read(named(listing, good)) == good.encode()


def test_a_leading_slash_does_not_pass_for_another_object(bucket: Bucket) -> None:
    bucket.put("/a.csv", b"1")
    bucket.put("a.csv", b"2")
    bucket.put("b.csv", b"3")
    listing = bucket.storage("").list()
    assert [path for path, _ in listing.left_out] == ["a.csv"]
    assert [file.path for file in listing.files] == ["b.csv"]


def test_more_keys_than_a_page_holds_are_all_listed(small_bucket: Bucket) -> None:
    keys = [f"lake/t{number:04d}.csv" for number in range(2_100)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(small_bucket.put, keys))
    storage = small_bucket.storage()
    assert len(storage.list().files) == 2_100
    assert storage.requests == 3
