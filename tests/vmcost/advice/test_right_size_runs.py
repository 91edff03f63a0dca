"""Several logs of one application: runs for Ernest's model, and the errors of replay."""

from dataclasses import replace

import pytest

from r2d2.vmcost.advice.replay.slots import Life, peak_slots
from r2d2.vmcost.advice.right_size.ernest import (
    MeasuredRun,
    fit_ernest,
    measured_run,
    replay_ratios,
)
from r2d2.vmcost.model import Application
from tests.support.vmcost.applications import START_MS, application


def run_on(slots: int, tail_ms: int = 0) -> Application:
    """Twelve tasks of a second each, on so many slots, then the driver alone."""
    rows = [(0, 0, number // slots * 1000, number // slots * 1000 + 1000) for number in range(12)]
    last_ms = max(row[3] for row in rows)
    return application(rows, last_ms + tail_ms, cores=slots)


def test_a_log_is_a_run_on_the_slots_that_it_had() -> None:
    assert measured_run(run_on(3), 0.5) == MeasuredRun(0.5, 3, 4.0)


def test_executors_that_follow_each_other_are_not_counted_together() -> None:
    assert peak_slots([Life(4, 0, 50), Life(2, 50, 70), Life(3, 60)]) == 5
    assert peak_slots([]) == 0


def test_four_logs_fit_a_model() -> None:
    model = fit_ernest([measured_run(run_on(slots), 1.0) for slots in (1, 2, 3, 6)])
    assert model.predict(1.0, 4).seconds == pytest.approx(3.0)


def test_logs_that_replay_predicts_have_ratios_of_one() -> None:
    assert replay_ratios([run_on(1), run_on(2), run_on(4)]) == pytest.approx([1.0] * 6)


def test_a_log_that_took_longer_has_a_ratio_above_one_as_the_others_see_it() -> None:
    assert replay_ratios([run_on(2), run_on(2, tail_ms=1500)]) == pytest.approx([1.25, 0.8])


def test_the_start_of_the_application_is_part_of_the_run() -> None:
    late = replace(run_on(2), started_ms=START_MS - 2000)
    assert measured_run(late, 1.0).seconds == 8.0
