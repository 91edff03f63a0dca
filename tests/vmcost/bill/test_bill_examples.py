"""Bills that can be reckoned by hand."""

from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest

from r2d2.errors import UsageError
from r2d2.vmcost.bill import (
    Bill,
    Part,
    Share,
    bill,
    fleet,
    printed_total_usd,
    printed_usd,
    task_time,
)
from r2d2.vmcost.bill.task_time import task_time_by_job
from r2d2.vmcost.model import Billing, Executor, Job
from r2d2.vmcost.report.data import by_job
from tests.support.vmcost.bill_apps import EXACT, application, cluster, price, prices, task


def seconds(made: Bill) -> dict[str, Fraction]:
    """The parts that took time."""
    return {part.value: amount.vm_s for part, amount in made.parts.items() if amount.vm_s}


def by_key(shares: tuple[Share, ...]) -> dict[str, tuple[Fraction, Fraction]]:
    """Busy and failed VM-seconds by key."""
    return {share.key: (share.busy.vm_s, share.failed.vm_s) for share in shares}


def test_two_fixed_workers_and_a_driver_stand_for_the_whole_run() -> None:
    executors = [Executor("0", "a", 4, 1_000), Executor("1", "b", 2, 2_000, 8_000)]
    tasks = [task(2_000, 4_000), task(3_000, 5_000, executor=1, outcome=1)]
    app = application(10_000, executors, tasks, [Job(0, (0,), 1_500, 6_000)])
    made = bill(app, cluster(2, "driver"), prices(), EXACT)
    assert made.usd == Fraction(2 * 10, 1000) + Fraction(10, 2000)
    assert seconds(made) == {
        "driver": 10,
        "start_up": 1 + 2,
        "busy": Fraction(2, 4),
        "failed": Fraction(2, 4),
        "stranded": Fraction(6 * 2, 4),
        "idle_in_jobs": Fraction(45 * 4 - 20 + 40 * 2 - 20, 40),
        "idle_between_jobs": Fraction(45 * 4 + 20 * 2, 40) + 2,
    }


def test_a_host_without_a_stated_number_is_rented_while_its_executors_live() -> None:
    executors = [
        Executor("0", "a", 4, 1_000, 3_000),
        Executor("1", "a", 4, 6_000, 7_000),
        Executor("2", "a", 4, 6_500, 8_000),
    ]
    anew = replace(EXACT, keep_vms=False)
    made = bill(application(10_000, executors), cluster(), prices(), anew)
    assert made.vms[0].metered_s == 2 + 2
    assert made.vms[0].time.rented == ((1_000, 3_000), (6_000, 8_000))
    assert made.problems == {"vm_cores_exceeded": 1, "vm_rented_anew": 1}
    kept = bill(application(10_000, executors), cluster(), prices(), EXACT)
    assert kept.vms[0].time.rented == ((1_000, 10_000),)
    assert kept.problems == {"vm_cores_exceeded": 1, "vm_kept_between_executors": 1}


def test_an_executor_that_nothing_removed_lives_to_the_end() -> None:
    made = bill(application(10_000, [Executor("0", "a", 4, 1_000)]), cluster(), prices(), EXACT)
    assert seconds(made) == {"idle_between_jobs": 9}


def test_lead_and_tail_are_rented_besides() -> None:
    app = application(10_000, [Executor("0", "a", 4, 0)], [], [Job(0, (), 0, 10_000)])
    billing = Billing(minimum_s=Fraction(0), start_up_s=Fraction(5), idle_tail_s=Fraction(3, 7))
    made = bill(app, cluster(1, "driver"), prices(), billing)
    assert seconds(made) == {
        "driver": 10,
        "start_up": 5,
        "idle_in_jobs": 10,
        "idle_between_jobs": Fraction(3, 7),
        "rounding": Fraction(15_429, 1000) - 15 - Fraction(3, 7),
    }


