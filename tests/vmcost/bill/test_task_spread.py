"""The spread of a stage's tasks, beside that of sorting each stage by itself."""

from math import ceil
from statistics import median

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from r2d2.vmcost.bill.task_time import spreads
from r2d2.vmcost.model import Executor, Job, Outcome
from tests.support.vmcost.bill_apps import application, task


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9_000), st.integers(0, 99), st.booleans()))
)
def test_the_spread_of_all_stages_at_once_is_that_of_each(
    rows: list[tuple[int, int, int, bool]],
) -> None:
    tasks = [
        task(
            0,
            took,
            stage=stage,
            index=at,
            input_bytes=size,
            outcome=Outcome.FAILED if failed else Outcome.SUCCEEDED,
        )
        for at, (stage, took, size, failed) in enumerate(rows)
    ]
    app = application(9_000, [Executor("1", "h", 4, 0)], tasks, [Job(0, (0, 1, 2), 0, 9_000)])
    found = spreads(app)
    for stage in range(3):
        took = sorted(ms for of, ms, _, failed in rows if of == stage and not failed)
        sizes = sorted(size for of, _, size, failed in rows if of == stage and not failed)
        assert found.tasks[stage] == len(took)
        if took:
            at = ceil(0.95 * len(took)) - 1
            expected = np.array([median(took), took[at], took[-1]]) / 1000
            np.testing.assert_allclose(found.seconds[stage], expected)
            assert found.size_bytes[stage].tolist() == [median(sizes), sizes[at], sizes[-1]]


def test_a_straggler_is_seen_by_hand() -> None:
    tasks = [task(0, ms, index=at) for at, ms in enumerate((1_000, 1_000, 1_000, 5_000))]
    app = application(5_000, [Executor("1", "h", 4, 0)], tasks, [Job(0, (0,), 0, 5_000)])
    found = spreads(app)
    assert found.skew(0) == 5.0
    assert found.straggling_s(0) == 4.0
