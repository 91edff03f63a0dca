"""The counts that scale is judged by: what `find` and `plan` take of lakes of one shape, by size.

A GB is 10⁹ bytes of files as they are stored. Core-seconds are CPU seconds, user and system, of
the whole process and of all that it started. Of these the funnel tells the steps that tasks take
beside each other: decoding, hashing with sorting, and exchange (runs of hashes merged, compared).
The rest is done once, whatever the number of cores: start, listing, footers, decisions, output. Of
Spark's it is the driver's Python in the stages; start, listing and the JVMs are told apart.
"""

import json
import os
import shutil
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders import SOME_UNREADABLE
from benchmarks.errors import BenchmarkError
from benchmarks.lakes import BenchmarkLake, lineitem, ready, size_bytes
from benchmarks.measure import Cost, measured

GB = 1e9
GIGABYTES = (0.3, 3.0, 10.0)
GIGABYTES_A_SCALE = 0.632
"""Of the files of the lake around lineitem, at TPC-H's scale 1."""
ROOM = 1.6
"""The disk that making a lake takes, of its size: lineitem itself lies beside until the end."""
HASH_BYTES = 16
STEPS = ("decode", "hash", "exchange")
JVM = "JVM, start"
SPARK_MASTER = "local[2]"
PLAN_TOML = Path(__file__).parents[1] / "sample_lake/plan.toml"
"""Prices at which storage costs so much that recipes are chosen, run and compared."""

Funnel = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Counted:
    """What one engine took of a lake of one size; medians where it ran several times.

    `load` is the machine's load average after the last run, `funnel` is that of this run.
    `plan_cpu_s` is None where no plan was asked for.
    """

    engine: str
    gigabytes: float
    files: int
    edges: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    load: float
    funnel: Funnel
    plan_cpu_s: float | None = None
    plan_wall_s: float | None = None

    def work(self, name: str) -> float:
        """One number of the tasks' work, over all stages."""
        return float(sum(row["work"][name] for row in self.funnel))

    def total(self, name: str) -> float:
        """One number of the funnel, over all stages."""
        return float(sum(row[name] for row in self.funnel))

    @property
    def step_s(self) -> Mapping[str, float]:
        """The core-seconds of each step; they sum up to those of the whole process."""
        steps = {step: self.work(f"{step}_s") for step in STEPS}
        once = (self.total("core_seconds") if self.engine == "spark" else self.cpu_s) - sum(
            steps.values()
        )
        steps["once"] = max(0.0, once)
        if self.engine == "spark":
            steps[JVM] = max(0.0, self.cpu_s - sum(steps.values()))
        return steps

    @property
    def step_gigabytes(self) -> Mapping[str, float]:
        """The GB that each step is about: rows in memory, row hashes of 16 bytes, else files."""
        decoded = self.work("bytes_decoded") / GB
        hashes = max(self.total("bytes_shuffled"), HASH_BYTES * self.work("rows_hashed")) / GB
        about = {"decode": decoded, "hash": decoded, "exchange": hashes}
        return {step: about.get(step, self.gigabytes) for step in self.step_s}


def count(
    gigabytes: Sequence[float],
    engines: Sequence[str],
    work: Path,
    runs: int,
    once_s: float,
    spark_gigabytes: float,
    plans: bool,
) -> Iterator[Counted]:
    """The counts of each engine at each size, the smallest first; Spark's up to a size.

    Raises:
        BenchmarkError: a lake has no room, or a command failed.
    """
    for asked in sorted(gigabytes):
        lake = lake_of(asked, work)
        size, files = size_bytes(lake) / GB, len(list(lake.folder.rglob("*.parquet")))
        edges = set()
        for engine in engines:
            if engine == "spark" and asked > spark_gigabytes:
                continue
            run = work / "out" / f"counts_{engine}"
            finds = finds_of(engine, lake, run, runs, once_s)
            load = os.getloadavg()[0]
            planned = plan_of(lake, run) if plans and engine == "local" else None
            found = len((run / "edges.csv").read_text().splitlines()) - 1
            edges.add(found)
            yield Counted(
                engine,
                size,
                files,
                found,
                statistics.median(cost.wall_s for cost in finds),
                statistics.median(cost.cpu_s for cost in finds),
                max(cost.peak_mb for cost in finds),
                load,
                json.loads((run / "funnel.json").read_text()),
                planned.cpu_s if planned else None,
                planned.wall_s if planned else None,
            )
        if len(edges) > 1:
            raise BenchmarkError(f"{lake.folder}: the engines found {sorted(edges)} edges")


def lake_of(gigabytes: float, work: Path) -> BenchmarkLake:
    """The lake around lineitem of about this size, made if need be.

    Raises:
        BenchmarkError: the disk has no room for it.
    """
    scale = float(f"{gigabytes / GIGABYTES_A_SCALE:.3g}")
    lake = lineitem(work, scale, f"{gigabytes:g} GB")
    work.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(work).free / GB
    if not lake.folder.is_dir() and free < gigabytes * ROOM:
        raise BenchmarkError(
            f"a lake of {gigabytes:g} GB takes {gigabytes * ROOM:.1f} GB while it is made, and"
            f" {work} has {free:.1f} GB free: give --work or smaller --gigabytes"
        )
    return ready(lake)


def finds_of(
    engine: str, lake: BenchmarkLake, run: Path, runs: int, once_s: float
) -> Sequence[Cost]:
    """The cost of each run of `find`, the last of which is left in the folder `run`."""
    options = ("--engine", engine, *(("--master", SPARK_MASTER) if engine == "spark" else ()))
    costs: list[Cost] = []
    while len(costs) < runs and not (costs and costs[0].wall_s > once_s):
        shutil.rmtree(run, ignore_errors=True)
        costs.append(cost_of("find", run, str(lake.folder), "--out", str(run), *options))
        told(lake, f"find {engine}", costs[-1])
    return costs


def plan_of(lake: BenchmarkLake, run: Path) -> Cost:
    """The cost of a plan, its recipes run, for the `find` in the folder `run`."""
    cost = cost_of("plan", run, "--run", str(run), "--config", str(PLAN_TOML))
    told(lake, "plan local", cost)
    return cost


def cost_of(command: str, run: Path, *options: str) -> Cost:
    """What one of r2d2's commands takes as a whole process."""
    run.parent.mkdir(parents=True, exist_ok=True)
    log = run.with_name(f"{run.name}_{command}.txt")
    return measured((sys.executable, "-m", "r2d2", command, *options), log, (0, SOME_UNREADABLE))


def told(lake: BenchmarkLake, what: str, cost: Cost) -> None:
    """One line to stderr for a command that ended."""
    print(
        f"  {lake.name} {what}: {cost.wall_s:.1f} s, {cost.cpu_s:.1f} core s",
        file=sys.stderr,
        flush=True,
    )