@pytest.mark.parametrize(
    ("quantum_s", "minimum_s", "billed_s"),
    [(1, 60, 60), (1, 0, 62), (60, 60, 120), (3600, 0, 3600)],
)
def test_billing_rounds_up_to_quanta_and_minimum(
    quantum_s: int, minimum_s: int, billed_s: int
) -> None:
    run_ms = 10_000 if billed_s == 60 else 61_001
    billing = Billing(Fraction(quantum_s), Fraction(minimum_s))
    made = bill(application(run_ms, [Executor("0", "a", 4, 0)]), cluster(), prices(), billing)
    assert made.vms[0].billed_s == billed_s
    assert made.usd == Fraction(billed_s, 1000)
    assert made.parts[Part.ROUNDING].vm_s == billed_s - Fraction(run_ms, 1000)


def test_hosts_beyond_the_stated_number_are_replaced_machines() -> None:
    executors = [
        Executor("0", "a", 4, 0, 4_000),
        Executor("1", "b", 4, 0),
        Executor("2", "c", 4, 5_000),
    ]
    made = bill(application(10_000, executors), cluster(2), prices(), EXACT)
    assert [(vm.host, vm.standing, vm.metered_s) for vm in made.vms] == [
        ("a", True, 10),
        ("b", True, 10),
        ("c", False, 5),
    ]
    assert made.problems == {"host_beyond_count": 1}


def test_stated_machines_that_no_executor_ran_on_are_idle() -> None:
    app = application(10_000, [Executor("0", "vm 1", 4, 0)], [], [Job(0, (), 0, 4_000)])
    made = bill(app, cluster(2), prices(), EXACT)
    assert [vm.host for vm in made.vms] == ["vm 1", "vm 2"]
    assert seconds(made) == {"idle_in_jobs": 8, "idle_between_jobs": 12}
    assert made.problems == {"vm_without_executor": 1}


def test_a_driver_alone_costs_its_run() -> None:
    made = bill(application(90_000, []), cluster(None, "driver"), prices())
    assert made.usd == Fraction(90, 2000)
    assert seconds(made) == {"driver": 90}


def test_local_mode_is_one_machine_and_no_driver_besides() -> None:
    app = application(
        8_000, [Executor("driver", "laptop", 2, 1_000)], [task(2_000, 4_000)], [Job(0, (0,), 0)]
    )
    made = bill(app, cluster(), prices(), EXACT)
    assert len(made.vms) == 1
    assert seconds(made) == {
        "start_up": 1,
        "busy": Fraction(2, 4),
        "idle_in_jobs": 3,
        "stranded": Fraction(7, 2),
    }


def test_pods_are_laid_on_the_stated_machines() -> None:
    pods = [Executor(str(number), f"10.0.0.{number}", 2, 0) for number in range(3)]
    app = application(10_000, pods, properties={"spark.master": "k8s://https://here"})
    made = bill(app, cluster(2), prices(), EXACT)
    assert made.usd == Fraction(20, 1000)
    assert seconds(made) == {"idle_between_jobs": 15, "stranded": 5}
    assert made.problems == {"pod_laid_on_vm": 3}
    alone = bill(app, cluster(), prices(), EXACT)
    assert len(alone.vms) == 3
    assert alone.problems == {"pod_priced_by_share": 3}
    assert alone.usd == 3 * Fraction(1, 2) * Fraction(10, 1000)


def test_tasks_that_overlap_beyond_the_cores_share_them() -> None:
    tasks = [task(0, 2_000), task(1_000, 2_000, stage=1), task(1_000, 3_000, stage=1)]
    app = application(4_000, [Executor("0", "a", 1, 0)], tasks)
    made = bill(app, cluster(), prices(price("worker", "3.6", 1)), EXACT)
    assert by_key(made.stages) == {"0.0": (Fraction(4, 3), 0), "1.0": (Fraction(5, 3), 0)}
    assert made.problems == {"core_ms_beyond_cores": 2_000}


def test_a_task_of_two_cores_takes_two() -> None:
    app = application(4_000, [Executor("0", "a", 4, 0, task_cpus=2)], [task(0, 1_000)])
    assert bill(app, cluster(), prices(), EXACT).parts[Part.BUSY].vm_s == Fraction(1, 2)


