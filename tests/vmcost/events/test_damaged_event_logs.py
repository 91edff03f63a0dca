"""Logs with random damage are read or refused, and never tell of less than nothing."""

import random
from pathlib import Path

import numpy as np
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from r2d2.vmcost.bill.task_time import (
    busy_core_ms,
    core_seconds,
    duration_s,
    executor_intervals_ms,
    split_us,
)
from r2d2.vmcost.events import read_logs
from r2d2.vmcost.model import TASK, Application
from tests.support.vmcost.random_logs import RandomLog, logs

DIGITS = b"0123456789-"


@given(
    log=logs(),
    seed=st.integers(0, 2**32),
    times=st.sampled_from([1, 5, 40]),
    digits=st.booleans(),
    packed=st.booleans(),
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_damaged_nothing_is_negative(
    log: RandomLog, seed: int, times: int, digits: bool, packed: bool, tmp_path: Path
) -> None:
    data = damaged(log.text().encode(), random.Random(seed), times, digits)
    path = tmp_path / "log"
    path.write_bytes(zstandard.compress(data, 1)[: None if digits else -5] if packed else data)
    found = read_logs([path])
    assert len(found.applications) + len(found.refused) == 1
    for app in found.applications:
        check(app)


def damaged(data: bytes, chance: random.Random, times: int, digits: bool) -> bytes:
    """The bytes with some of them changed, only digits among them if so wished."""
    changed = bytearray(data)
    for _ in range(times):
        place = chance.randrange(len(changed))
        if not digits:
            changed[place] = chance.randrange(256)
        elif changed[place] in DIGITS:
            changed[place] = chance.choice(DIGITS)
    return bytes(changed)


def check(app: Application) -> None:
    assert duration_s(app) >= 0
    assert core_seconds(app) >= 0
    assert (busy_core_ms(app) >= 0).all()
    assert (split_us(app) >= 0).all()
    stood = executor_intervals_ms(app)
    assert (stood[:, 0] <= stood[:, 1]).all()
    assert all((each.removed_ms or 2**62) >= each.added_ms for each in app.executors)
    tasks = app.tasks
    assert (tasks["launch_ms"] <= tasks["finish_ms"]).all()
    metrics = np.array([tasks[name] for name in (TASK.names or ())[9:]])
    assert (metrics >= 0).all()
    assert all(value > 0 for value in app.problems.values())
