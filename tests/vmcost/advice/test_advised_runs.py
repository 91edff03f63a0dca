"""Figures of several runs of one name together."""

import pytest

from r2d2.vmcost.advice.case import RepeatedRuns
from r2d2.vmcost.model import Application, Executor
from tests.support.vmcost.bill_apps import application, task


def test_four_sizes_make_a_model_and_three_do_not() -> None:
    def run(slots: int) -> Application:
        executors = [Executor("0", "a", slots, 0)]
        seconds = 10 + 100 // slots
        return application(seconds * 1000, executors, [task(0, seconds * 1000)])

    sizes = [run(slots) for slots in (1, 2, 4, 8)]
    assert RepeatedRuns(tuple(sizes[:3])).ernest is None
    model = RepeatedRuns(tuple(sizes)).ernest
    assert model is not None
    assert model.predict(1.0, 4).seconds == pytest.approx(35, rel=0.05)
