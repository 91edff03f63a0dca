"""The Spark session to work in: the one that is there, else one of r2d2's own for this run.

Spark's exceptions become ours, once, where its jobs are started. The jars that read other table
formats have coordinates for each version of Spark, which `r2d2 doctor` names where pyspark is not
installed: at its top this module imports nothing of Spark.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from r2d2.errors import MissingDependencyError, R2D2Error
from r2d2.extras import not_installed

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


INSTALL = not_installed("the Spark engine", "pyspark", "spark")
# For a session on this machine only; on a cluster its administrators decide.
LOCAL_CONFIG = {
    "spark.driver.memory": "2g",
    # Blobs of hashes are large for a small heap, where G1 spends a third of all cycles on them;
    # they cannot be compressed, and nobody else can lose or change them. Python does the work, so
    # the JVM's second compiler takes more time than it saves; without it the JVM would keep 48 MB
    # of code, less than that of Spark with Delta.
    "spark.driver.defaultJavaOptions": (
        "-XX:+UseParallelGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m"
    ),
    "spark.shuffle.compress": "false",
    "spark.shuffle.checksum.enabled": "false",
    "spark.sql.shuffle.orderIndependentChecksum.enabled": "false",
    "spark.log.level": "ERROR",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
SHIP = (
    "the cluster's Python workers cannot import r2d2: install it in their environment,"
    " or send its wheel along with --py-files"
)

# A worker that the system kills says nothing; Spark says that it crashed.
OUT_OF_MEMORY = ("MemoryError", "exited unexpectedly")
DIED = ("exited unexpectedly", "ExecutorLostFailure")
KILLED = re.compile(r"Task (\d+) in stage [\d.]+ failed")
MORE_MEMORY = (
    "where a Python worker lacks memory, raise spark.executor.pyspark.memory if it is set,"
    " else spark.executor.memoryOverhead, or run fewer tasks at once (spark.executor.cores)"
)


@contextmanager
def session_of(master: str | None) -> Iterator["SparkSession"]:
    """The active session; where there is none or a master is named, one that ends with the run.

    `master` is what `spark-submit --master` takes, or `sc://host:port` for Spark Connect. Without
    it SPARK_REMOTE and Spark's own configuration decide, in the end this machine's cores.

    Raises:
        MissingDependencyError: pyspark, or the Java that it runs on, is not installed.
        R2D2Error: the master does not answer.
    """
    try:
        from pyspark.sql import SparkSession
    except ModuleNotFoundError as error:
        raise MissingDependencyError(INSTALL) from error
    logging.getLogger("py4j").setLevel(logging.WARNING)
    active = SparkSession.getActiveSession()
    if active is not None and master is None:
        yield active
        return
    with spark_errors():
        session = _started(SparkSession, master)
    try:
        yield session
    finally:
        session.stop()


def _started(kind: "type[SparkSession]", master: str | None) -> "SparkSession":
    # Workers would start the system's Python, which lacks our packages.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = kind.builder.appName("r2d2")
    if master is None and "SPARK_REMOTE" in os.environ:
        return builder.getOrCreate()
    if master is not None and master.startswith("sc://"):
        return builder.remote(master).getOrCreate()
    if master is not None:
        builder = builder.master(master)
    if _is_local(master):
        # A machine's own name may resolve to an address that it does not have.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        for key, value in LOCAL_CONFIG.items():
            builder = builder.config(key, value)
    return builder.getOrCreate()


def _is_local(master: str | None) -> bool:
    """Whether Spark will run here: the master says so, or nothing says anything else."""
    if master is not None:
        return master.startswith("local")
    return not any(os.environ.get(name) for name in ("MASTER", "SPARK_HOME", "SPARK_CONF_DIR"))


@contextmanager
def spark_errors() -> Iterator[None]:
    """Raises R2D2Error for what Spark refuses or could not finish, by the first line of why."""
    try:
        yield
    except _foreign() as error:
        text = str(error)
        if "No module named 'r2d2'" in text:
            raise MissingDependencyError(SHIP) from error
        remedy = f"; {MORE_MEMORY}" if any(sign in text for sign in OUT_OF_MEMORY) else ""
        message = f"Spark could not finish: {_gist(text)}{remedy}"
        killed = KILLED.search(text)
        if killed is not None and any(sign in text for sign in DIED):
            raise TaskKilledError(message, int(killed[1])) from error
        raise R2D2Error(message) from error


class TaskKilledError(R2D2Error):
    """Spark gave a job up, since the workers of one task died of it; `task` is its number."""

    def __init__(self, message: str, task: int) -> None:
        super().__init__(message)
        self.task = task


def _foreign() -> tuple[type[Exception], ...]:
    from pyspark.errors import PySparkException

    try:
        from py4j.protocol import Py4JError
    except ModuleNotFoundError:  # a client of Spark Connect alone has no JVM to talk to
        return (PySparkException,)
    return PySparkException, Py4JError


def _gist(text: str) -> str:
    """The line with the reason: the last of a worker's traceback, else the first with content."""
    lines = [line.strip().removeprefix(": ") for line in text.splitlines() if line.strip()]
    for place, line in enumerate(lines):
        if line.startswith("Traceback (most recent call last)"):
            after = [line for line in lines[place + 1 :] if not line.startswith("at ")]
            return next((line for line in reversed(after) if "Error" in line), lines[0])
    telling = (line for line in lines if not line.startswith("An error occurred while calling"))
    return next(telling, "no reason given")


# Releases on Maven Central. Spark's own artifacts have the version of pyspark. Of Hudi no release
# for Spark 4 with Scala 2.13 is known, so it has no coordinate.
SCALA = "2.13"
NEWEST_DELTA = "4.4.0"
ICEBERG_OF_SPARK = {"4.0": "1.11.0", "4.1": "1.12.0"}


def coordinates(spark: str, delta: str | None = None) -> dict[str, str]:
    """The Maven coordinate of each jar that fits a Spark and a delta-spark; empty for none.

    >>> coordinates("4.2.0", "4.4.0")["delta-spark"]
    'io.delta:delta-spark_4.2_2.13:4.4.0'
    """
    line = ".".join(spark.split(".")[:2])
    iceberg = ICEBERG_OF_SPARK.get(line)
    return {
        "delta-spark": _delta_coordinate(line, delta or NEWEST_DELTA),
        "spark-avro": f"org.apache.spark:spark-avro_{SCALA}:{spark}",
        "iceberg-spark-runtime": (
            f"org.apache.iceberg:iceberg-spark-runtime-{line}_{SCALA}:{iceberg}" if iceberg else ""
        ),
    }


def _delta_coordinate(line: str, delta: str) -> str:
    """Delta 4.0 was built for Spark 4.0 alone, and only 4.4 for Spark 4.2."""
    release = tuple(int(number) for number in delta.split(".")[:2] if number.isdigit())
    if release < (4, 1):
        fits, artifact = line == "4.0", f"delta-spark_{SCALA}"
    else:
        fits, artifact = line != "4.2" or release >= (4, 4), f"delta-spark_{line}_{SCALA}"
    return f"io.delta:{artifact}:{delta}" if fits else ""
