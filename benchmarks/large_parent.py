"""A parent many times larger than the memory, with children of each kind of recipe: what it takes.

    python -m benchmarks.large_parent [--gigabytes 1] [--memory-mb 1000] [--threads 2] [--runs 1]

The parent is generated: a row is about 65 bytes of Parquet. Of each kind (project, distinct,
select, rows, union, patch) there are twelve children. `find` and `plan` run as whole processes; the
peak is that of the largest process, so that with `--threads 2` two workers share twice the memory.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.compare import spread
from benchmarks.counts import PLAN_TOML, cost_of, told
from benchmarks.lakes import BenchmarkLake, ready, size_bytes
from benchmarks.measure import Cost
from benchmarks.table import aligned

BYTES_A_ROW, NOTE_BYTES = 66, 48
CHUNK_ROWS, ROW_GROUP_ROWS = 1 << 16, 1 << 18
DAYS, SHOPS, PRODUCTS, COUNTRIES = 1000, 500, 10_000, 10
PARENT = "warehouse/events.parquet"
NAMES = (
    *("alpha", "bravo", "charlie", "delta", "echo", "foxtrot"),
    *("golf", "hotel", "india", "juliett", "kilo", "lima"),
)
KINDS = ("project", "distinct", "select", "rows", "union", "patch")
SOME_COLUMNS: Sequence[tuple[str, ...]] = (
    *(("day", "shop"), ("day", "country"), ("day", "quantity"), ("product", "country")),
    *(("shop", "country"), ("shop", "quantity"), ("country", "quantity"), ("quantity",)),
    *(("day",), ("shop",), ("product",), ("country",)),
)
"""Those of a projection; a child of distinct rows has the next one's."""
MOST_WAITING_ROWS = 1 << 20
PARTS_STAY = '\n[[protect]]\ntables = "parts/*"\nreason = "their unions are to go"\n'
Random = np.random.Generator


