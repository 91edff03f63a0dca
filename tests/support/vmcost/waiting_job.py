"""A Spark job whose tasks wait, so that its run time depends on slots and little on the machine.

Two jobs of a map and a reduce stage each, with tasks of very different lengths, and a driver that
pauses in between. `record_sizes` runs it.
"""

import time
from collections.abc import Iterable, Iterator

from pyspark.sql import SparkSession


def spread(partition: int, rows: Iterable[int]) -> Iterator[tuple[int, int]]:
    """A map task of 0.15 to 1.15 seconds."""
    time.sleep(0.15 + 0.1 * (partition * 7 % 11))
    return ((row % 12, row) for row in rows)


def gather(partition: int, groups: Iterable[tuple[int, Iterable[int]]]) -> Iterator[int]:
    """A reduce task of 0.4 to 1 second."""
    time.sleep(0.4 + 0.2 * (partition % 4))
    yield sum(1 for _ in groups)


def main() -> None:
    """Runs on the master that the environment names."""
    session = SparkSession.builder.getOrCreate()
    for tasks in (24, 10):
        rows = session.sparkContext.parallelize(range(tasks * 100), tasks)
        groups = rows.mapPartitionsWithIndex(spread).groupByKey(12)
        print(sum(groups.mapPartitionsWithIndex(gather).collect()))
        time.sleep(1)
    session.stop()


if __name__ == "__main__":
    main()
