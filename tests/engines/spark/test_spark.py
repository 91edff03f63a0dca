"""The Spark engine says what the local one says, down to the evidence, whatever its way there."""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.engines.local.lake import LocalLake
from r2d2.engines.spark import count as spark_count
from r2d2.engines.spark import lake as spark_lake
from r2d2.engines.spark import partitioning as spark_plan
from r2d2.engines.spark import scans as spark_scans
from r2d2.engines.spark import semijoin
from r2d2.engines.spark.lake import READ_ANEW, SparkLake
from r2d2.engines.spark.partitioning import partition_keys
from r2d2.engines.spark.recipes import SparkRecipes
from r2d2.graph import Graph
from r2d2.lake.questions import Lake, Wanted
from r2d2.model import FileInfo, Work
from r2d2.progress import Silence
from r2d2.settings.find import Settings
from r2d2.storage import storage_of
from r2d2.storage.local import LocalStorage

pytestmark = pytest.mark.spark

SETTINGS: tuple[Mapping[str, Any], ...] = (
    {},
    {"types": "widened", "min_fraction": 0.5},
    {"stages": ("schema", "exact"), "min_fraction": 1e-9},
    {"stages": ("schema", "sample", "sketch", "exact"), "sketch_size": 3, "sample_rows": 5},
)


def same(one: Graph, other: Graph) -> None:
    """Fails where the graphs differ in anything but the cost of their ways.

    Executors that inspect files bound them, too; elsewhere only what is asked for is bounded.
    """
    tables = [[replace(table, bounds={}) for table in graph.tables] for graph in (one, other)]
    assert tables[0] == tables[1]
    assert one.edges == other.edges
    assert one.degenerate == other.degenerate
    cost = {"seconds": 0.0, "core_seconds": 0.0, "bytes_shuffled": 0, "work": Work()}
    rows = [[replace(row, **cost) for row in graph.funnel] for graph in (one, other)]
    assert rows[0] == rows[1]


def check(lake: Path, session: Any, **settings: Any) -> Graph:
    """The graph of the lake, after a check that both engines give it."""
    graph = r2d2.find(lake, engine="spark", session=session, **settings)
    same(graph, r2d2.find(lake, **settings))
    return graph


