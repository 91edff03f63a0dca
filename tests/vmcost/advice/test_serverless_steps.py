"""A run's steps, and their time on workers."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from r2d2.vmcost.advice.serverless.model import Backend, RentedCluster, Serverless
from r2d2.vmcost.advice.serverless.prices import ResourceRate, ServerlessWorker
from r2d2.vmcost.advice.serverless.report import advise_serverless, steps_of
from r2d2.vmcost.events import read_applications
from r2d2.vmcost.model import Outcome
from tests.support.vmcost.applications import application

RATE = ResourceRate(Fraction(1, 60_000), "made up", date(2026, 1, 1))


def serverless(max_workers: int = 100, cores: int = 1, core_speed: float = 1.0) -> Serverless:
    return Serverless(
        ServerlessWorker(cores, Fraction(2 * cores)), RATE, max_workers, core_speed=core_speed
    )


def test_stages_that_overlap_are_one_step_and_gaps_are_the_drivers() -> None:
    rows = [(0, 0, 1000, 3000), (1, 0, 2000, 5000), (2, 0, 6000, 7000)]
    steps = steps_of(application(rows, ended_ms=9000), serverless())
    assert [step.stages for step in steps] == [(0, 1), (2,), ()]
    assert [(step.gap_ms, step.vm_ms) for step in steps] == [(1000, 4000), (1000, 1000), (2000, 0)]


def test_gaps_and_times_on_the_cluster_sum_to_the_run() -> None:
    rows = [(0, 0, 0, 3000), (1, 0, 3000, 5000), (2, 0, 4000, 4500), (3, 0, 8000, 8800)]
    steps = steps_of(application(rows, ended_ms=10_000), serverless())
    assert sum(step.gap_ms + step.vm_ms for step in steps) == 10_000


def test_all_tasks_run_at_once_where_there_are_workers_enough() -> None:
    rows = [(0, 0, 0, 1000), (0, 0, 0, 4000), (0, 0, 1000, 3000)]
    step = steps_of(application(rows, 4000, cores=2), serverless())[0]
    assert step.worker_ms == (4000, 2000, 1000)
    assert step.serverless_ms == 4000


def test_capped_workers_take_the_tasks_in_turn() -> None:
    rows = [(0, 0, 0, 1000), (0, 0, 0, 4000), (0, 0, 1000, 3000)]
    step = steps_of(application(rows, 4000, cores=2), serverless(max_workers=1, cores=2))[0]
    assert step.worker_ms == (4000,)


def test_a_child_stage_in_the_same_step_waits_for_its_parent() -> None:
    rows = [(0, 0, 0, 2000), (1, 0, 0, 9000), (2, 0, 2000, 5000)]
    step = steps_of(application(rows, 9000, parents={2: (0,)}), serverless())[0]
    assert step.workers == 2
    assert step.worker_ms == (9000, 5000)


def test_tasks_of_two_cores_halve_a_workers_slots() -> None:
    app = application([(0, 0, 0, 1000)] * 4, 2000)
    wide = replace(app, executors=(replace(app.executors[0], task_cpus=2),))
    assert steps_of(app, serverless(cores=4))[0].worker_ms == (1000,)
    assert steps_of(wide, serverless(cores=4))[0].worker_ms == (1000, 1000)


def test_a_stage_whose_tasks_all_failed_takes_no_workers() -> None:
    app = application([(0, 0, 0, 1000)], 2000)
    app.tasks["outcome"] = Outcome.FAILED
    step = steps_of(app, serverless())[0]
    assert (step.worker_ms, step.serverless_ms, step.vm_ms) == ((), 0, 1000)


def test_quicker_cores_shorten_the_tasks() -> None:
    step = steps_of(application([(0, 0, 0, 4000)], 4000), serverless(core_speed=2.0))[0]
    assert step.serverless_ms == 2000


def test_a_mostly_idle_cluster_is_left_and_a_busy_one_kept() -> None:
    cluster = RentedCluster(Fraction(384, 1000), 8)
    idle = application([(0, 0, 0, 600_000)], 600_000)
    busy = application([(0, 0, 0, 600_000) for _ in range(8)], 600_000)
    left = advise_serverless(idle, cluster, serverless())
    kept = advise_serverless(busy, cluster, serverless())
    assert left.utilisation < left.break_even_utilisation == 0.4 < kept.utilisation
    assert left.cheapest.placed[0].place is Backend.SERVERLESS
    assert kept.cheapest.placed[0].place is Backend.VM
    assert left.cheapest.usd <= min(left.on_cluster.usd, left.on_workers.usd)
    assert kept.cheapest.usd <= min(kept.on_cluster.usd, kept.on_workers.usd)


def test_an_application_without_tasks_is_the_drivers_alone() -> None:
    empty = application([], 5000)
    advice = advise_serverless(empty, RentedCluster(Fraction(1), 4, Fraction(36)), serverless())
    assert advice.cheapest.usd == Fraction(60, 100)
    assert advice.cheapest.rentals_ms == ()


@pytest.mark.shared
@pytest.mark.parametrize(
    "name",
    [
        "databricks-azure-e8s_v3.zstd",
        "emr-attempts",
        "yarn-dynamic-allocation.zstd",
        "yarn-executors-fail.zstd",
        "rolled",
        "k8s-spark-3.5",
        "local-spark-2.3",
    ],
)
def test_real_runs_are_parted_into_steps_and_no_single_place_is_cheaper(
    shared: Path, name: str
) -> None:
    cluster = RentedCluster(Fraction(112, 100), 16, Fraction(279, 1000))
    for app in read_applications([shared / "event-logs" / name]):
        steps = steps_of(app, serverless(cores=4))
        assert sum(step.gap_ms + step.vm_ms for step in steps) == app.ended_ms - app.started_ms
        advice = advise_serverless(app, cluster, serverless(cores=4))
        assert advice.cheapest.usd <= min(advice.on_cluster.usd, advice.on_workers.usd)
