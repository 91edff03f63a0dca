"""The scans of one run, which Spark keeps and the driver if they are small; the counts on them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from r2d2.arrays import Int64s
from r2d2.engines.scan import ScanPiece, pieces_of
from r2d2.engines.spark.count import Count, HeldScan, PairCounts, counted_here
from r2d2.engines.spark.jobs import Routed, SparkJobs, outliving, reads_labelled
from r2d2.engines.spark.partitioning import Routes, parts_of, tasks_of
from r2d2.engines.spark.rows import NOTHING_SUMMED, RunSums, SketchCollector
from r2d2.engines.spark.semijoin import FilterPlan, Filters, merged
from r2d2.engines.spark.session import TaskKilledError
from r2d2.engines.spark.tasks import ForeignTask, ScanTask
from r2d2.errors import R2D2Error
from r2d2.hashing.runs import BottomKSketch
from r2d2.lake.questions import Projection, Wanted, Watched
from r2d2.model import Cost, Table, Work
from r2d2.settings.find import Settings
from r2d2.storage.local import Storage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SKETCHES_BYTES = 64 << 20
HASH_BYTES = 16
# Hashes of small lakes: the driver takes them whole, and counts without another job.
HELD_BYTES = 64 << 20
EVERY_HASH = 1 << 62
# One reducer needs no shuffle where the scans have few partitions; a foreign scan may have many.
FEW_PARTITIONS = 4
MANY_PARTITIONS = FEW_PARTITIONS + 1
NO_SCAN = -1

_table = attrgetter("table")
Pairs = Sequence[tuple[Projection, Projection]]
Samples = Mapping[Projection, BottomKSketch] | None


@dataclass(frozen=True, slots=True)
class _ScanRef:
    """The scan that holds a projection's hashes, the parts they are in, their number and sums.

    `distinct`: one task scanned it all, so each hash is there once. `table_rows`: all rows.
    """

    scan: int
    parts: int
    rows: int
    sums: RunSums
    distinct: bool
    table_rows: int

    def names(self, number: int) -> tuple[tuple[object, ...], ...]:
        """What only projections of the same hashes have in common."""
        by_hashes = number, "hashes", self.rows, self.sums.hashes
        if self.sums.rows is None:
            return (by_hashes,)
        return by_hashes, (number, "rows", self.table_rows, self.sums.rows)


class Scans:
    """The scans that Spark keeps, and has to read anew where an executor is lost.

    Small ones the driver holds, `HELD_BYTES` of hashes in all. `sketch_size`: how many hashes a
    sketch holds. `foreign`: rows of tables that Spark itself reads.
    """

    def __init__(
        self, jobs: SparkJobs, storage: Storage, settings: Settings, sketch_size: int
    ) -> None:
        self.sketch_size = sketch_size
        self.foreign: Mapping[int, DataFrame] = {}
        self._jobs = jobs
        self._storage = storage
        self._types = settings.types
        self._threads = settings.threads
        self._frames: list[DataFrame] = []
        self._held: dict[int, HeldScan] = {}
        self._held_hashes = 0
        self._sent: set[int] = set()
        self._made: list[int] = []
        self._partitions = 0
        self._kept: dict[Projection, _ScanRef] = {}

    def forget(self) -> None:
        """Lets Spark drop everything."""
        for frame in self._frames:
            if frame.is_cached:
                frame.unpersist()
        self._frames.clear()
        self._held.clear()
        self._sent.clear()
        self._held_hashes = 0
        self._made.clear()
        self._kept.clear()
        self._partitions = 0

    def not_kept(self, wanted: Wanted) -> Wanted:
        """The part of what is wanted that is not kept."""
        return {key: columns for key, columns in wanted.items() if key not in self._kept}

    def scan(
        self, wanted: Wanted, tables: Sequence[Table], sketches: bool, watched: Watched
    ) -> SketchCollector:
        """Reads and keeps what is wanted; the rows and bytes read of each table, and sketches.

        Of tables that are read, `watched` columns are bounded.
        """
        parts = parts_of(wanted, tables)
        collector = SketchCollector(self.sketch_size if sketches else 0)
        pieces = list(pieces_of(wanted, tables, watched))
        scan = NO_SCAN
        is_held = self._has_room(wanted, tables)
        mergers = self._mergers(pieces) if sketches and not is_held else 1
        if pieces:
            if is_held:
                parts = {**parts, **{(p.table, number): 1 for p in pieces for number in p.sets}}
            read_bytes = sum(tables[table].size_bytes for table in {p.table for p in pieces})
            with reads_labelled(self._jobs.session, read_bytes):
                tasks = tasks_of(pieces, self._jobs.cores)
                scan = self._scan_pieces(tasks, parts, collector, mergers, is_held)
        foreign = {key[0] for key in wanted} & self.foreign.keys()
        self._remember(wanted, scan, parts, collector, mergers)
        for table in sorted(foreign):
            wanted_of_table = {key: columns for key, columns in wanted.items() if key[0] == table}
            self._scan_foreign(table, wanted_of_table, parts, collector)
        return collector

    def _scan_pieces(
        self,
        tasks: Sequence[Sequence[ScanPiece]],
        parts: Mapping[Projection, int],
        collector: SketchCollector,
        mergers: int,
        is_held: bool,
    ) -> int:
        """The number of a scan of these tasks, its sketches taken in.

        Where the workers of one task die of it, its tables are read in tasks of their own; one that
        was alone in it is left out.
        """

        def scanned(tasks: Sequence[Sequence[ScanPiece]]) -> int:
            work = [ScanTask.of(task, parts) for task in tasks]
            size = EVERY_HASH if is_held else self.sketch_size
            frame = self._jobs.scan(self._storage, self._types, size, work)
            scan = self._keep(frame if is_held else self._jobs.kept(frame), len(tasks))
            try:
                if is_held:
                    self._hold(scan, frame)
                self._made[scan] = self._collect_sketches(scan, collector, mergers)
            except TaskKilledError:
                self._drop(len(tasks))
                raise
            return scan

        scan = outliving(tasks, _table, scanned, collector.problems)
        return NO_SCAN if scan is None else scan

    def _has_room(self, wanted: Wanted, tables: Sequence[Table]) -> bool:
        """Whether the driver can hold all hashes of what is wanted beside those that it holds."""
        rows = [tables[table].rows for table, _ in wanted if table not in self.foreign]
        known = [count for count in rows if count is not None]
        room = HELD_BYTES // HASH_BYTES - self._held_hashes
        return len(known) == len(rows) and sum(known) <= room

    def _hold(self, scan: int, frame: "DataFrame") -> None:
        held = HeldScan(self._jobs.rows(frame))
        self._held[scan] = held
        self._held_hashes += held.hashes

    def _scan_foreign(
        self,
        table: int,
        wanted: Wanted,
        parts: Mapping[Projection, int],
        collector: SketchCollector,
    ) -> None:
        """A scan of its own, so that no other table fails where Spark cannot read this one."""
        numbers, columns = tuple(number for _, number in wanted), tuple(wanted.values())
        task = ForeignTask(table, numbers, columns, {key: parts[key] for key in wanted})
        try:
            rows = self.foreign[table]
            frame = self._jobs.foreign_scan(rows, task, self._types, self.sketch_size)
            scan = self._keep(frame, MANY_PARTITIONS)
            self._made[scan] = self._collect_sketches(scan, collector, 1)
            self._remember(wanted, scan, parts, collector, 1)
        except R2D2Error as error:
            collector.problems[table] = str(error)

    def resend_sketches(self, wanted: Wanted, collector: SketchCollector) -> list[Projection]:
        """Collects kept sketches again; returns those that were lost and not read as before."""
        refs = {key: self._kept[key] for key in wanted if key in self._kept}
        for scan in sorted({ref.scan for ref in refs.values()} - {NO_SCAN}):
            self._collect_sketches(scan, collector, 1)
        return [key for key, ref in refs.items() if collector.hashes[key] != ref.rows]

    def count(
        self, pairs: Pairs, samples: Samples, least: float
    ) -> tuple[PairCounts, list[Projection]]:
        """Rows looked up and missing by pair; projections that were not read as before.

        Tables with the same hashes send them once: one stands for all. Of pairs that the first
        range of their hashes shows to be below the `least` fraction, no more is sent.
        """
        stand_ins = self._stand_ins({key for pair in pairs for key in pair})
        places: dict[tuple[Projection, Projection], int] = {}
        ends = ((stand_ins[child], stand_ins[parent]) for child, parent in pairs)
        of_pairs = [places.setdefault(pair, len(places)) for pair in ends]
        if samples is not None:
            samples = {stand_ins[key]: sample for key, sample in samples.items()}
        counts, bad = self._counted(list(places), samples, least)
        if bad and len(places) < len(pairs):
            again, bad = self._counted(pairs, samples, 0.0)
            return replace(again, cost=counts.cost.plus(again.cost)), bad
        return replace(counts, rows=counts.rows[of_pairs], missing=counts.missing[of_pairs]), bad

    def _stand_ins(self, keys: Iterable[Projection]) -> Mapping[Projection, Projection]:
        """For each projection one that holds the same hashes."""
        firsts: dict[tuple[object, ...], Projection] = {}
        found = {}
        for key in sorted(keys):
            names = self._kept[key].names(key[1])
            found[key] = next((firsts[name] for name in names if name in firsts), key)
            firsts |= {name: found[key] for name in names if name not in firsts}
        return found

    def _counted(
        self, pairs: Pairs, samples: Samples, least: float
    ) -> tuple[PairCounts, list[Projection]]:
        """The same without stand-ins; a table of known rows is not counted against itself."""
        rows, missing = np.zeros((2, len(pairs)), np.int64)
        asked = []
        for place, (child, parent) in enumerate(pairs):
            if child == parent and (samples is not None or self._kept[child].distinct):
                rows[place] = len(samples[child].run) if samples else self._kept[child].rows
            else:
                asked.append(place)
        here = [place for place in asked if self._is_held(pairs[place])]
        cost = Cost()
        if here:
            rows[here], missing[here], cost = self._counted_here([pairs[n] for n in here], samples)
            asked = sorted({*asked}.difference(here))
        if not asked:
            return PairCounts(np.zeros(0, np.int64), rows, missing, cost), []
        count = self._count_of([pairs[place] for place in asked], samples)
        first = count.first_ranges()
        if samples is None and least and first.tasks:
            counts, count = self._in_turn(count, first, least)
        else:
            counts = self._exchanged(count)
        rows[asked], missing[asked] = counts.rows, counts.missing
        cost = counts.cost.plus(cost)
        return replace(counts, rows=rows, missing=missing, cost=cost), count.miscounted(counts)

    def _is_held(self, pair: tuple[Projection, Projection]) -> bool:
        return all(self._kept[end].scan in self._held for end in pair)

    def _counted_here(self, pairs: Pairs, samples: Samples) -> tuple[Int64s, Int64s, Cost]:
        """The same of pairs whose hashes the driver holds."""
        runs = {end: self._held[self._kept[end].scan].run(end) for pair in pairs for end in pair}
        return counted_here(pairs, runs, samples, self._threads)

    def _in_turn(self, count: Count, first: Count, least: float) -> tuple[PairCounts, Count]:
        """The counts, in the first ranges before all others, and what was left to be counted.

        Of a pair that the first ranges refute, all its rows are told, and the missing ones among
        these ranges.
        """
        counts = self._exchanged(first)
        most = np.array([self._kept[count.keys[child]].rows for child in count.children.tolist()])
        refuted = (counts.missing > 0) & ((most - counts.missing) / np.maximum(most, 1) < least)
        # What was lost and read anew may have changed: then nothing is refuted by it.
        scans = {self._kept[key].scan for key in count.keys} - {NO_SCAN, *self._held}
        refuted &= all(self._jobs.made(self._frames[n]) == self._made[n] for n in scans)
        rest = count.rest(refuted)
        if rest.tasks:
            counts = counts.plus(self._exchanged(rest))
        return replace(counts, rows=np.where(refuted, most, counts.rows)), rest

    def _count_of(self, pairs: Pairs, samples: Samples) -> Count:
        refs = {key: self._kept[key] for pair in pairs for key in pair}
        rows = {key: ref.rows for key, ref in refs.items()}
        return Count.of(pairs, rows, {key: ref.parts for key, ref in refs.items()}, samples)

    def _exchanged(self, count: Count) -> PairCounts:
        """The counts, by a job in which the pairs' hashes meet."""
        shuffled = count.reducers > 1 or self._partitions > FEW_PARTITIONS
        plans = count.filter_plans() if shuffled else ()
        whole, cost = count.routes, Cost()
        sifted: Routed = ()
        filters: Filters = {}
        if plans:
            filters, cost = self._filters(count, plans)
            some, whole = count.routes.divided([(plan.group, plan.sifted) for plan in plans])
            sifted = self._routed(count, some)
        answers = self._jobs.counts(
            self._routed(count, whole), sifted, filters, count.task_rows(), count.reducers, shuffled
        )
        counts = count.tally(answers, shuffled)
        return replace(counts, cost=counts.cost.plus(cost))

    def _filters(self, count: Count, plans: Sequence[FilterPlan]) -> tuple[Filters, Cost]:
        """The planned filters, by a job of their own, and its cost."""
        held, _ = count.routes.divided([(plan.group, plan.members) for plan in plans])
        routed = self._routed(count, held)
        answers = self._jobs.filters(routed, {plan.group: plan for plan in plans})
        seconds = sum(answers.column("nanoseconds").to_pylist()) / 1e9
        cost = Cost(core_seconds=seconds, work=Work(exchange_s=seconds))
        return merged(answers, {plan.group: plan.range for plan in plans}), cost

    def _routed(self, count: Count, routes: Routes) -> Routed:
        """The scans that hold something of the routes, each with its part of them."""
        refs = {key: self._kept[key] for key in count.keys}
        routed = []
        for number in range(len(self._frames)):
            keys = {key for key, ref in refs.items() if ref.scan == number}
            rows = count.route_rows(keys, routes)
            if len(rows):
                routed.append((self._frame(number), rows))
        return routed

    def _frame(self, number: int) -> "DataFrame":
        """The scan's rows in Spark; those that the driver holds are sent there for it."""
        if number in self._held and number not in self._sent:
            self._frames[number] = self._jobs.sent(self._held[number].rows)
            self._sent.add(number)
        return self._frames[number]

    def _keep(self, frame: "DataFrame", partitions: int) -> int:
        self._frames.append(frame)
        self._made.append(0)
        self._partitions += partitions
        return len(self._frames) - 1

    def _drop(self, partitions: int) -> None:
        """Forgets the scan that was kept last."""
        frame = self._frames.pop()
        if frame.is_cached:
            frame.unpersist()
        self._made.pop()
        self._partitions -= partitions

    def _remember(
        self,
        wanted: Wanted,
        scan: int,
        parts: Mapping[Projection, int],
        collector: SketchCollector,
        mergers: int,
    ) -> None:
        for key in wanted:
            rows, sums = collector.hashes[key], collector.sums.get(key, NOTHING_SUMMED)
            distinct = collector.runs[key] <= 1 and mergers == 1
            table_rows = collector.rows[key[0]]
            self._kept[key] = _ScanRef(scan, parts[key], rows, sums, distinct, table_rows)

    def _collect_sketches(self, scan: int, collector: SketchCollector, mergers: int) -> int:
        """Takes the scan's sketches in; the sum of its tasks' stamps."""
        before = collector.made
        held = self._held.get(scan)
        batches = (
            held.rows.to_batches()
            if held is not None
            else self._jobs.sketch_rows(
                self._frames[scan], self.sketch_size, collector.size > 0, mergers
            )
        )
        for batch in batches:
            collector.take(batch)
        return collector.made - before

    def _mergers(self, pieces: Sequence[ScanPiece]) -> int:
        """The number of tasks that merge sketches before the driver takes them; 1 for a few."""
        most = self.sketch_size
        rows = (min(piece.split.rows or most, most) * len(piece.sets) for piece in pieces)
        return 1 + HASH_BYTES * sum(rows) // SKETCHES_BYTES
