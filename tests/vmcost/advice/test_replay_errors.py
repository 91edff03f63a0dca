"""The errors of replay on real runs; `replay_errors` prints the tables."""

from pathlib import Path
from statistics import median

import pytest

from tests.support.vmcost.replay_errors import OWN_LOGS, crossings, errors_at_measured_size


@pytest.mark.shared
def test_real_logs_are_met_at_their_own_size_within_the_target(shared: Path) -> None:
    errors = [abs(one.relative) for one in errors_at_measured_size([shared / "event-logs"])]
    assert len(errors) == 13
    assert median(errors) <= 0.08
    assert max(errors) <= 0.20


def test_the_logs_of_our_own_runs_are_met_at_their_own_size() -> None:
    errors = {one.name: abs(one.relative) for one in errors_at_measured_size(OWN_LOGS)}
    assert len(errors) >= 6
    assert max(errors.values()) <= 0.05
    assert median(errors.values()) <= 0.01


def test_from_one_size_to_another_the_target_holds_where_the_machine_was_alike() -> None:
    found = {one.name: one for one in crossings()}
    for name in ("waits-1 on 2", "waits-2 on 1"):
        assert abs(found[name].relative) <= 0.08


def test_from_one_size_to_another_the_schedule_is_right_where_tasks_are_as_fast() -> None:
    assert max(abs(one.same_speed) for one in crossings()) <= 0.10
