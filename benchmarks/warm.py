"""The Spark engine in a session that is warm beside the local engine, in one process.

Start-up is left out on both sides: what is compared is the engines' work, turn by turn, once the
JVM has compiled its part of it.
"""

import statistics
import time
from collections.abc import Callable
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
    with session_of(master) as session:
        local, spark = [], []
        for turn in range(WARM_UP_TURNS + runs):
            first, local_s = timed(lambda: find(lake))
            jobs = job_count(session)
            second, spark_s = timed(lambda: find(lake, engine="spark", session=session))
            jobs = job_count(session) - jobs
            if first.edges != second.edges:
                raise BenchmarkError(f"{lake}: the engines' edges differ")
            if turn >= WARM_UP_TURNS:
                local.append(local_s)
                spark.append(spark_s)
    ratios = [s / one for s, one in zip(spark, local, strict=True)]
    return aligned(
        [
            ("tables", "edges", "local s", f"Spark {master} s", "ratio", "Spark jobs"),
            (
                str(len(first.tables)),
                str(len(first.edges)),
                spread(local, 2),
                spread(spark, 2),
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})",
                str(jobs),
            ),
        ]
    )


def timed(work: Callable[[], Graph]) -> tuple[Graph, float]:
    """The work's answer and the seconds that it took."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def job_count(session: Any) -> int:
    """How many jobs the session has started."""
    return len(session.sparkContext.statusTracker().getJobIdsForGroup(None))