def rows_of(first: int, count: int, total: int, random: Random) -> pa.Table:
    """The parent's rows from a number on; notes are of random digits, the others of few values."""
    numbers = np.arange(first, first + count)
    digits = random.bytes(count * NOTE_BYTES).hex().encode()
    ends = np.arange(count + 1, dtype=np.int32) * (2 * NOTE_BYTES)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(digits)]
    countries = pa.array([f"country {number}" for number in range(COUNTRIES)])
    return pa.table(
        {
            "id": numbers,
            "day": pa.array((np.abs(numbers) * DAYS // total).astype("i4"), pa.date32()),
            "shop": random.integers(0, SHOPS, count, np.int32),
            "product": random.integers(0, PRODUCTS, count, np.int32),
            "country": countries.take(pa.array(random.integers(0, COUNTRIES, count))),
            "quantity": random.integers(1, 101, count, np.int32),
            "price": random.integers(1, 100_000, count) / 100,
            "note": pa.Array.from_buffers(pa.string(), count, buffers),
        }
    )


@dataclass
class Child:
    """A table being written: of each chunk of the parent's rows those that belong to it."""

    path: Path
    rows: Callable[[pa.Table, Random], pa.Table]
    end: Callable[[int, int, Random], pa.Table] | None = None
    is_distinct: bool = False
    total: int = 0
    waiting: list[pa.Table] = field(default_factory=list)
    file: pq.ParquetWriter | None = None

    def add(self, rows: pa.Table) -> None:
        """Take rows of the table."""
        self.waiting.append(rows)
        self.total += len(rows)
        if sum(map(len, self.waiting)) >= ROW_GROUP_ROWS:
            self.flush()

    def add_new(self, rows: pa.Table) -> None:
        """Take rows of which each is to be there once; all of them wait until the end."""
        self.waiting.append(rows)
        if sum(map(len, self.waiting[1:])) > MOST_WAITING_ROWS:
            self.waiting = [distinct(pa.concat_tables(self.waiting))]

    def flush(self) -> None:
        """Write what waits as one row group."""
        rows = pa.concat_tables(self.waiting)
        rows = distinct(rows) if self.is_distinct else rows
        self.waiting = []
        if self.file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.file = pq.ParquetWriter(self.path, rows.schema, compression="zstd")
        self.file.write_table(rows)


def distinct(rows: pa.Table) -> pa.Table:
    """The distinct rows."""
    return rows.group_by(rows.column_names).aggregate([])


def of_days(first: int, days: int, country: int | None = None) -> Callable[..., pa.Table]:
    """The rows of some days, of one country where it is given."""

    def rows(chunk: pa.Table, _: Random) -> pa.Table:
        day = chunk["day"].cast(pa.int32())
        mask = pc.and_(pc.greater_equal(day, first), pc.less(day, first + days))
        if country is not None:
            mask = pc.and_(mask, pc.equal(chunk["country"], f"country {country}"))
        return chunk.filter(mask)

    return rows


def foreign(share: float, start: int) -> Callable[[int, int, Random], pa.Table]:
    """Rows that the parent lacks, as a share of the parent's or of the table's: of negative ids."""

    def rows(count: int, total: int, random: Random) -> pa.Table:
        some = max(20, int(share * count))
        return rows_of(-(start + 1) * total - some, some, (start + 2) * total, random)

    return rows


def drawn(share: float) -> Callable[..., pa.Table]:
    """Rows drawn by chance."""
    return lambda chunk, random: chunk.filter(pa.array(random.random(len(chunk)) < share))


def children(lake: Path) -> Iterator[Child]:
    """All tables made from the parent's chunks; unions and their parts are not of its rows."""
    for number, name in enumerate(NAMES):
        columns = list(SOME_COLUMNS[number])
        narrow = list(SOME_COLUMNS[(number + 1) % len(NAMES)])
        country = number % COUNTRIES if number % 2 else None
        yield Child(lake / f"project/{name}.parquet", lambda c, _, names=columns: c.select(names))
        yield Child(
            lake / f"distinct/{name}.parquet",
            lambda c, _, names=narrow: distinct(c.select(names)),
            is_distinct=True,
        )
        days = of_days(20 + 80 * number, 20 if country is None else 80, country)
        yield Child(lake / f"select/{name}.parquet", days)
        yield Child(lake / f"rows/{name}.parquet", drawn(0.005))
        some_days = of_days(55 + 70 * number, 10)
        yield Child(lake / f"patch/{name}.parquet", some_days, foreign(0.005, number))


def make(lake: Path, gigabytes: float) -> None:
    """Write the lake, chunk by chunk."""
    random, total = np.random.default_rng(20260402), int(gigabytes * 1e9) // BYTES_A_ROW
    parent = Child(lake / PARENT, lambda chunk, _: chunk)
    every = list(children(lake))
    for first in range(0, total, CHUNK_ROWS):
        chunk = rows_of(first, min(CHUNK_ROWS, total - first), total, random)
        parent.add(chunk)
        for child in every:
            rows = child.rows(chunk, random)
            if child.is_distinct:
                child.add_new(rows)
            else:
                child.add(rows)
    for number, name in enumerate(NAMES):
        both = Child(lake / f"union/{name}.parquet", lambda chunk, _: chunk)
        for place, part in enumerate(("first", "second")):
            rows = foreign(0.001, 20 + 2 * number + place)(total, total, random)
            half = Child(lake / f"parts/{name}/{part}.parquet", lambda chunk, _: chunk)
            half.add(rows)
            both.add(rows)
            every.append(half)
        every.append(both)
    for child in (parent, *every):
        if child.end is not None:
            child.add(child.end(child.total, total, random))
        if child.waiting:
            child.flush()
        if child.file is not None:
            child.file.close()


def outcome(run: Path) -> str:
    """Of each kind: children with a recipe of the kind, and those whose chosen recipe was run."""
    candidates = json.loads((run / "recipes.json").read_text())["candidates"]
    of_kind = {(one["table"], one["recipe"]["kind"]) for one in candidates}
    trials = [(one["table"], one["trial"]["problem"]) for one in candidates if "trial" in one]
    ran = {table for table, problem in trials if problem is None}
    told = []
    for kind in KINDS:
        names = [f"{kind}/{name}.parquet" for name in NAMES]
        found = sum((name, kind) in of_kind for name in names)
        told.append(f"{kind} {found} ({len(ran.intersection(names))} run)")
    failed = [f"{table}: {problem}" for table, problem in trials if problem is not None]
    return f"of {len(NAMES)} each: {', '.join(told)}; failed when run: {failed or 'none'}"


def turn(lake: BenchmarkLake, run: Path, limits: Sequence[str]) -> dict[str, Cost]:
    """What `find` and then `plan` take."""
    shutil.rmtree(run, ignore_errors=True)
    near = ("--min-fraction", "0.9")
    found = cost_of("find", run, str(lake.folder), "--out", str(run), *near, *limits[:2])
    told(lake, "find", found)
    config = run.with_name(f"{run.name}.toml")
    config.write_text(PLAN_TOML.read_text() + PARTS_STAY)
    planned = cost_of("plan", run, "--run", str(run), "--config", str(config), *limits)
    told(lake, "plan", planned)
    return {"find": found, "plan": planned}


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the lake if need be, and prints what each command takes."""
    options = argparse.ArgumentParser("python -m benchmarks.large_parent", description=__doc__)
    options.add_argument("folder", nargs="?", type=Path, help="only write the lake, there")
    options.add_argument("--gigabytes", type=float, default=1.0)
    options.add_argument("--memory-mb", type=int, default=1000, help="of each worker")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--runs", type=int, default=1)
    work = Path(tempfile.gettempdir()) / "r2d2-benchmarks"
    options.add_argument("--work", type=Path, default=work, help="for lakes and output")
    chosen = options.parse_args(arguments)
    if chosen.folder is not None:
        make(chosen.folder, chosen.gigabytes)
        return 0
    size = f"{chosen.gigabytes:g}"
    recipe = ("large_parent", "--gigabytes", size)
    lake = ready(BenchmarkLake(f"parent of {size} GB", chosen.work / f"large_{size}", recipe))
    run = chosen.work / "out" / f"large_{size}"
    memory_bytes = chosen.memory_mb * chosen.threads * 1_000_000
    limits = ("--threads", str(chosen.threads), "--memory-bytes", str(memory_bytes))
    turns = [turn(lake, run, limits) for _ in range(chosen.runs)]
    print(f"\n{lake.name}, {size_bytes(lake) / 1e9:.2f} GB in all, {chosen.memory_mb} MB a worker")
    print(f"{report(turns)}\n{outcome(run)}")
    return 0


def report(turns: Sequence[dict[str, Cost]]) -> str:
    """A line for each command, and the ratio of the two, turn by turn."""
    rows = [["", "wall s", "CPU s", "peak MB of one process"]]
    for step in ("find", "plan"):
        costs = [each[step] for each in turns]
        wall, cpu = spread([c.wall_s for c in costs], 1), spread([c.cpu_s for c in costs], 1)
        rows.append([step, wall, cpu, f"{max(cost.peak_mb for cost in costs):.0f}"])
    wall = spread([each["plan"].wall_s / each["find"].wall_s for each in turns], 2)
    cpu = spread([each["plan"].cpu_s / each["find"].cpu_s for each in turns], 2)
    return aligned([*rows, ["plan / find", wall, cpu, ""]])


if __name__ == "__main__":
    sys.exit(main())