def test_tasks_on_unknown_executors_or_outside_a_life_cost_nobody_twice() -> None:
    executors = [Executor("0", "a", 4, 1_000, 3_000), Executor("1", "a", 4, 99_000)]
    tasks = [task(0, 9_000), task(0, 4_000, executor=-1), task(0, 4_000, executor=1)]
    made = bill(application(4_000, executors, tasks), cluster(), prices(), EXACT)
    assert by_key(made.executors) == {"0": (Fraction(1, 2), 0), "1": (0, 0), "": (0, 0)}
    assert made.problems == {
        "executor_outside_application": 1,
        "task_without_executor": 1,
        "task_outlasts_executor": 2,
    }


def test_a_stage_that_jobs_share_belongs_to_the_job_that_ran() -> None:
    jobs = [
        Job(0, (0, 1), 0, 1_000),
        Job(1, (1, 2), 1_000, 2_000),
        Job(2, (3,), None, 5_000),
    ]
    tasks = [task(0, 400), task(1_000, 1_400, stage=1), task(2_500, 3_300, stage=9)]
    app = application(4_000, [Executor("0", "a", 4, 0)], tasks, jobs)
    made = bill(app, cluster(), prices(), EXACT)
    assert by_key(made.jobs) == {
        "0": (Fraction(1, 10), 0),
        "1": (Fraction(1, 10), 0),
        "2": (0, 0),
        "": (Fraction(1, 5), 0),
    }
    assert made.problems == {"job_without_start": 1}


def test_a_stage_that_ran_again_for_a_later_job_is_paid_and_timed_by_each_job_for_its_own() -> None:
    jobs = [Job(0, (0,), 0, 500), Job(1, (0, 1), 2_000, 4_000)]
    tasks = [task(0, 400), task(2_000, 3_600, stage_attempt=1), task(3_600, 3_800, stage=1)]
    app = application(4_000, [Executor("0", "a", 4, 0)], tasks, jobs)
    made = bill(app, cluster(), prices(), EXACT)
    assert by_key(made.jobs) == {"0": (Fraction(1, 10), 0), "1": (Fraction(9, 20), 0)}
    assert [time.total_s for time in task_time_by_job(app)] == [0.4, 1.8, 0]
    rows = by_job(app, made)
    assert [row["usd"] / row["task_s"] for row in rows] == pytest.approx([3.6 / 3600 / 4] * 2)


def test_killed_tasks_are_failed_work_and_a_speculative_copy_that_won_is_none() -> None:
    tasks = [task(0, 400), task(0, 800, speculative=True), task(0, 1_200, outcome=2)]
    made = bill(application(4_000, [Executor("0", "a", 4, 0)], tasks), cluster(), prices(), EXACT)
    assert by_key(made.stages) == {"0.0": (Fraction(3, 10), Fraction(3, 10))}


def test_a_task_computes_for_its_cpu_and_gc_time_and_no_longer_than_it_ran() -> None:
    tasks = [
        task(0, 1_000, cpu_ns=500_000_000, gc_ms=125, fetch_wait_ms=125, deserialize_ms=125),
        task(0, 1_000, cpu_ns=250_000_000, shuffle_write_ns=250_000_000, spilled_disk_bytes=1),
        task(0, 1_000, cpu_ns=750_000_000, gc_ms=900, deserialize_ms=9),
    ]
    made = bill(application(1_000, [Executor("0", "a", 4, 0)], tasks), cluster(), prices(), EXACT)
    assert made.computing.vm_s * 4 == Fraction(5, 8) + Fraction(1, 4) + 1


def test_without_facts_or_prices_the_time_is_parted_and_the_reason_said() -> None:
    app = application(10_000, [Executor("0", "a", 4, 0)], [task(0, 4_000)])
    for made, why in [
        (bill(app, None, prices(), EXACT), "--vm"),
        (bill(app, cluster(1, "drive"), prices(), EXACT), "'drive' in azure here (close are dr"),
    ]:
        assert made.usd is None
        assert why in made.why
        assert made.rates == ()
        assert made.parts[Part.BUSY].vm_s == 1
        assert made.parts[Part.BUSY].usd is None


