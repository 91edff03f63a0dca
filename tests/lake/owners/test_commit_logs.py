"""Folders whose writer says which files count: sinks of Spark, transactions of Databricks."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

import r2d2
from tests.support.lake.owned import parquet, put

ROWS = pa.table({"id": range(100), "s": [f"value {i}" for i in range(100)]})
OWN = {"orders/all.parquet"}
ONE, TWO = (f"part-00000-tid-{tid}-aa-1-1-c000.snappy.parquet" for tid in (111, 222))


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


def transaction(folder: Path, tid: str, added: list[str], removed: list[str]) -> None:
    put(folder / f"_started_{tid}", "")
    put(folder / f"_committed_{tid}", json.dumps({"added": added, "removed": removed}))


def test_files_whose_transactions_are_committed_are_a_table(lake: Path) -> None:
    for tid, name in (("111", ONE), ("222", TWO)):
        parquet(lake / "t" / name, ROWS.slice(0, 10))
        transaction(lake / "t", tid, [name], ["part-00000-long-gone.parquet"])
    assert eligible(lake) == OWN | {"t"}


@pytest.mark.parametrize("place", ["t", "t/k=1"])
@pytest.mark.parametrize(
    ("marker", "content", "said"),
    [
        ("_started_222", "", "_started_222 is there and _committed_222 is not"),
        ("_committed_222", "{}", "_committed_222 does not name it"),
        ("_committed_222", "", "_committed_222 cannot be read"),
        ("_committed_vacuum1", json.dumps({"removed": [ONE]}), "_committed_vacuum1 says"),
        (".other", "", "and its own, 222, has none"),
    ],
)
def test_a_file_that_databricks_alone_leaves_out_refuses_its_table(
    lake: Path, place: str, marker: str, content: str, said: str
) -> None:
    for name in (ONE, TWO):
        parquet(lake / place / name, ROWS.slice(0, 10))
    parquet(lake / "t/k=2" / ONE, ROWS) if place != "t" else None
    transaction(lake / place, "111", [ONE], [])
    put(lake / place / marker, content)
    table = tables(lake)["t"]
    assert said in str(table.problem)
    assert f"Databricks does not count {place}/" in str(table.problem)
    assert "VACUUM" in str(table.problem)


def test_a_marker_that_is_a_link_counts_as_there(lake: Path, tmp_path: Path) -> None:
    parquet(lake / "t" / ONE, ROWS)
    (lake / "t/_started_111").symlink_to(put(tmp_path / "elsewhere", ""))
    assert "_committed_111 is not" in str(tables(lake)["t"].problem)


def test_markers_of_the_root_hold_for_folders_of_keys_and_for_no_other_table(lake: Path) -> None:
    put(lake / "_started_222", "")
    parquet(lake / "k=1" / TWO, ROWS)
    parquet(lake / "other" / TWO, ROWS)
    found = tables(lake)
    assert "_committed_222 is not" in str(found["."].problem)
    assert found["other"].eligible


def test_the_markers_that_a_delta_table_came_from_say_nothing(lake: Path) -> None:
    from deltalake import DeltaTable, convert_to_deltalake

    parquet(lake / "t" / TWO, ROWS)
    put(lake / "t/_started_222", "")
    convert_to_deltalake(lake / "t")
    assert DeltaTable(lake / "t").version() == 0
    assert eligible(lake) == OWN | {"t"}


def sink(folder: Path, batches: dict[str, list[str]]) -> None:
    """Writes the log of a streaming sink: each batch's files by their names in it."""
    for name, files in batches.items():
        lines = [
            json.dumps({"path": file, "size": 1, "isDir": False, "action": "add"}) for file in files
        ]
        put(folder / "_spark_metadata" / name, "\n".join(["v1", *lines]))


