"""What the driver decides for Spark, against plain loops; no Spark is needed for it."""

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.arrays import Int64s
from r2d2.engines.pickling import dumps, loads
from r2d2.engines.scan import TASK_BYTES, ScanPiece, pieces_of
from r2d2.engines.spark import partitioning as spark_plan
from r2d2.engines.spark import semijoin
from r2d2.engines.spark.jobs import outliving
from r2d2.engines.spark.partitioning import partition_keys, parts_of, reducer_plan, tasks_of
from r2d2.engines.spark.rows import blobs, buffers, unpacked
from r2d2.engines.spark.semijoin import (
    SPARE_BITS,
    FilterPlan,
    FilterRange,
    Filters,
    decoded,
    encoded,
    filter_plans,
    filter_tasks,
    merged,
    sift_tasks,
    sifted,
)
from r2d2.engines.spark.session import TaskKilledError
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.runs import (
    count_missing,
    cut,
    empty_run,
    merge,
    sorted_unique,
    taken,
    to_bytes,
)
from r2d2.lake.inventory import take_inventory
from r2d2.model import Bounds, Column, FileInfo, Format, Split, Table
from r2d2.settings.find import Settings
from r2d2.storage import storage_of


def run(seed: int, rows: int) -> Lanes:
    words = np.random.default_rng(seed).integers(0, 2**64, (2, rows), np.uint64)
    return sorted_unique(Lanes(words[0], words[1]))


def table(rows: int | None, size_bytes: int = 0) -> Table:
    return Table("t", Format.PARQUET, rows=rows, size_bytes=size_bytes)


def piece(size_bytes: int) -> ScanPiece:
    split = Split(Format.PARQUET, FileInfo("f", size_bytes, "1"), (), 1, size_bytes)
    return ScanPiece(0, split, (), ())


def numbers(random: np.random.Generator, most: int, count: int) -> Int64s:
    return random.integers(0, most, count)


@pytest.mark.slow
def test_importing_the_spark_engine_does_not_import_pyspark() -> None:
    code = "import sys, r2d2, r2d2.engines.spark.lake; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_tasks_hold_all_pieces_in_order_and_none_is_much_too_big() -> None:
    random = np.random.default_rng(1)
    pieces = [piece(int(size)) for size in random.integers(1, 1 << 24, 500)]
    tasks = tasks_of(pieces)
    assert [p for task in tasks for p in task] == pieces
    assert max(sum(p.split.size_bytes for p in task) for task in tasks) < 2 * TASK_BYTES


