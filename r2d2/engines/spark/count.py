"""One exact count: pairs into tasks and routes for reducers, their answers into counts.

What the driver holds of a small scan, it counts itself.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from time import thread_time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from r2d2.arrays import Bools, Int64s
from r2d2.engines.pickling import dumps
from r2d2.engines.spark.partitioning import ReducerTask, Routes, reducer_plan
from r2d2.engines.spark.rows import SKETCH_ONLY, buffers, unpacked
from r2d2.engines.spark.semijoin import FilterPlan, filter_plans
from r2d2.engines.spark.tasks import COST_COLUMNS, COUNT_COLUMNS, TASK_ROW
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.runs import BottomKSketch, count_missing_each, empty_run, merge
from r2d2.lake.questions import Projection
from r2d2.model import Cost, Work

# A family of so many ranges is looked at in its first before all of it is exchanged.
RANGES = 16
NOT_KNOWN = -1
NO_HASHES = empty_run()

Pairs = Sequence[tuple[Projection, Projection]]


@dataclass(frozen=True, slots=True, eq=False)
class Count:
    """Pairs by the numbers of their projections, and how they are counted.

    `expected`: how many hashes of each projection the reducers must receive; `cuts`: the parts
    that they are in.
    """

    keys: tuple[Projection, ...]
    children: Int64s
    parents: Int64s
    tasks: tuple[ReducerTask, ...]
    routes: Routes
    expected: Int64s
    cuts: Int64s

    @property
    def reducers(self) -> int:
        """The number of tasks that count."""
        return int(self.routes.reducer_of_group.max(initial=0)) + 1

    @staticmethod
    def of(
        pairs: Pairs,
        hashes: Mapping[Projection, int],
        parts: Mapping[Projection, int],
        samples: Mapping[Projection, BottomKSketch] | None,
    ) -> "Count":
        """The count of the pairs; with `samples`, only those of a child's rows are looked up."""
        numbers: dict[Projection, int] = {}
        ends = [[numbers.setdefault(end, len(numbers)) for end in pair] for pair in pairs]
        children, parents = np.array(ends, np.int64).reshape(-1, 2).T
        keys = tuple(numbers)
        rows = np.array([hashes.get(key, 0) for key in keys], np.int64)
        cuts = np.array([parts[key] for key in keys], np.int64)
        tasks, routes = reducer_plan(rows, cuts, children, parents)
        if samples is not None:
            routes = routes.only(parents)
            rows[np.setdiff1d(children, parents)] = 0
            runs = [samples[key].run if key in samples else empty_run() for key in keys]
            tasks = [
                replace(task, samples=tuple(runs[i] for i in task.projections.tolist()))
                for task in tasks
            ]
        return Count(keys, children, parents, tuple(tasks), routes, rows, cuts)

    def first_ranges(self) -> "Count":
        """The count in the first of a component's many ranges, and nothing of other components."""
        tasks = tuple(task for task in self.tasks if task.is_first(RANGES))
        groups = np.array([task.group for task in tasks], np.int64)
        reducers = np.zeros(len(self.tasks), np.int64)
        reducers[groups] = np.arange(len(groups))
        routes = self.routes.to(groups)
        return replace(self, tasks=tasks, routes=replace(routes, reducer_of_group=reducers))

    def rest(self, refuted: Bools) -> "Count":
        """What the first ranges leave to be counted, without the refuted pairs."""
        standing = np.flatnonzero(~refuted)
        used = np.union1d(self.children[standing], self.parents[standing])
        tasks = tuple(
            task.without(refuted)
            for task in self.tasks
            if not task.is_first(RANGES) and not refuted[task.places].all()
        )
        groups = np.array([task.group for task in tasks], np.int64)
        expected = np.full(len(self.keys), NOT_KNOWN)
        expected[used] = self.expected[used]
        return replace(
            self, tasks=tasks, routes=self.routes.only(used).to(groups), expected=expected
        )

    def task_rows(self) -> pa.Table:
        """The tasks as rows for their reducers."""
        groups = np.array([task.group for task in self.tasks], np.int64)
        blobs = [dumps(task) for task in self.tasks]
        return pa.table(
            {
                "reducer": self.routes.reducer_of_group[groups],
                "group": pa.array(groups, pa.int32()),
                "projection": pa.array(np.full(len(groups), TASK_ROW), pa.int32()),
                "blob": pa.array([blob + bytes(-len(blob) % 8) for blob in blobs], pa.binary()),
                "hashes": np.zeros(len(groups), np.int64),
            }
        )

    def filter_plans(self) -> tuple[FilterPlan, ...]:
        """The filters that are worth it."""
        return filter_plans(self.tasks, np.maximum(self.expected, 0), self.cuts)

    def route_rows(self, keys: Collection[Projection], routes: Routes) -> pa.Table:
        """The given routes of the parts of those projections that are among `keys`, as rows."""
        here = np.array([key in keys for key in self.keys], np.bool_)
        routes = routes.only(np.flatnonzero(here))
        ends = np.array(self.keys, np.int32).reshape(-1, 2)
        return pa.table(
            {
                "table": ends[routes.projection, 0],
                "number": ends[routes.projection, 1],
                "part": pa.array(routes.part, pa.int32()),
                "reducer": routes.reducer_of_group[routes.group],
                "group": pa.array(routes.group, pa.int32()),
                "projection": pa.array(routes.projection, pa.int32()),
            }
        )

    def miscounted(self, tally: "PairCounts") -> list[Projection]:
        """The projections of which the reducers received more or fewer hashes than there were."""
        wrong = (tally.received != self.expected) & (self.expected != NOT_KNOWN)
        return [self.keys[i] for i in np.flatnonzero(wrong).tolist()]

    def tally(self, answers: pa.Table, shuffled: bool) -> "PairCounts":
        """The reducers' answers added up over the ranges of hashes."""
        took, size = (sum(answers.column(name).to_pylist()) for name in COST_COLUMNS)
        received, rows = np.zeros((2, len(self.keys)), np.int64)
        missing = np.zeros(len(self.children), np.int64)
        tasks = {task.group: task for task in self.tasks}
        for group, *blobs in zip(*(answers.column(name) for name in COUNT_COLUMNS), strict=True):
            some, distinct, places, lacking = (
                np.frombuffer(blob.as_buffer(), np.int64) for blob in blobs
            )
            members = tasks[group.as_py()].projections
            received[members] += some
            rows[members] += distinct
            missing[places] += lacking
        seconds = took / 1e9
        size_bytes = size if shuffled else 0
        cost = Cost(0, 0, size_bytes, seconds, Work(exchange_s=seconds))
        return PairCounts(received, rows[self.children], missing, cost)


