"""A lake in a bucket is a lake like any other, and a store that fails fails by the table."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2 import Graph
from r2d2.progress import Silence
from tests.support.storage.buckets import Bucket

SAMPLE = Path(__file__).parents[2] / "sample_lake"


class Meanwhile(Silence):
    """Does something between the inventory and the scan."""

    def __init__(self, deed: Callable[[], None]) -> None:
        self.deed = deed

    def begin(self, what: str, total_bytes: int) -> None:
        self.deed()


def upload(bucket: Bucket, folder: Path) -> str:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            bucket.put(f"lake/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return f"s3://{bucket.name}/lake"


def large_tables(folder: Path) -> None:
    """Two equal tables and a larger one, too large to be kept by the inventory."""
    folder.mkdir()
    rows = range(30_000)
    for name, more in (("one", 0), ("two", 0), ("more", 5)):
        numbers = [*rows, *range(40_000, 40_000 + more)]
        pq.write_table(
            pa.table({"x": numbers, "y": [n * n for n in numbers]}), folder / f"{name}.parquet"
        )


def edges(graph: Graph) -> set[tuple[str, str, float]]:
    return {(edge.child, edge.parent, edge.fraction) for edge in graph.edges}


def problems(graph: Graph) -> dict[str, str]:
    assert all(table.unreadable for table in graph.tables if table.problem)
    return {table.location: table.problem for table in graph.tables if table.problem}


def test_the_sample_lake_in_a_bucket_has_the_edges_it_has_in_a_folder(
    bucket: Bucket, engine: str
) -> None:
    lake = upload(bucket, SAMPLE)
    there = r2d2.find(lake, engine=engine, min_fraction=0.9)
    here = r2d2.find(SAMPLE, min_fraction=0.9)
    assert not problems(there)
    assert edges(there) == edges(here)
    assert [t.location for t in there.tables] == [t.location for t in here.tables]


@pytest.mark.shared
def test_the_dev_lake_in_a_bucket_has_the_edges_it_has_in_a_folder(
    small_bucket: Bucket, shared: Path, engine: str
) -> None:
    folder = shared / "lakes/dev/parquet"
    there = r2d2.find(upload(small_bucket, folder), engine=engine)
    assert not problems(there)
    assert edges(there) == edges(r2d2.find(folder))


def test_an_object_deleted_in_mid_run_is_named_and_the_others_go_on(
    bucket: Bucket, tmp_path: Path
) -> None:
    large_tables(tmp_path / "lake")
    lake = upload(bucket, tmp_path / "lake")
    deed = Meanwhile(lambda: bucket.delete("lake/one.parquet"))
    graph = r2d2.find(lake, progress=deed)
    assert "one.parquet: vanished" in problems(graph)["one.parquet"]
    assert edges(graph) == {("two.parquet", "more.parquet", 1.0)}


def test_an_object_replaced_in_mid_run_is_named_and_the_others_go_on(
    bucket: Bucket, tmp_path: Path
) -> None:
    large_tables(tmp_path / "lake")
    lake = upload(bucket, tmp_path / "lake")
    other = (tmp_path / "lake/more.parquet").read_bytes()
    graph = r2d2.find(lake, progress=Meanwhile(lambda: bucket.put("lake/one.parquet", other)))
    assert "changed" in problems(graph)["one.parquet"]
    assert edges(graph) == {("two.parquet", "more.parquet", 1.0)}


def test_an_object_that_may_not_be_read_is_named_and_the_others_go_on(
    small_bucket: Bucket, tmp_path: Path, engine: str
) -> None:
    large_tables(tmp_path / "lake")
    lake = upload(small_bucket, tmp_path / "lake")
    small_bucket.misbehave(**{"one.parquet": "deny"})
    graph = r2d2.find(lake, engine=engine)
    assert "denied" in problems(graph)["one.parquet"].lower()
    assert edges(graph) == {("two.parquet", "more.parquet", 1.0)}


def test_a_server_killed_in_mid_run_ends_the_run_with_its_tables_named(
    mortal_bucket: Bucket, tmp_path: Path
) -> None:
    large_tables(tmp_path / "lake")
    lake = upload(mortal_bucket, tmp_path / "lake")
    graph = r2d2.find(lake, progress=Meanwhile(mortal_bucket.server.kill))
    assert problems(graph).keys() == {"one.parquet", "two.parquet", "more.parquet"}
    assert not graph.edges
