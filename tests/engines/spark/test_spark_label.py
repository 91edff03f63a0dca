"""What Spark's event log will say of r2d2's jobs: how many bytes of the lake they read."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.engines.spark.jobs import READ, READ_BYTES, reads_labelled

pytestmark = pytest.mark.spark


def test_jobs_within_are_one_numbered_read_and_jobs_after_it_are_none(spark: Any) -> None:
    context = spark.sparkContext
    numbers = []
    for size_bytes in (5, 7):
        with reads_labelled(spark, size_bytes):
            assert context.getLocalProperty(READ_BYTES) == str(size_bytes)
            numbers.append(int(context.getLocalProperty(READ)))
        assert context.getLocalProperty(READ) is None
        assert context.getLocalProperty(READ_BYTES) is None
    assert numbers[1] == numbers[0] + 1


def test_find_labels_the_job_that_reads_the_lake(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        pq.write_table(pa.table({"x": range(1000)}), tmp_path / f"{name}.parquet")
    size_bytes = sum(path.stat().st_size for path in tmp_path.iterdir())
    seen = []
    kind = type(spark.sparkContext)
    original = kind.setLocalProperty

    def noted(context: Any, key: str, value: str | None) -> None:
        seen.append((key, value))
        original(context, key, value)

    monkeypatch.setattr(kind, "setLocalProperty", noted)
    r2d2.find(str(tmp_path), engine="spark")
    assert (READ_BYTES, str(size_bytes)) in seen
