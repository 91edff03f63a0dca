"""What the Spark engine moves: bytes shuffled beside bytes read, and core-seconds beside local's.

`shuffled` is what Spark itself counts as written for shuffles, of every job of the run; `hashes`
are those that the funnel tells. The core-seconds of Spark are those of the funnel (the driver's
Python and the workers') and those of the JVM.
"""

import os
import statistics
from pathlib import Path
from typing import Any

from benchmarks.compare import spread
from benchmarks.errors import BenchmarkError
from benchmarks.table import aligned
from r2d2 import Graph, find
from r2d2.engines.spark.session import session_of

WARM_UP_TURNS = 2


def shuffled_table(lake: Path, runs: int, master: str = "local[2]") -> str:
    """Bytes read and shuffled, their ratio, and core-seconds of both engines in turns.

    Raises:
        BenchmarkError: the engines' edges differ.
    """
    with session_of(master) as session:
        local_s, spark_s = [], []
        for turn in range(WARM_UP_TURNS + runs):
            local = find(lake)
            written, jvm = shuffle_bytes(session), jvm_seconds(session)
            spark = find(lake, engine="spark", session=session)
            written, jvm = shuffle_bytes(session) - written, jvm_seconds(session) - jvm
            if local.edges != spark.edges:
                raise BenchmarkError(f"{lake}: the engines' edges differ")
            if turn >= WARM_UP_TURNS:
                local_s.append(core_seconds(local))
                spark_s.append(core_seconds(spark) + jvm)
    read = sum(row.bytes_read for row in spark.funnel)
    hashes = sum(row.bytes_shuffled for row in spark.funnel)
    gigabytes = read / 1e9
    heads = ("MB read", "shuffled", "hashes", "shuffled / read", "local core s", "a GB")
    heads += ("Spark core s", "a GB")
    row = (
        f"{read / 1e6:.1f}",
        f"{written / 1e6:.2f}",
        f"{hashes / 1e6:.2f}",
        f"{written / max(1, read):.4f}",
        spread(local_s, 2),
        f"{statistics.median(local_s) / gigabytes:.1f}",
        spread(spark_s, 2),
        f"{statistics.median(spark_s) / gigabytes:.1f}",
    )
    return aligned([heads, row])


def core_seconds(graph: Graph) -> float:
    """The core-seconds of all stages."""
    return sum(row.core_seconds for row in graph.funnel)


def shuffle_bytes(session: Any) -> int:
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
