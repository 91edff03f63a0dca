"""The Spark engine in a session that is warm beside the local engine, in one process.

Start-up is left out on both sides: what is compared is the engines' work, turn by turn, once the
JVM has compiled its part of it.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
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


def warm_table(lake: Path, runs: int, master: str = "local[2]") -> str:
    """Seconds of both engines in turns after some that do not count, their ratio, and Spark's jobs.

    Raises:
        BenchmarkError: the engines' edges differ.
    """
    counted = turns(lake, runs, WARM_UP_TURNS, master)
    ratios = [turn.spark_s / turn.local_s for turn in counted]
    return aligned(
        [
            ("tables", "edges", "local s", f"Spark {master} s", "ratio", "Spark jobs"),
            (
                str(len(counted[-1].local.tables)),
                str(len(counted[-1].local.edges)),
                spread([turn.local_s for turn in counted], 2),
                spread([turn.spark_s for turn in counted], 2),
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})",
                str(counted[-1].jobs),
            ),
        ]
    )


@dataclass(frozen=True, slots=True)
class Turn:
    """One `find` of each engine: graphs, seconds; jobs, bytes shuffled and JVM seconds of Spark."""

    local: Graph
    local_s: float
    spark: Graph
    spark_s: float
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
        local, local_s = timed(lambda: find(lake))
        before = job_count(session), shuffled_bytes(session), jvm_seconds(session)
        spark, spark_s = timed(lambda: find(lake, engine="spark", session=session))
        after = job_count(session), shuffled_bytes(session), jvm_seconds(session)
        if local.edges != spark.edges:
            raise BenchmarkError(f"{lake}: the engines' edges differ")
        jobs, size, jvm_s = (late - early for late, early in zip(after, before, strict=True))
        yield Turn(local, local_s, spark, spark_s, int(jobs), int(size), jvm_s)


def timed(work: Callable[[], Graph]) -> tuple[Graph, float]:
    """The work's answer and the seconds that it took."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


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
    java = session.sparkContext._gateway.proc.pid
    fields = Path(f"/proc/{java}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