@pytest.fixture
def exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the driver hold no hashes, so that executors exchange them."""
    monkeypatch.setattr(spark_scans, "HELD_BYTES", 0)


@pytest.mark.usefixtures("exchanged")
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_both_engines_give_the_same_graph_of_random_lakes(
    random_lake: Path, spark: Any, settings: Mapping[str, Any]
) -> None:
    assert check(random_lake, spark, **settings).edges


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_graph_is_the_same_where_the_driver_holds_the_hashes(
    random_lake: Path, spark: Any, settings: Mapping[str, Any]
) -> None:
    graph = check(random_lake, spark, **settings)
    assert graph.edges
    assert sum(row.bytes_shuffled for row in graph.funnel) == 0


def test_hashes_of_the_driver_meet_those_that_spark_keeps(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    three(tmp_path)
    pairs = [((0, 0), (1, 0)), ((2, 0), (1, 0)), ((1, 0), (0, 0)), ((0, 0), (0, 0))]
    with SparkLake(storage_of(str(tmp_path)), Settings(), spark, Silence()) as lake:
        tables = lake.inventory().tables
        wanted = {(index, 0): table.columns for index, table in enumerate(tables)}
        lake.sketches({key: wanted[key] for key in [(0, 0), (2, 0)]}, 8)
        monkeypatch.setattr(spark_scans, "HELD_BYTES", 0)
        lake.sketches({(1, 0): wanted[1, 0]}, 8)
        answer = lake.overlaps(wanted, pairs, None, 0.0)
    assert answer.rows.tolist() == [5000, 9000, 9000, 5000]
    assert answer.missing.tolist() == [0, 1, 4000, 0]


def test_the_driver_holds_a_bounded_number_of_hashes(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    three(tmp_path)
    monkeypatch.setattr(spark_scans, "HELD_BYTES", 16 * 14_000)
    with SparkLake(storage_of(str(tmp_path)), Settings(), spark, Silence()) as lake:
        wanted = {(i, 0): table.columns for i, table in enumerate(lake.inventory().tables)}
        for key in wanted:
            lake.sketches({key: wanted[key]}, 8)
        held = [lake._scans._kept[key].scan in lake._scans._held for key in sorted(wanted)]
    assert held == [True, True, False]


@pytest.mark.usefixtures("exchanged")
def test_the_graph_is_the_same_when_hashes_are_cut_in_many_ranges(
    random_lake: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_plan, "REDUCER_ROWS", 50)
    monkeypatch.setattr(spark_count, "RANGES", 2)
    monkeypatch.setattr(spark_plan, "LEAST_CUT_ROWS", 10)
    monkeypatch.setattr(spark_plan, "SMALL_TASK_BYTES", 1 << 20)
    check(random_lake, spark, min_fraction=0.5)
    check(random_lake, spark, stages=("schema", "sample", "exact"), sample_rows=3)


@pytest.mark.usefixtures("exchanged")
def test_the_graph_is_the_same_when_parents_send_only_what_a_child_may_have(
    random_lake: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_plan, "REDUCER_ROWS", 50)
    monkeypatch.setattr(spark_plan, "LEAST_CUT_ROWS", 10)
    monkeypatch.setattr(semijoin, "LEAST_SPARED", 1)
    monkeypatch.setattr(semijoin, "LEAST_GAIN", -1)
    check(random_lake, spark, min_fraction=0.5)
    check(random_lake, spark, stages=("schema", "exact"), min_fraction=1e-9)


@pytest.mark.usefixtures("exchanged")
def test_a_parent_of_few_children_sends_little_more_than_they_hold(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_plan, "REDUCER_ROWS", 4000)
    monkeypatch.setattr(spark_plan, "LEAST_CUT_ROWS", 10)
    monkeypatch.setattr("r2d2.formats.parquet.read.SPLIT_BYTES", 1)
    monkeypatch.setattr(spark_plan, "SMALL_TASK_BYTES", 1 << 16)
    parts(tmp_path, 60_000, 3)
    whole = pq.read_table(tmp_path / "parent.parquet")
    pq.write_table(whole.slice(7000, 2000), tmp_path / "child.parquet")
    pq.write_table(whole, tmp_path / "twin.parquet", row_group_size=20_000)
    every = check(tmp_path, spark, stages=("schema", "exact"))
    monkeypatch.setattr(semijoin, "LEAST_SPARED", 10_000)
    few = check(tmp_path, spark, stages=("schema", "exact"))
    shuffled = [graph.funnel[-1].bytes_shuffled for graph in (every, few)]
    assert shuffled[0] > 62_000 * 13
    assert 4000 * 13 <= shuffled[1] < shuffled[0] / 5


@pytest.mark.usefixtures("exchanged")
def test_sketches_are_the_same_when_executors_merge_them(
    random_lake: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_scans, "SKETCHES_BYTES", 4096)
    check(random_lake, spark, sketch_size=2)


def parts(lake: Path, rows: int, groups: int) -> None:
    """Two tables of several row groups each, one row of the child's missing in the parent."""
    for name, values in (("parent", range(rows)), ("child", [*range(0, rows, 3), -1])):
        table = pa.table({"x": values})
        pq.write_table(table, lake / f"{name}.parquet", row_group_size=rows // groups)


@pytest.mark.usefixtures("exchanged")
def test_a_table_of_many_splits_is_one_table(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("r2d2.formats.parquet.read.SPLIT_BYTES", 1)
    monkeypatch.setattr(spark_plan, "REDUCER_ROWS", 1000)
    parts(tmp_path, 30_000, 20)
    (edge,) = check(tmp_path, spark, min_fraction=0.9, sketch_size=100).edges
    assert (edge.child, edge.missing_rows) == ("child.parquet", 1)


@pytest.mark.usefixtures("exchanged")
def test_tables_of_the_same_rows_send_their_hashes_once(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_scans, "FEW_PARTITIONS", 0)
    parts(tmp_path, 30_000, 3)
    child, parent = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("child", "parent"))
    pq.write_table(parent.slice(0, 20_000), tmp_path / "part.parquet")
    once = check(tmp_path, spark, min_fraction=0.9, sketch_size=100)
    pq.write_table(parent.take(list(range(29_999, -1, -1))), tmp_path / "turned.parquet")
    pq.write_table(pa.concat_tables([child, child]), tmp_path / "twice.parquet")
    more = check(tmp_path, spark, min_fraction=0.9, sketch_size=100)
    assert (len(once.edges), len(more.edges)) == (2, 10)
    shuffled = [sum(row.bytes_shuffled for row in graph.funnel) for graph in (once, more)]
    assert 0 < shuffled[0] == shuffled[1]


@pytest.mark.usefixtures("exchanged")
def test_tables_of_the_same_rows_in_other_splits_send_their_hashes_once(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("r2d2.formats.parquet.read.SPLIT_BYTES", 1)
    monkeypatch.setattr(spark_plan, "SMALL_TASK_BYTES", 1 << 12)
    monkeypatch.setattr(spark_plan, "FILE_BYTES", 0)
    monkeypatch.setattr(spark_scans, "FEW_PARTITIONS", 0)
    apart = [*range(20_000)] * 2
    for name, rows in (("apart", apart), ("beside", sorted(apart))):
        pq.write_table(pa.table({"x": rows}), tmp_path / f"{name}.parquet", row_group_size=10_000)
    graph = check(tmp_path, spark, stages=("schema", "exact"))
    assert [edge.distinct_rows for edge in graph.edges] == [20_000, 20_000]
    assert graph.funnel[-1].bytes_shuffled < 45_000 * 16


@pytest.mark.usefixtures("exchanged")
def test_a_pair_that_lacks_rows_in_the_first_range_is_not_sent_on(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_plan, "REDUCER_ROWS", 2000)
    monkeypatch.setattr(spark_scans, "FEW_PARTITIONS", 0)
    stages = ("schema", "exact")
    for name, first in (("whole", 0), ("apart", 300), ("some", 0)):
        values = range(first, first + (20_000 if name == "some" else 30_000))
        pq.write_table(pa.table({"x": values}), tmp_path / f"{name}.parquet")
    near = check(tmp_path, spark, stages=stages, min_fraction=0.99)
    assert [edge.missing_rows for edge in near.edges] == [300, 0, 300]
    (edge,) = check(tmp_path, spark, stages=stages).edges
    assert (edge.child, edge.parent) == ("some.parquet", "whole.parquet")
    (tmp_path / "some.parquet").unlink()
    few = check(tmp_path, spark, stages=stages)
    monkeypatch.setattr(spark_count, "RANGES", 1 << 30)
    every = check(tmp_path, spark, stages=stages)
    assert few.edges == every.edges == ()
    assert 0 < few.funnel[-1].bytes_shuffled < every.funnel[-1].bytes_shuffled / 10


def ask(make: Callable[[], Lake], change: Callable[[], None]) -> tuple[set[str], list[int]]:
    """Which tables fail, and rows found missing, when the lake changes between two questions."""
    with make() as lake:  # type: ignore[attr-defined]
        inventory = lake.inventory()
        wanted: Wanted = {(index, 0): table.columns for index, table in enumerate(inventory.tables)}
        lake.sketches(wanted, 8)
        change()
        answer = lake.overlaps(wanted, [((0, 0), (1, 0)), ((2, 0), (1, 0))], None, 1.0)
        failed = {inventory.tables[index].location for index in answer.failed}
        return failed | set(answer.failed.values()), answer.missing.tolist()


def three(lake: Path) -> None:
    """Tables with too many rows to be read with the inventory; `c` has one that `b` lacks."""
    for name, values in (("a", range(5000)), ("b", range(9000)), ("c", range(1, 9001))):
        pq.write_table(pa.table({"x": values}), lake / f"{name}.parquet")


def test_what_spark_keeps_is_not_read_twice(tmp_path: Path, spark: Any) -> None:
    three(tmp_path)

    def make() -> Lake:
        return SparkLake(storage_of(str(tmp_path)), Settings(), spark, Silence())

    def remove() -> None:
        for file in tmp_path.iterdir():
            file.unlink()

    assert ask(make, remove) == (set(), [0, 1])


@pytest.mark.usefixtures("exchanged")
def test_a_table_that_changed_before_spark_read_it_anew_fails(tmp_path: Path, spark: Any) -> None:
    three(tmp_path)

    def make() -> Lake:
        return SparkLake(storage_of(str(tmp_path)), Settings(), spark, Silence())

    def lose_all_and_change_a() -> None:
        spark.catalog.clearCache()
        pq.write_table(pa.table({"x": range(6000)}), tmp_path / "a.parquet")

    assert ask(make, lose_all_and_change_a) == ({"a.parquet", READ_ANEW}, [-1, 1])


@pytest.mark.usefixtures("exchanged")
def test_a_parent_that_changed_before_spark_read_it_anew_refutes_nothing(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_plan, "REDUCER_ROWS", 500)
    three(tmp_path)

    def make() -> Lake:
        return SparkLake(storage_of(str(tmp_path)), Settings(), spark, Silence())

    def lose_all_and_change_b() -> None:
        spark.catalog.clearCache()
        pq.write_table(pa.table({"x": [-1]}), tmp_path / "b.parquet")

    assert ask(make, lose_all_and_change_b) == ({"b.parquet", READ_ANEW}, [-1, -1])


def test_a_table_that_changed_after_the_listing_fails_on_both_engines(
    tmp_path: Path, spark: Any
) -> None:
    three(tmp_path)
    problems = []
    for make in (
        lambda: LocalLake(storage_of(str(tmp_path)), Settings(), Silence()),
        lambda: SparkLake(storage_of(str(tmp_path)), Settings(), spark, Silence()),
    ):
        with make() as lake:
            inventory = lake.inventory()
            pq.write_table(pa.table({"x": range(9)}), tmp_path / "c.parquet")
            wanted = {(index, 0): table.columns for index, table in enumerate(inventory.tables)}
            answer = lake.sketches(wanted, 8)
            assert {key[0] for key in answer.found} == {0, 1}
            problems.append(answer.failed)
        three(tmp_path)
    assert list(problems[0]) == [2]
    assert problems[0] == problems[1]


@pytest.mark.usefixtures("exchanged")
def test_a_session_is_left_as_it_was(tmp_path: Path, spark: Any) -> None:
    before = spark.getTags(), spark.conf.getAll
    three(tmp_path)
    r2d2.find(tmp_path, engine="spark", session=spark)
    assert (spark.getTags(), spark.conf.getAll) == before


@pytest.mark.parametrize("count", [2, 7, 64])
def test_spark_gives_each_key_a_partition_of_its_own(spark: Any, count: int) -> None:
    rows = spark.createDataFrame(pa.table({"key": partition_keys(count)}))
    places = rows.repartition(count, "key").selectExpr("key", "spark_partition_id() AS place")
    found = {row.key: row.place for row in places.collect()}
    assert [found[key] for key in partition_keys(count).tolist()] == list(range(count))


def test_spark_starts_few_jobs_however_many_tables(tmp_path: Path, spark: Any) -> None:
    for index in range(600):
        pq.write_table(pa.table({"x": [index // 3, index // 3 + 1]}), tmp_path / f"{index}.parquet")
    tracker = spark.sparkContext.statusTracker()
    before = set(tracker.getJobIdsForGroup())
    graph = check(tmp_path, spark)
    assert len(graph.edges) == 1200
    assert 0 < len(set(tracker.getJobIdsForGroup()) - before) <= 30


def test_a_table_whose_inspectors_or_readers_die_is_named_and_the_others_go_on(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    three(tmp_path)
    driver = os.getpid()

    class Deadly(LocalStorage):
        def read(self, file: FileInfo, start: int = 0, length: int | None = None) -> bytes:
            self.die(file)
            return super().read(file, start, length)

        def open(self, file: FileInfo) -> Any:
            self.die(file)
            return super().open(file)

        def die(self, file: FileInfo) -> None:
            if file.path == "b.parquet" and os.getpid() != driver:
                os.kill(os.getpid(), signal.SIGKILL)

    with SparkLake(Deadly(str(tmp_path)), Settings(), spark, Silence()) as lake:
        tables = lake.inventory().tables
        lake.watch({index: table.columns for index, table in enumerate(tables)})
        answer = lake.watched()
        assert sorted(answer.found) == [0, 2]
        assert list(answer.failed) == [1]
        assert "died" in answer.failed[1]
    monkeypatch.setattr(spark_lake, "DRIVER_TABLES", 0)
    with SparkLake(Deadly(str(tmp_path)), Settings(), spark, Silence()) as lake:
        told = {table.location: table.problem for table in lake.inventory().tables}
    assert (told["a.parquet"], told["c.parquet"]) == (None, None)
    assert "died" in str(told["b.parquet"])


def test_a_search_of_which_the_workers_die_costs_its_children_their_recipe_and_no_more(
    tmp_path: Path, spark: Any
) -> None:
    def answer_or_die(question: str) -> str:
        if question == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return question

    recipes = SparkRecipes(storage_of(str(tmp_path)), Settings(), spark)
    questions = ["one", "die", "two", "die"]
    told = list(recipes._answers(answer_or_die, questions, lambda asked, why: (asked, why)))
    assert [told[0], told[2]] == ["one", "two"]
    for asked, why in (told[1], told[3]):
        assert asked == "die"
        assert "memory" in why
