"""A bill's parts share no moment of a core and leave none out, whatever the log."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2d2.vmcost.bill import Bill, Part, bill, micro_usd, printed_total_usd
from r2d2.vmcost.bill.task_time import job_positions, task_time, task_time_by_job
from r2d2.vmcost.model import Application, Billing, Executor, Job
from r2d2.vmcost.report.data import by_job
from tests.support.vmcost.bill_apps import EXACT, application, cluster, price, prices, task
from tests.support.vmcost.brute_bill import brute_seconds, brute_tasks
from tests.support.vmcost.random_logs import SEEDS, logs, random_log

SECOND = Billing(Fraction(1), Fraction(60), Fraction(7, 3), Fraction(20), Fraction(1, 10))


@st.composite
def wild_applications(draw: st.DrawFn) -> Application:
    """Anything at all: tasks that overlap, outlast their executor, or ran on an unknown one."""
    moment = st.integers(-20, 120)
    executors = [
        Executor(str(number), draw(st.sampled_from("abc")), draw(st.integers(1, 5)), draw(moment),
                 draw(st.none() | moment), task_cpus=draw(st.sampled_from([1, 1, 2])))
        for number in range(draw(st.integers(0, 4)))
    ]  # fmt: skip
    tasks: list[dict[str, Any]] = [
        task(
            draw(moment), draw(moment), stage=draw(st.integers(0, 3)),
            executor=draw(st.integers(-1, len(executors) - 1)), outcome=draw(st.integers(0, 2)),
            speculative=draw(st.booleans()), cpu_ns=draw(st.integers(0, 10**8)),
            gc_ms=draw(st.integers(0, 50)), spilled_disk_bytes=draw(st.integers(0, 1)),
        )
        for _ in range(draw(st.integers(0, 12)))
    ]  # fmt: skip
    jobs = [
        Job(number, tuple(draw(st.sets(st.integers(0, 3)))), draw(moment), draw(st.none() | moment))
        for number in range(draw(st.integers(0, 3)))
    ]
    return application(100, executors, tasks, jobs)


def check(made: Bill) -> None:
    """What must hold of every bill that has its prices."""
    assert made.usd is not None
    parts = {part: amount.usd for part, amount in made.parts.items() if amount.usd is not None}
    assert list(parts) == list(Part)
    assert sum(parts.values()) == made.usd
    assert sum(micro_usd(parts).values()) == round(printed_total_usd(made.usd) * 1_000_000)
    amounts = [*made.parts.values(), made.computing]
    amounts += [amount for vm in made.vms for amount in vm.parts.values()]
    shares = [*made.jobs, *made.stages, *made.executors]
    amounts += [amount for share in shares for amount in (share.busy, share.failed)]
    assert all(amount.vm_s >= 0 and (amount.usd or 0) >= 0 for amount in amounts)
    for part in Part:
        assert made.parts[part].usd == sum(vm.parts[part].usd or 0 for vm in made.vms)
    assert made.computing.vm_s <= made.parts[Part.BUSY].vm_s
    for split in (made.jobs, made.stages, made.executors):
        assert sum(share.busy.usd or 0 for share in split) == made.parts[Part.BUSY].usd
        assert sum(share.failed.usd or 0 for share in split) == made.parts[Part.FAILED].usd
    for vm in made.vms:
        assert sum(amount.vm_s for amount in vm.parts.values()) == vm.billed_s >= vm.metered_s


def worker_seconds(made: Bill) -> dict[str, Fraction]:
    """The parts that the brute force knows, without those of nothing."""
    left_out = (Part.DRIVER, Part.ROUNDING)
    return {
        part.value: amount.vm_s
        for part, amount in made.parts.items()
        if part not in left_out and amount.vm_s
    }


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(10))
def test_the_parts_of_a_thousand_logs_add_up_to_the_whole(hundred: int) -> None:
    billings = (EXACT, Billing(), SECOND)
    for seed in SEEDS[hundred * 100 : hundred * 100 + 100]:
        app = random_log(seed).truth
        count = (None, 1, 3)[seed % 3]
        made = bill(app, cluster(count, "driver"), prices(), billings[seed // 3 % 3])
        check(made)
        assert not made.problems.get("core_ms_beyond_cores")


@pytest.mark.slow
@settings(max_examples=60)
@given(logs(), st.sampled_from([None, 1, 2, 4, 16]), st.sampled_from([None, 0, 1, 2, 5]))
def test_each_part_is_what_brute_force_finds(log: Any, vcpu: int | None, count: int | None) -> None:
    app = log.truth
    made = bill(app, cluster(count or None), prices(price("worker", "1", vcpu)), EXACT)
    expected = brute_seconds(app, vcpu, count or None)
    assert worker_seconds(made) == {part: vm_s for part, vm_s in expected.items() if vm_s}


@pytest.mark.slow
@settings(max_examples=150)
@given(wild_applications(), st.sampled_from([None, 1, 4]), st.sampled_from([None, 1, 3]))
def test_whatever_a_log_tells_the_parts_add_up_and_none_is_negative(
    app: Application, vcpu: int | None, count: int | None
) -> None:
    made = bill(app, cluster(count, "driver"), prices(price("worker", "1", vcpu)), SECOND)
    check(made)
    found = worker_seconds(bill(app, cluster(count), prices(price("worker", "1", vcpu)), EXACT))
    expected = brute_seconds(app, vcpu, count)
    for part in {*found, *expected}:
        assert float(found.get(part, 0)) == pytest.approx(float(expected[part]), abs=1e-6)


@settings(max_examples=60)
@given(wild_applications())
def test_each_task_is_charged_what_brute_force_finds(app: Application) -> None:
    made = bill(app, cluster(), prices(), EXACT)
    charged = brute_tasks(app, 4)
    for share in made.executors:
        if share.key:
            number = int(share.key)
            mine = [at for at, row in enumerate(app.tasks) if row["executor"] == number]
            expected = sum((charged[at] for at in mine), Fraction(0))
            assert float(share.busy.vm_s + share.failed.vm_s) == pytest.approx(float(expected))


@pytest.mark.slow
@settings(max_examples=40)
@given(logs(), st.fractions(0, 100), st.fractions(0, 100))
def test_a_bill_is_linear_in_the_prices(log: Any, one: Fraction, other: Fraction) -> None:
    def usd_of(worker: Fraction, driver: Fraction) -> list[Fraction]:
        rows = prices(price("worker", str(worker), 4), price("driver", str(driver), 2))
        made = bill(log.truth, cluster(2, "driver"), rows)
        return [made.usd or Fraction(0), *(a.usd or Fraction(0) for a in made.parts.values())]

    sums = [a + b for a, b in zip(usd_of(one, other), usd_of(other, one), strict=True)]
    assert usd_of(one + other, one + other) == sums
    assert usd_of(3 * one, 3 * other) == [3 * usd for usd in usd_of(one, other)]


@pytest.mark.slow
@settings(max_examples=60)
@given(wild_applications(), st.randoms(use_true_random=False), st.sampled_from([None, 2]))
def test_the_order_of_executors_and_tasks_changes_nothing(
    app: Application, random: Any, count: int | None
) -> None:
    order = list(range(len(app.executors)))
    random.shuffle(order)
    tasks = app.tasks.copy()
    new_place = {old: new for new, old in enumerate(order)} | {-1: -1}
    tasks["executor"] = [new_place[int(old)] for old in tasks["executor"]]
    shuffled = list(range(len(tasks)))
    random.shuffle(shuffled)
    other = replace(
        app,
        executors=tuple(app.executors[old] for old in order),
        tasks=tasks[np.array(shuffled, np.intp)],
        jobs=tuple(reversed(app.jobs)),
    )
    assert bill(app, cluster(count), prices()) == bill(other, cluster(count), prices())


@given(wild_applications())
def test_each_jobs_time_and_money_are_of_the_same_tasks(app: Application) -> None:
    made = bill(app, cluster(), prices(), EXACT)
    times = dict(zip([*(str(job.id) for job in app.jobs), ""], task_time_by_job(app), strict=True))
    tasks = Counter(job_positions(app).tolist())
    assert sum(time.total_s for time in times.values()) == pytest.approx(task_time(app).total_s)
    assert sum(share.tasks for share in made.jobs) == len(app.tasks)
    for place, job in enumerate(app.jobs):
        (share,) = (share for share in made.jobs if share.key == str(job.id))
        assert share.tasks == tasks[place]
        assert times[share.key].total_s > 0 or share.busy.vm_s == share.failed.vm_s == 0


@given(wild_applications())
def test_the_rows_of_jobs_sum_to_the_reports_totals(app: Application) -> None:
    made = bill(app, cluster(), prices(), EXACT)
    rows = list(by_job(app, made))
    worked = (made.parts[Part.BUSY].usd or 0) + (made.parts[Part.FAILED].usd or 0)
    assert sum(row["task_s"] for row in rows) == pytest.approx(task_time(app).total_s)
    assert sum(row["usd"] for row in rows) == pytest.approx(float(worked))
