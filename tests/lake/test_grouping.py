"""Which files make which table."""

import pytest

from r2d2.lake.grouping import group_files
from r2d2.model import FileGroup, FileInfo, Format
from r2d2.storage.local import Listing


def groups(*paths: str) -> dict[str, FileGroup]:
    files = tuple(FileInfo(path, 1, "1") for path in sorted(paths))
    return {group.location: group for group in group_files(Listing(files)).groups}


def test_every_data_file_is_a_table_of_its_own() -> None:
    found = groups("a/de.parquet", "a/fr.parquet", "b.CSV", "c.jsonl.gz", "d.tsv.zst")
    assert {name: group.format for name, group in found.items()} == {
        "a/de.parquet": Format.PARQUET,
        "a/fr.parquet": Format.PARQUET,
        "b.CSV": Format.CSV,
        "c.jsonl.gz": Format.JSON,
        "d.tsv.zst": Format.CSV,
    }


def test_files_under_partition_folders_are_one_table() -> None:
    found = groups("t/y=1/m=1/a.parquet", "t/y=1/m=2/a.parquet", "t/y=2/m=1/b.parquet")
    assert found.keys() == {"t"}
    assert found["t"].partitioned
    assert len(found["t"].files) == 3


def test_partition_folders_of_different_depth_are_no_table() -> None:
    assert groups("t/y=1/a.parquet", "t/y=1/m=2/a.parquet").keys() == {
        "t/y=1/a.parquet",
        "t/y=1/m=2/a.parquet",
    }


def test_partition_folders_with_two_formats_are_no_table() -> None:
    assert len(groups("t/y=1/a.parquet", "t/y=1/a.csv")) == 2


def test_a_folder_with_a_delta_log_owns_all_below_it() -> None:
    found = groups("t/_delta_log/0.json", "t/part-0.parquet", "t/_x=1/part-1.parquet", "u.csv")
    assert found.keys() == {"t", "u.csv"}
    assert found["t"].format is Format.DELTA
    assert len(found["t"].files) == 3


def test_iceberg_and_hudi_folders_are_one_table_each() -> None:
    found = groups(
        "i/metadata/v1.metadata.json", "i/data/a.parquet", "h/.hoodie/x", "h/2020/b.parquet"
    )
    assert {name: group.format for name, group in found.items()} == {
        "i": Format.OTHER,
        "h": Format.OTHER,
    }


def test_the_lake_itself_may_be_a_table() -> None:
    assert groups("_delta_log/0.json", "part-0.parquet").keys() == {""}


def test_hidden_and_unknown_names_are_counted() -> None:
    files = tuple(FileInfo(p, 1, "1") for p in (".a.csv", "_b/c.csv", "README", "x.bak"))
    found = group_files(Listing(files))
    assert found.groups == ()
    assert found.skipped == {"name starts with _ or .": 2, "no data file by its name": 2}


@pytest.mark.parametrize(
    "marker",
    [
        "_spark_metadata/0",
        "metadata/version-hint.text",
        "base_0000002/000000_0",
        "base_0000002_v0000017/bucket_00000",
        "delta_0000001_0000001_0000/000000_0",
        "delete_delta_0000003_0000003/bucket_00000",
    ],
)
def test_a_table_whose_files_its_metadata_chooses_is_not_read_as_a_folder(marker: str) -> None:
    found = group_files(Listing((FileInfo(f"t/{marker}", 1, "1"), FileInfo("t/p.parquet", 1, "1"))))
    assert [(group.location, group.format) for group in found.groups] == [("t", "other")]