@pytest.mark.parametrize("files", [1, 3])
def test_a_table_of_half_the_lakes_bytes_is_split_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    monkeypatch.setattr("r2d2.formats.parquet.read.SPLIT_BYTES", 1 << 14)
    monkeypatch.setattr(spark_plan, "SMALL_TASK_BYTES", 1 << 16)
    monkeypatch.setattr(spark_plan, "FILE_BYTES", 0)
    rows = 1 << 17
    for place in range(files):
        folder = tmp_path / "sales" / f"day={place}"
        folder.mkdir(parents=True)
        values = pa.table({"x": range(rows // files)})
        pq.write_table(values, folder / "part-0.parquet", row_group_size=1 << 10)
    for place in range(32):
        pq.write_table(pa.table({"y": range(rows // 32)}), tmp_path / f"{place}.parquet")
    tables = take_inventory(storage_of(str(tmp_path)), Settings()).tables
    wanted = {(place, len(one.columns)): one.columns for place, one in enumerate(tables)}
    (skewed,) = (place for place, one in enumerate(tables) if one.location == "sales")
    tasks = tasks_of(list(pieces_of(wanted, tables)))
    sizes = [sum(one.split.size_bytes for one in task) for task in tasks]
    assert len(tasks) >= 16
    assert max(sizes) < 2 * sum(sizes) / len(sizes)
    assert sum(any(one.table == skewed for one in task) for task in tasks) >= len(tasks) / 2


@pytest.mark.parametrize(("count", "tasks"), [(0, 0), (1, 1), (3, 1), (1000, 5), (100_000, 195)])
def test_small_files_are_read_together(count: int, tasks: int) -> None:
    assert len(tasks_of([piece(1)] * count)) == tasks


@pytest.mark.parametrize(
    ("cores", "tasks"), [(1, 5), (2, 4), (3, 3), (4, 4), (5, 5), (6, 5), (64, 5)]
)
def test_a_few_tasks_are_as_many_for_each_core(cores: int, tasks: int) -> None:
    assert len(tasks_of([piece(1)] * 1000, cores)) == tasks


def test_of_tasks_of_which_workers_die_the_deadly_are_left_out_and_all_others_done() -> None:
    deadly, asked, lost = {"b", "f"}, [], {}

    def job(tasks: Sequence[Sequence[str]]) -> list[str]:
        asked.append([list(task) for task in tasks])
        for place, task in enumerate(tasks):
            if deadly.intersection(task):
                raise TaskKilledError("a worker died", place)
        return sorted(one for task in tasks for one in task)

    every = ["a1", "a2", "b", "c", "d", "f", "f"]
    done = outliving([every[:4], [], every[4:6], every[6:]], itemgetter(0), job, lost)
    assert done == ["a1", "a2", "c", "d"]
    assert lost.keys() == deadly
    assert asked[1] == [["a1", "a2"], ["b"], ["c"], ["d", "f"], ["f"]]
    assert len(asked) == 5
    assert outliving([["b"], ["b"]], itemgetter(0), job, {}) is None


def test_hashes_are_cut_the_finer_the_more_rows_the_column_set_has() -> None:
    tables = [table(1 << 20), table(1 << 12), table(None, 1 << 22), table(0)]
    wanted = {(0, 7): (), (1, 7): (), (2, 7): (), (3, 7): (), (1, 8): ()}
    assert parts_of(wanted, tables) == {(0, 7): 4, (1, 7): 2, (2, 7): 4, (3, 7): 1, (1, 8): 1}


@pytest.mark.parametrize("seed", range(20))
def test_every_hash_of_a_projection_meets_each_question_about_it_once(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_plan, "REDUCER_ROWS", 100)
    random = np.random.default_rng(seed)
    rows, cuts = numbers(random, 300, 30), 1 << numbers(random, 4, 30)
    children, parents = numbers(random, 30, 12), numbers(random, 30, 12)
    runs = [run(int(n), int(n)) for n in rows]
    tasks, routes = reducer_plan(rows, cuts, children, parents)
    sent: Counter[int] = Counter()
    by_group = {task.group: task for task in tasks}
    for number, part, group in zip(routes.projection, routes.part, routes.group, strict=True):
        task = by_group[int(group)]
        assert number in task.projections
        piece_ = cut(runs[number], int(cuts[number]))[part]
        sent[int(number)] += len(cut(piece_, task.parts)[task.part])
    assert all(sent[i] == len(run_) for i, run_ in enumerate(runs))
    asked = Counter((int(place), task.part) for task in tasks for place in task.places)
    assert set(asked.values()) == {1}
    assert {place for place, _ in asked} == set(range(12))
    for task in tasks:
        assert (task.projections[task.children] == children[task.places]).all()
        assert (task.projections[task.parents] == parents[task.places]).all()


def test_a_reducer_is_sent_few_rows_and_reducers_have_no_gaps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spark_plan, "REDUCER_ROWS", 100)
    rows = np.array([1000, 900, 10, 10, 10, 10])
    ends = np.array([0, 2, 4]), np.array([1, 3, 5])
    tasks, routes = reducer_plan(rows, np.full(6, 32), *ends)
    loads_ = np.bincount(
        routes.reducer_of_group, [rows[q.projections].sum() / q.parts for q in tasks]
    )
    assert max(q.parts for q in tasks) == 32
    assert loads_.max() <= 200
    assert set(routes.reducer_of_group.tolist()) == set(range(len(loads_)))


def filters_of(plan: FilterPlan, runs: list[tuple[int, Lanes]]) -> Filters:
    """The plan's filter, of runs by projection that each come to a task of their own."""
    rows = [
        pa.record_batch({"group": [plan.group], "projection": [place], "blob": [to_bytes(one)]})
        for place, one in runs
    ]
    told = [batch for row in rows for batch in filter_tasks({plan.group: plan}, [row])]
    return merged(pa.Table.from_batches(told), {plan.group: plan.range})


@pytest.mark.parametrize("seed", range(20))
def test_of_a_table_that_is_counted_every_hash_in_two_runs_passes_and_few_others(
    seed: int,
) -> None:
    pool = run(seed, 4000)
    random = np.random.default_rng(seed)
    runs = [taken(pool, np.sort(random.choice(4000, 900, replace=False))) for _ in range(3)]
    whole = FilterRange(0, 1, SPARE_BITS + 12)
    plan = FilterPlan(0, whole, np.zeros(0, np.int64), np.array([5]), np.array([5]))
    filters = filters_of(plan, [(5, one) for one in runs])
    kept = [sifted(one, whole, decoded(filters[0][1])) for one in runs]
    distinct = sum(map(len, runs)) - sum(map(len, kept)) + len(merge(kept))
    assert distinct == len(merge(runs))
    repeated = sum(map(len, runs)) - distinct
    assert sum(map(len, kept)) <= 3 * repeated + 60


@pytest.mark.parametrize("seed", range(20))
def test_a_filter_lets_every_child_hash_pass_and_few_others(seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = 1 << int(random.integers(0, 5))
    part = int(random.integers(0, parts))
    children = [run(seed, int(size)) for size in numbers(random, 3000, 3)]
    own = merge([run(seed + 1000, 5000), children[0].part(0, 500)])
    held = sum(map(len, children)) // parts
    range_ = FilterRange(part, parts, SPARE_BITS + max(1, held).bit_length())
    plan = FilterPlan(7, range_, np.arange(3), np.zeros(0, np.int64), np.array([3]))
    filters = filters_of(plan, [(place, child) for place, child in enumerate(children)])
    inside = range_.within(own)
    row = {"reducer": [0], "group": [7], "projection": [1], "blob": [to_bytes(inside)]}
    (rows,) = sift_tasks(filters, [pa.record_batch(row)])
    assert rows.column("hashes").to_pylist() == [len(inside)]
    (kept,) = map(unpacked, buffers(rows.column("blob")))
    every = merge(children)
    assert count_missing(kept, inside) == 0
    assert count_missing(every, kept) == count_missing(every, inside)
    assert count_missing(kept, every) <= 20 + len(inside) / 64


@pytest.mark.parametrize("values", [[], [0], [65534, 65535, 65536], [3, 1 << 40]])
def test_the_positions_of_a_filter_come_back_as_they_were(values: list[int]) -> None:
    assert decoded(encoded(np.array(values, np.int64))).tolist() == values


def test_filters_hold_a_bounded_number_of_hashes_and_those_that_spare_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spark_plan, "REDUCER_ROWS", 1 << 22)
    monkeypatch.setattr(semijoin, "FILTERED_HASHES", 1000)
    rows = np.array([900, 1 << 21, 800, 1 << 20, 10, 10])
    ends = np.array([0, 2, 4]), np.array([1, 3, 5])
    tasks, _ = reducer_plan(rows, np.ones(6, np.int64), *ends)
    (plan,) = filter_plans(tasks, rows, np.ones(6, np.int64))
    assert (plan.children.tolist(), plan.sifted.tolist()) == ([0], [1])
    monkeypatch.setattr(semijoin, "LEAST_SPARED", 1 << 22)
    assert filter_plans(tasks, rows, np.ones(6, np.int64)) == ()


@pytest.mark.parametrize("count", [1, 2, 3, 100, 1000])
def test_partition_keys_are_distinct_and_small(count: int) -> None:
    found = partition_keys(count)
    assert len(set(found.tolist())) == count
    assert found.min() >= 0


@pytest.mark.parametrize("bits", [2, 9, 17, 26, 33, 41, 47, 52, 64])
def test_runs_come_back_from_their_blobs_and_long_ones_are_shorter_there(bits: int) -> None:
    words = np.random.default_rng(bits).integers(0, 2**64, 3000, np.uint64)
    first = (words >> np.uint64(64 - bits)) + np.uint64(2**64 - 2**bits if bits < 64 else 0)
    long_run = sorted_unique(Lanes(first, words))
    runs = [run(1, 5), empty_run(), long_run, run(2, 300), run(3, 600)]
    column = blobs(runs)
    for blob, one in zip(buffers(column[1:]), runs[1:], strict=True):
        assert unpacked(blob).first.tolist() == one.first.tolist()
        assert unpacked(blob).second.tolist() == one.second.tolist()
    assert len(column[2].as_py()) < len(to_bytes(long_run))
    assert list(buffers(blobs([]))) == []


def test_a_blob_of_another_version_is_refused() -> None:
    blob = bytearray(blobs([run(1, 600)])[0].as_py())
    blob[0] += 1
    with pytest.raises(ValueError, match="version"):
        unpacked(memoryview(blob))


def test_tables_come_back_from_their_bytes_as_they_were() -> None:
    file = FileInfo("a/b.parquet", 9, "1")
    column = Column("x.y", "int64", ("x", "y"))
    split = Split(Format.PARQUET, file, (0, 1), 3, 9, context=("any", 1))
    whole = Table(
        "a/b.parquet", Format.PARQUET, (column,), 3, 9, (file,), "s", (split,),
        {"x.y": Bounds(1, 1, 2, 2, False, True)}, {"k": "v"},
    )  # fmt: skip
    broken = Table("c", Format.OTHER, problem="why", unreadable=True)
    assert loads(dumps([whole, broken])) == [whole, broken]
    assert [split] == loads(dumps([split]))
