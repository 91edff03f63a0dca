"""A run of r2d2 in which the cluster loses a worker while it scans, and one before it counts.

python -m tests.support.engines.losing_workers MASTER LAKE GATE FIRST_WORKER SECOND_WORKER

prints the edges as JSON. The workers are given by their process groups.
"""

import json
import os
import sys
from pathlib import Path
from threading import Thread

from pyspark.sql import SparkSession

from r2d2.engines.spark import partitioning as spark_plan
from r2d2.engines.spark import scans as spark_scans
from r2d2.engines.spark.lake import SparkLake
from r2d2.pipeline import find_containment, stages_of
from r2d2.progress import Silence
from r2d2.settings.find import Settings
from r2d2.storage.local import LocalStorage
from tests.support.engines.cluster import REPOSITORY, SHORT_LIVED, kill_group, until
from tests.support.engines.gated import GatedStorage

WORKERS = 3
CONFIG = {
    "spark.executor.memory": "512m",
    "spark.executor.extraJavaOptions": SHORT_LIVED,
    "spark.executorEnv.PYTHONPATH": str(REPOSITORY),
    "spark.shuffle.io.maxRetries": "1",
    "spark.shuffle.io.retryWait": "100ms",
    "spark.ui.enabled": "false",
}


class KillsBeforeCounting(Silence):
    """Kills a worker when all has been scanned."""

    def __init__(self, worker: int) -> None:
        self.worker = worker

    def begin(self, what: str, total_bytes: int) -> None:
        """Kills it, when counting begins."""
        if what == "counting":
            kill_group(self.worker)


def kill_a_reader(storage: GatedStorage, worker: int) -> None:
    """Kills the worker when all executors read, then lets the others go on."""
    until(lambda: storage.readers() >= WORKERS, "not every executor reads")
    kill_group(worker)
    (storage.gate / "open").touch()


def main(master: str, lake: str, gate: str, first: str, second: str) -> None:
    """Runs `find` while workers are lost."""
    spark_plan.SMALL_TASK_BYTES = 1 << 16
    spark_scans.HELD_BYTES = 0
    builder = SparkSession.builder.master(master)
    for key, value in CONFIG.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    storage = GatedStorage(LocalStorage(lake), Path(gate), os.getpid())
    killer = Thread(target=kill_a_reader, args=(storage, int(first)))
    killer.start()
    progress = KillsBeforeCounting(int(second))
    settings = Settings(min_fraction=0.5)
    with SparkLake(storage, settings, session, progress) as spark:
        graph = find_containment(spark, stages_of(settings))
    killer.join()
    print(json.dumps([[e.child, e.parent, e.fraction, e.missing_rows] for e in graph.edges]))
    session.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
