"""profile.json from applications: rates over bytes, starts by cluster, nothing invented."""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from r2d2.vmcost.bill import Rate
from r2d2.vmcost.model import TASK, Application, Executor, Job, Price, PriceKind, SparkStage
from r2d2.vmcost.profile import ProfiledRun, profile, reads, starting_s, writes

GB = 10**9
MACHINE = Price(
    "aws", "here", "m5", 4, 16384, Fraction(1, 5), PriceKind.ON_DEMAND, "s", "1", date(2026, 9, 1)
)
VM = Rate("m5", MACHINE, (), Fraction(1, 4))
"""With a fee of 0.05 an hour."""


def application(
    jobs: Sequence[Job] = (),
    stages: Sequence[SparkStage] = (),
    tasks: Sequence[dict[str, int]] = (),
    added_ms: Sequence[int] = (1_000,),
) -> Application:
    found = np.zeros(len(tasks), TASK)
    for row, values in zip(found, tasks, strict=True):
        for name, value in values.items():
            row[name] = value
    executors = tuple(Executor(str(n), "host", 4, at) for n, at in enumerate(added_ms))
    return Application(
        "app", None, "", "4.1", 0, 86_400_000, True, executors, tuple(stages), tuple(jobs), found,
        {}, (),
    )  # fmt: skip


def label(number: int, size_bytes: int) -> dict[str, str]:
    return {"r2d2.read": str(number), "r2d2.read_bytes": str(size_bytes)}


def reading(number: int, size_bytes: int, start_s: int, end_s: int) -> Job:
    return Job(number, (), start_s * 1000, end_s * 1000, True, labels=label(number, size_bytes))


def test_jobs_with_one_label_are_one_read_from_first_start_to_last_end() -> None:
    one = Job(0, (), 1_000, 3_000, True, labels=label(1, 5 * GB))
    other = Job(1, (), 2_000, 6_000, True, labels=label(1, 5 * GB))
    (read,) = reads(application([one, other]))
    assert (read.size_bytes, read.seconds) == (5 * GB, 5.0)


def test_a_job_without_a_label_read_what_spark_counted() -> None:
    job = Job(0, (7,), 0, 4_000, True)
    tasks = [{"stage": 7, "input_bytes": GB}, {"stage": 8, "input_bytes": GB}]
    (read,) = reads(application([job], tasks=tasks))
    assert (read.size_bytes, read.seconds) == (GB, 4.0)


def test_a_stage_that_two_jobs_name_was_read_for_the_first() -> None:
    jobs = [Job(0, (7,), 0, 4_000, True), Job(1, (7, 8), 5_000, 6_000, True)]
    (read,) = reads(application(jobs, tasks=[{"stage": 7, "input_bytes": GB}]))
    assert (read.size_bytes, read.seconds) == (GB, 4.0)


def test_a_write_takes_the_time_of_the_stages_that_wrote() -> None:
    job = Job(0, (1, 2), 0, 60_000, True)
    stages = [SparkStage(1, 0, "", 1, 0, 50_000), SparkStage(2, 0, "", 1, 50_000, 58_000)]
    tasks = [{"stage": 1}, {"stage": 2, "output_bytes": 2 * GB}]
    (write,) = writes(application([job], stages, tasks))
    assert (write.size_bytes, write.seconds) == (2 * GB, 8.0)


def test_a_job_that_was_never_seen_to_end_tells_no_rate() -> None:
    assert not list(reads(application([Job(0, (), 1_000, None, None, labels=label(1, GB))])))


def test_quantiles_are_over_bytes() -> None:
    jobs = [reading(1, 90 * GB, 0, 90), reading(2, 10 * GB, 100, 150)]
    made = profile([ProfiledRun(application(jobs), VM, 2)])
    assert made["read"]["s_per_gb"] == {"p50": 1.0, "p95": 5.0}
    assert made["read"]["usd_per_gb"] is None


def test_small_transfers_are_left_out_and_counted() -> None:
    made = profile([ProfiledRun(application([reading(1, 1000, 0, 9)]), VM, 2)])
    assert (made["read"], made["reads_left_out"], made["write"]) == (None, 1, None)


def test_starts_are_by_cluster_and_the_longest_of_few_is_their_p95() -> None:
    runs = [ProfiledRun(application(added_ms=[at, 90_000]), VM, 2) for at in (3_000, 9_000)]
    made = profile([*runs, ProfiledRun(application(added_ms=[500]), VM, 1)], start_up_s=30)
    assert [(c["vm_count"], c["start_up_p95_s"]) for c in made["clusters"]] == [(1, 30.5), (2, 39)]
    assert {c["vm_usd_per_hour"] for c in made["clusters"]} == {0.25}


def test_each_cluster_has_the_rate_of_its_own_runs() -> None:
    slow, fast = (application([reading(1, GB, 0, seconds)]) for seconds in (9, 3))
    made = profile([ProfiledRun(slow, VM, 1), ProfiledRun(fast, VM, 4)])
    rates = [(c["vm_count"], c["read"]["s_per_gb"]["p95"]) for c in made["clusters"]]
    assert rates == [(1, 9.0), (4, 3.0)]
    assert made["read"]["s_per_gb"]["p95"] == 9.0
    assert {c["write"] for c in made["clusters"]} == {None}


def test_an_executor_that_was_there_before_the_application_started_at_once() -> None:
    assert starting_s(application(added_ms=[-5])) == 0
    assert starting_s(application(added_ms=[])) is None


@pytest.mark.parametrize("change", [{"start_up_s": 1.0}, {"charges": {"read": 0.1}}])
def test_the_id_is_that_of_the_content(change: dict[str, Any]) -> None:
    runs = [ProfiledRun(application([reading(1, GB, 0, 9)]), VM, 2)]
    assert profile(runs) == profile(runs)
    assert profile(runs)["id"] != profile(runs, **change)["id"]
