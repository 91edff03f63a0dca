"""The Spark engine in a session that is warm beside the local engine, in one process.

Start-up is left out on both sides: what is compared is the engines' work, turn by turn, once the
JVM has compiled its part of it. CPU seconds are those of this process, and for Spark also those of
the JVM and its Python workers.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.compare import spread
from benchmarks.errors import BenchmarkError
from benchmarks.table import aligned
from r2d2 import Graph, find
from r2d2.engines.spark.session import session_of

WARM_UP_TURNS = 6
LEAST_S = 0.01


def warm_table(lake: Path, runs: int, master: str = "local[2]") -> str:
    """Seconds of both engines in turns after some that do not count, their ratio, and Spark's jobs.

    Raises:
        BenchmarkError: the engines' edges differ.
    """
    return turns_table(turns(lake, runs, WARM_UP_TURNS, master), master)


def turns_table(counted: Sequence["Turn"], master: str) -> str:
    """Wall and CPU seconds of the turns, and their ratios turn by turn."""
    last = counted[-1]
    heads = ["tables", "edges", "local s", f"Spark {master} s", "ratio"]
    heads += ["local CPU s", "Spark CPU s", "ratio", "Spark jobs"]
    row = [str(len(last.local.tables)), str(len(last.local.edges))]
    for local, spark in (("local_s", "spark_s"), ("local_cpu_s", "spark_cpu_s")):
        pairs = [(getattr(turn, local), getattr(turn, spark)) for turn in counted]
        ratios = [spark_s / max(local_s, LEAST_S) for local_s, spark_s in pairs]
        row += [spread([local_s for local_s, _ in pairs], 2), spread([s for _, s in pairs], 2)]
        row.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")
    return aligned([heads, [*row, str(last.jobs)]])


@dataclass(frozen=True, slots=True)
class Turn:
    """One `find` of each engine: graphs, wall and CPU seconds; jobs, bytes shuffled and JVM
    seconds of Spark.
    """

    local: Graph
    local_s: float
    local_cpu_s: float
    spark: Graph
    spark_s: float
    spark_cpu_s: float
    jobs: int
    shuffled_bytes: int
    jvm_s: float


def turns(lake: Path, runs: int, warm_up: int, master: str) -> list[Turn]:
    """The turns after some that do not count.

    Raises:
        BenchmarkError: the engines' edges differ.
    """
    with session_of(master) as session:
        return list(islice(turns_of(lake, session), warm_up, warm_up + runs))


def turns_of(lake: Path, session: Any) -> Iterator[Turn]:
    """Turn after turn."""
    while True:
        local, local_s, local_cpu_s = timed(lambda: find(lake))
        before = counters(session)
        spark, spark_s, driver_s = timed(lambda: find(lake, engine="spark", session=session))
        after = counters(session)
        if local.edges != spark.edges:
            raise BenchmarkError(f"{lake}: the engines' edges differ")
        spent = (late - early for late, early in zip(after, before, strict=True))
        jobs, size, jvm_s, workers_s = spent
        cpu_s = driver_s + jvm_s + workers_s
        own = local, local_s, local_cpu_s
        yield Turn(*own, spark, spark_s, cpu_s, int(jobs), int(size), jvm_s)


def timed(work: Callable[[], Graph]) -> tuple[Graph, float, float]:
    """The work's answer, the seconds that it took and the CPU seconds of this process."""
    start, cpu_start = time.perf_counter(), time.process_time()
    return work(), time.perf_counter() - start, time.process_time() - cpu_start


def counters(session: Any) -> tuple[float, ...]:
    """What the session has done so far: jobs, bytes shuffled, CPU seconds of JVM and workers."""
    java = session.sparkContext._gateway.proc.pid
    workers_s = sum(cpu_seconds(process) for process in descendants(java))
    return job_count(session), shuffled_bytes(session), jvm_seconds(session), workers_s


def job_count(session: Any) -> int:
    """How many jobs the session has started."""
    return len(session.sparkContext.statusTracker().getJobIdsForGroup(None))


def shuffled_bytes(session: Any) -> int:
    """The bytes that all stages of the session's jobs have written for shuffles."""
    java, spark = session._jvm, session.sparkContext._jsc.sc()
    spark.listenerBus().waitUntilEmpty()
    no_quantiles = session.sparkContext._gateway.new_array(java.double, 0)
    every = java.java.util.ArrayList()
    stages = spark.statusStore().stageList(None, False, False, no_quantiles, every)
    return sum(stages.apply(place).shuffleWriteBytes() for place in range(stages.size()))


def jvm_seconds(session: Any) -> float:
    """The CPU seconds of the driver's JVM, which is all of Spark's on a local master."""
    return cpu_seconds(session.sparkContext._gateway.proc.pid)


def cpu_seconds(process: int) -> float:
    """The CPU seconds of a process and of those of its children that have ended."""
    fields = stat(process)
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def descendants(process: int) -> list[int]:
    """The processes that it started, and those that these did; Spark's workers are a daemon's."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if fields := stat(int(folder.name)):
            parents[int(folder.name)] = int(fields[1])
    found = [process]
    for parent in found:
        found += [child for child, own in parents.items() if own == parent]
    return found[1:]


def stat(process: int) -> list[str]:
    """The fields of a process after its name; none where it has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
