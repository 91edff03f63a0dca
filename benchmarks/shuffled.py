"""What the Spark engine moves: bytes shuffled beside bytes read, and core-seconds beside local's.

`shuffled` is what Spark itself counts as written for shuffles, of every job of the run; `hashes`
are those that the funnel tells. The core-seconds of Spark are those of the funnel (the driver's
Python and the workers') and those of the JVM.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.compare import spread
from benchmarks.table import aligned
from benchmarks.warm import Turn, turns
from r2d2 import Graph

WARM_UP_TURNS = 2


def shuffled_table(lake: Path, runs: int, master: str = "local[2]") -> str:
    """Bytes read and shuffled, their ratio, and core-seconds of both engines in turns.

    Raises:
        BenchmarkError: the engines' edges differ.
    """
    return shuffled_turns(turns(lake, runs, WARM_UP_TURNS, master))


def shuffled_turns(counted: Sequence[Turn]) -> str:
    """The same of turns that were taken."""
    local_s = [core_seconds(turn.local) for turn in counted]
    spark_s = [core_seconds(turn.spark) + turn.jvm_s for turn in counted]
    last = counted[-1]
    read = sum(row.bytes_read for row in last.spark.funnel)
    hashes = sum(row.bytes_shuffled for row in last.spark.funnel)
    gigabytes = read / 1e9
    heads = ("MB read", "shuffled", "hashes", "shuffled / read", "local core s", "a GB")
    heads += ("Spark core s", "a GB")
    row = (
        f"{read / 1e6:.1f}",
        f"{last.shuffled_bytes / 1e6:.2f}",
        f"{hashes / 1e6:.2f}",
        f"{last.shuffled_bytes / max(1, read):.4f}",
        spread(local_s, 2),
        f"{statistics.median(local_s) / gigabytes:.1f}",
        spread(spark_s, 2),
        f"{statistics.median(spark_s) / gigabytes:.1f}",
    )
    return aligned([heads, row])


def core_seconds(graph: Graph) -> float:
    """The core-seconds of all stages."""
    return sum(row.core_seconds for row in graph.funnel)