@dataclass(frozen=True, slots=True, eq=False)
class PairCounts:
    """Hashes received by projection; rows looked up and missing by pair; the reducers' cost."""

    received: Int64s
    rows: Int64s
    missing: Int64s
    cost: Cost

    def plus(self, more: "PairCounts") -> "PairCounts":
        """The counts of both, which are of the same pairs in different ranges."""
        return PairCounts(
            self.received + more.received,
            self.rows + more.rows,
            self.missing + more.missing,
            self.cost.plus(more.cost),
        )


@dataclass(slots=True, eq=False)
class HeldScan:
    """A scan's rows (see `rows`) in the driver's memory; each projection's hashes in one part."""

    rows: pa.Table
    _runs: dict[Projection, Lanes] = field(default_factory=dict)

    @property
    def hashes(self) -> int:
        """The number of hashes in the rows."""
        parts = self.rows.filter(pc.field("part") != SKETCH_ONLY)
        return int(pc.sum(parts.column("rows")).as_py() or 0)

    def run(self, key: Projection) -> Lanes:
        """The distinct hashes of a projection."""
        if not self._runs:
            parts: dict[Projection, list[Lanes]] = defaultdict(list)
            for batch in self.rows.to_batches():
                names = (batch.column(name).to_pylist() for name in ("table", "number", "part"))
                for table, number, part, blob in zip(
                    *names, buffers(batch.column("blob")), strict=True
                ):
                    if part != SKETCH_ONLY:
                        parts[table, number].append(unpacked(blob))
            self._runs = {own: merge(some) for own, some in parts.items()}
        return self._runs.get(key, NO_HASHES)


def counted_here(
    pairs: Pairs,
    runs: Mapping[Projection, Lanes],
    samples: Mapping[Projection, BottomKSketch] | None,
    threads: int,
) -> tuple[Int64s, Int64s, Cost]:
    """Rows looked up and missing by pair, and what it took, of runs that are at hand."""
    of_set: dict[int, list[int]] = defaultdict(list)
    for place, (child, _) in enumerate(pairs):
        of_set[child[1]].append(place)
    rows, missing = np.zeros((2, len(pairs)), np.int64)

    def count(places: Sequence[int]) -> float:
        start = thread_time()
        ends = [pairs[place] for place in places]
        children = [runs[child] if samples is None else samples[child].run for child, _ in ends]
        rows[places] = [len(child) for child in children]
        parents = [runs[parent] for _, parent in ends]
        missing[places] = count_missing_each(list(zip(children, parents, strict=True)))
        return thread_time() - start

    with ThreadPoolExecutor(threads) as pool:
        seconds = sum(pool.map(count, of_set.values()))
    return rows, missing, Cost(work=Work(exchange_s=seconds))