def test_workers_of_a_spot_cluster_cost_spot_and_its_driver_does_not() -> None:
    app = application(100_000, [Executor("0", "a", 4, 0)])
    made = bill(app, cluster(1, "driver", spot=True), prices(price("worker", "0.36", 4, "spot")))
    assert made.usd == Fraction(100, 10_000) + Fraction(100, 2_000)


def test_dbus_are_billed_when_their_price_is_given_and_never_silently() -> None:
    app = application(3_600_000, [Executor("0", "a", 4, 0)])
    rows = prices(price("worker", "2", None, "dbu"))
    assert bill(app, cluster(), rows).usd == Fraction("3.6")
    made = bill(app, cluster(), rows, Billing(dbu_usd=Fraction("0.15")))
    assert made.usd == Fraction("3.9")
    assert [fee.kind.value for fee in made.rates[0].fees] == ["dbu"]
    missing = bill(app, cluster(), prices(), Billing(dbu_usd=Fraction("0.15")))
    assert missing.usd is None
    assert "no dbu row of 'worker'" in missing.why


def test_uplift_rows_and_uplift_of_the_billing_are_added() -> None:
    app = application(3_600_000, [Executor("0", "a", 4, 0)])
    rows = prices(price("worker", "0.25", None, "uplift"))
    made = bill(app, cluster(), rows, Billing(uplift_usd_per_node_hour=Fraction("0.5")))
    assert made.usd == Fraction("4.35")


def test_a_picture_shows_when_a_host_was_rented_owned_and_busy() -> None:
    app = application(
        2_400, [Executor("0", "a", 4, 600), Executor("1", "a", 2, 1_200, 1_800)], [task(600, 1_800)]
    )
    time = bill(app, cluster(), prices(), EXACT).vms[0].time
    assert (time.cores, time.start_ms, time.end_ms) == (4, 0, 2_400)
    assert time.rented == ((600, 2_400),)
    assert [(one.id, one.start_ms, one.end_ms) for one in time.executors] == [
        ("0", 600, 2_400),
        ("1", 1_200, 1_800),
    ]
    assert time.busy_cores == (0.0,) * 60 + (1.0,) * 120 + (0.0,) * 60


def test_printed_parts_add_up_to_the_printed_whole() -> None:
    parts = {name: Fraction(1, 3_000_000) for name in "abcdef"}
    printed = printed_usd(parts)
    assert list(printed.values()) == [1e-06, 1e-06, 0.0, 0.0, 0.0, 0.0]
    assert printed_total_usd(sum(parts.values(), Fraction(0))) == 2e-06


@pytest.mark.parametrize(
    ("billing", "message"),
    [
        ({"quantum_s": Fraction(0)}, "quantum_s = 0"),
        ({"idle_tail_s": Fraction(-1)}, "idle_tail_s = -1"),
        ({"dbu_usd": Fraction(-1)}, "dbu_usd = -1"),
    ],
)
def test_billing_that_makes_no_sense_is_refused(billing: dict[str, Fraction], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Billing(**billing)


def test_tasks_that_are_looked_at_in_blocks_are_charged_as_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = Random(5)
    starts = [chance.randint(0, 90_000) for _ in range(200)]
    tasks = [task(at, at + chance.randint(0, 9_000), index=n) for n, at in enumerate(starts)]
    app = application(100_000, [Executor("1", "h", 4, 0)], tasks, [Job(0, (0,), 10_000, 60_000)])
    whole = bill(app, None, prices())
    monkeypatch.setattr(fleet, "WINDOW_TASKS", 7)
    monkeypatch.setattr(task_time, "BLOCK_TASKS", 7)
    assert bill(app, None, prices()) == whole
    ran = task_time.task_intervals_ms(app)
    length_s = float((ran[:, 1] - ran[:, 0]).sum()) / 1000
    assert task_time.task_time(app).total_s == pytest.approx(length_s)
