"""Spark jobs that say in their event log what they read.

Executors read the lake natively, so Spark counts no input. The companion job takes seconds per GB
from these labels: see `vmcost.profile`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

READ, READ_BYTES = "r2d2.read", "r2d2.read_bytes"
_reads = count(1)


@contextmanager
def reading(session: "SparkSession", size_bytes: int) -> Iterator[None]:
    """Labels the jobs that start within as one read of so many bytes of the lake.

    One read may be several jobs, so it has a number in its application. Over Spark Connect there
    is no such label: its jobs are left as they are.
    """
    if not hasattr(session, "_jsc"):
        yield
        return
    context = session.sparkContext
    context.setLocalProperty(READ, str(next(_reads)))
    context.setLocalProperty(READ_BYTES, str(size_bytes))
    try:
        yield
    finally:
        context.setLocalProperty(READ, None)
        context.setLocalProperty(READ_BYTES, None)
