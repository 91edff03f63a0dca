"""A host that is twice as slow is named, with its evidence; healthy ones are not."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from r2d2.errors import UsageError
from r2d2.vmcost.advice.slow_hosts import Degradation, Health, Limits, StageKey, degradation
from r2d2.vmcost.events import read_applications
from r2d2.vmcost.model import Application
from tests.support.vmcost.applications import application

HOSTS = ("host-a", "host-b", "host-c", "host-d")


def run(
    seed: int,
    slowness: dict[str, float] | None = None,
    stages: int = 4,
    tasks: int = 32,
    task_ms: int = 2000,
    spread: float = 0.5,
) -> Application:
    """A run whose tasks take log-normal times, on hosts in turn, stage after stage."""
    random, rows, moment = Random(seed), [], 0
    for stage in range(stages):
        end = moment
        for number in range(tasks):
            host = number % len(HOSTS)
            own_ms = task_ms * random.lognormvariate(0, spread)
            own_ms *= (slowness or {}).get(HOSTS[host], 1.0)
            rows.append((stage, host, moment, moment + round(own_ms)))
            end = max(end, moment + round(own_ms))
        moment = end
    return application(rows, moment, HOSTS)


def slow_hosts(found: Degradation) -> list[str]:
    return [host.host for host in found.slow]


@pytest.mark.parametrize("seed", range(10))
def test_a_host_twice_as_slow_is_named_and_no_other(seed: int) -> None:
    runs = [run(seed * 100 + number, {"host-c": 2.0}) for number in range(3)]
    found = degradation(runs)
    assert slow_hosts(found) == ["host-c"]
    assert found.hosts[0].ratio == pytest.approx(2.0, rel=0.25)
    assert (found.hosts[0].tasks, found.hosts[0].stage_runs, found.hosts[0].runs) == (96, 12, 3)


@pytest.mark.parametrize("seed", range(20))
def test_among_healthy_hosts_none_is_named(seed: int) -> None:
    runs = [run(seed * 100 + number, spread=0.8) for number in range(3)]
    found = degradation(runs)
    assert {host.health for host in found.hosts} == {Health.AS_OTHERS}


def test_two_slow_hosts_of_four_are_both_named() -> None:
    runs = [run(seed, {"host-a": 3.0, "host-b": 3.0}, spread=0.2) for seed in range(2)]
    assert sorted(slow_hosts(degradation(runs))) == ["host-a", "host-b"]


def test_a_run_that_is_slow_everywhere_blames_no_host_but_its_stages() -> None:
    slow = run(2, dict.fromkeys(HOSTS, 2.0))
    found = degradation([run(0), run(1), slow])
    assert found.slow == ()
    assert min(found.stage_runs, key=lambda one: one.performance).run == 2


def test_a_host_that_was_slow_in_one_stage_only_is_not_named() -> None:
    straggler = run(1, spread=0.1)
    tasks = straggler.tasks.copy()
    hit = (tasks["stage"] == 1) & (tasks["executor"] == 2)
    tasks["run_ms"][hit] *= 5
    found = degradation([replace(straggler, tasks=tasks)])
    assert found.slow == ()
    assert found.hosts[0].health is Health.AS_OTHERS


def test_of_few_tasks_nothing_is_said() -> None:
    found = degradation([run(1, {"host-c": 2.0}, stages=2)])
    assert {host.health for host in found.hosts} == {Health.TOO_FEW}
    assert "too few to compare" in found.hosts[0].verdict


def test_tasks_of_milliseconds_say_nothing() -> None:
    found = degradation([run(1, {"host-c": 2.0}, task_ms=10)])
    assert {(host.health, host.tasks) for host in found.hosts} == {(Health.TOO_FEW, 0)}


def test_one_host_alone_cannot_be_compared() -> None:
    alone = application([(0, 0, 0, 1000)] * 50, 1000)
    host = degradation([alone]).hosts[0]
    assert (host.health, host.ratio) == (Health.TOO_FEW, None)
    assert "no other host had the same work" in host.verdict


def test_performance_is_ideal_over_actual_and_never_above_one() -> None:
    runs = [run(seed, {"host-c": 2.0}, spread=0.05) for seed in range(3)]
    by_host = {one.host: one for one in degradation(runs).stage_hosts if one.stage.order == 0}
    assert by_host["host-c"].performance == pytest.approx(0.5, rel=0.05)
    assert by_host["host-a"].performance == pytest.approx(1.0, rel=0.05)
    found = degradation(runs)
    assert all(one.performance <= 1 for one in (*found.stage_hosts, *found.stage_runs))


def test_stages_are_matched_by_name_and_order_not_by_id() -> None:
    other = run(2)
    tasks = other.tasks.copy()
    tasks["stage"] += 10
    stages = tuple(replace(stage, id=stage.id + 10) for stage in other.stages)
    found = degradation([run(1), replace(other, tasks=tasks, stages=stages)])
    assert found.unmatched == ()
    assert len(found.stage_runs) == 8


def test_a_stage_that_one_run_lacks_is_told() -> None:
    found = degradation([run(1, stages=4), run(2, stages=3)])
    assert found.unmatched == (StageKey("stage 3 at Job.scala:3", 0),)


def test_a_stage_of_more_data_is_not_held_against_its_run() -> None:
    found = degradation([run(1), run(2, tasks=64)])
    assert len(found.unmatched) == 4
    assert found.stage_runs == ()


def test_limits_are_the_users() -> None:
    runs = [run(seed, {"host-c": 1.3}, spread=0.2) for seed in range(3)]
    assert slow_hosts(degradation(runs)) == []
    assert slow_hosts(degradation(runs, Limits(ratio=1.2))) == ["host-c"]


def test_no_run_is_refused() -> None:
    with pytest.raises(UsageError, match="no run to look at"):
        degradation([])


@pytest.mark.shared
@pytest.mark.parametrize(
    "names",
    [
        ("databricks-azure-e8s_v3.zstd",),
        ("emr-join-agg.zstd", "emr-attempts"),
        ("yarn-dynamic-allocation.zstd",),
        ("yarn-executors-fail.zstd",),
        ("k8s-spark-3.5",),
    ],
)
def test_no_host_of_real_healthy_runs_is_named(shared: Path, names: tuple[str, ...]) -> None:
    runs = read_applications([shared / "event-logs" / name for name in names])
    assert degradation(list(runs)).slow == ()
