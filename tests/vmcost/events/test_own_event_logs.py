"""Logs of the pipeline's own jobs, and one that Spark writes by its defaults while we wait."""

import re
from pathlib import Path
from typing import Any

import pytest

from r2d2.vmcost.bill.task_time import busy_fraction
from r2d2.vmcost.events import read_applications, read_logs
from r2d2.vmcost.events.codecs import chunks
from r2d2.vmcost.events.problems import LogProblemCounts
from tests.support.engines.cluster import run
from tests.support.vmcost.record_logs import LOGS

JOB = """
import sys
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local[2]").appName("<defaults>")
for key, value in dict(pair.split("=") for pair in sys.argv[1:]).items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
assert spark.range(0, 1000, 1, 3).repartition(4).count() == 1000
spark.stop()
"""


@pytest.mark.parametrize("path", sorted(LOGS.iterdir()), ids=lambda path: path.name)
def test_our_own_logs_have_nothing_wrong(path: Path) -> None:
    (app,) = read_applications([path])
    cores = 2 if path.stem.endswith("2") else 1
    assert sum(each.cores for each in app.executors) == cores
    assert app.problems.keys() <= {"executor_not_removed"}
    assert len(app.tasks) == sum(each.tasks for each in app.stages if each.submitted_ms)
    assert 0 < (busy_fraction(app) or 0) <= 1


@pytest.mark.parametrize("path", sorted(LOGS.iterdir()), ids=lambda path: path.name)
def test_our_own_logs_tell_nothing_of_the_machine(path: Path) -> None:
    text = b"".join(chunks(path, LogProblemCounts())).decode()
    assert set(re.findall(r'"Host":"([^"]*)"', text)) <= {"host-1", "localhost"}
    assert set(re.findall(r'"User":"([^"]*)"', text)) == {"nobody"}
    assert not re.search(r"\d+\.\d+\.\d+\.\d+|site-packages|/(tmp|root|home/(?!nobody))", text)
    assert "jvmGCTime" in text


@pytest.mark.spark
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"spark.eventLog.rolling.enabled": "false", "spark.io.compression.codec": "lz4",
         "spark.eventLog.compression.codec": "lz4"},
    ],
    ids=["defaults", "lz4"],
)  # fmt: skip
def test_what_spark_writes_is_read(settings: dict[str, Any], tmp_path: Path) -> None:
    own = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": tmp_path.as_uri()}
    shown = {"spark.ui.enabled": "false", "spark.log.level": "ERROR"}
    pairs = [f"{key}={value}" for key, value in {**own, **shown, **settings}.items()]
    ended = run(["-c", JOB, *pairs])
    assert ended.returncode == 0, ended.stderr
    logs = read_logs([tmp_path])
    assert (logs.refused, logs.repeated) == ((), ())
    (app,) = logs.applications
    assert (app.name, app.ended_told, app.problems) == ("<defaults>", True, {})
    assert len(app.tasks) == sum(each.tasks for each in app.stages if each.submitted_ms) > 4
    assert {job.succeeded for job in app.jobs} == {True}
    assert Path(app.files[0]).parent.name.startswith("eventlog_v2_") == (not settings)