@pytest.mark.parametrize("key", ["", "k=1/", "k=a b/"])
def test_the_files_of_a_streaming_sink_are_no_tables(lake: Path, key: str) -> None:
    place = f"sink/{key}part-00000-a.c000.snappy.parquet"
    parquet(lake / place, ROWS.slice(0, 10))
    parquet(lake / "sink" / "k=2" / "orphan.parquet", ROWS.slice(0, 10))
    sink(lake / "sink", {"0": [(lake / place).as_uri()]})
    found = tables(lake)
    assert {location for location, table in found.items() if table.eligible} == OWN
    assert "a sink of Spark's streaming" in str(found["sink"].problem)
    assert found["orders/all.parquet"].must_keep is None


def test_a_streaming_sink_owns_its_files_wherever_its_log_was_moved_to(lake: Path) -> None:
    parquet(lake / "landing/k=a b/part-1.parquet", ROWS.slice(0, 10))
    parquet(lake / "landing/k=c/part-2.parquet", ROWS.slice(0, 10))
    here = (lake / "landing/k=a b/part-1.parquet").as_uri()
    sink(lake / "logs/sink", {"9.compact": [here], "10": ["hdfs://n/elsewhere/part.parquet"]})
    found = tables(lake)
    assert not found["landing"].eligible
    assert "1 of its 2 files belong to Spark streaming sink logs/sink" in str(
        found["landing"].problem
    )


def test_a_lake_that_was_copied_with_a_sink_is_as_it_was(lake: Path) -> None:
    parquet(lake / "new/landing/part-1.parquet", ROWS.slice(0, 10))
    parquet(lake / "new/landing/other.parquet", ROWS.slice(0, 10))
    sink(lake / "new/landing/sub", {"0": ["file:///old/landing/sub/part-1.parquet"]})
    sink(lake / "new/far", {"0": ["file:///old/landing/part-1.parquet"]})
    parquet(lake / "new/far/part-1.parquet", ROWS.slice(0, 10))
    assert "new/landing/other.parquet" in eligible(lake)
    assert tables(lake)["orders/all.parquet"].must_keep is None


@pytest.mark.parametrize("content", ["", "v2\n{}", 'v1\n{"path":'])
def test_a_sink_whose_log_is_damaged_keeps_all_that_it_may_own(lake: Path, content: str) -> None:
    parquet(lake / "sink/part-00000-a.parquet", ROWS.slice(0, 10))
    put(lake / "sink/_spark_metadata/0", content)
    kept = tables(lake)["orders/all.parquet"].must_keep
    assert "Spark streaming sink sink, which is not resolved" in str(kept)


def test_a_batch_that_is_missing_keeps_what_lies_beside_those_named(lake: Path) -> None:
    for name in ("a", "b"):
        parquet(lake / f"landing/orders_{name}.parquet", ROWS.slice(0, 10))
    name = (lake / "landing/orders_a.parquet").as_uri()
    sink(lake / "sink", {"0": [name], "2": [name]})
    found = tables(lake)
    assert "a batch of its log is missing" in str(found["landing/orders_b.parquet"].must_keep)
    assert found["orders/all.parquet"].must_keep is None


@pytest.mark.parametrize("is_link", [True, False])
def test_a_log_that_is_a_link_or_closed_frees_no_file(
    lake: Path, tmp_path: Path, is_link: bool
) -> None:
    parquet(lake / "sink/part-00000-a.parquet", ROWS.slice(0, 10))
    parquet(lake / "sink/k=1/part-00000-a.parquet", ROWS.slice(0, 10))
    log = lake / "sink/_spark_metadata"
    if is_link:
        log.symlink_to(tmp_path, target_is_directory=True)
    else:
        put(log / "0" / "not a file", "")
    assert eligible(lake) == OWN


def test_a_link_anywhere_frees_no_table_of_which_others_own_a_part(
    lake: Path, tmp_path: Path
) -> None:
    for name in ("part-1.parquet", "part-2.parquet"):
        parquet(lake / "landing" / name, ROWS.slice(0, 10))
    sink(lake / "sink", {"0": [(lake / "landing/part-1.parquet").as_uri()]})
    (lake / "link").symlink_to(tmp_path, target_is_directory=True)
    assert eligible(lake) == OWN
