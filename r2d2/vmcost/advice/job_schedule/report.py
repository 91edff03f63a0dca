"""The cheapest VMs for a pipeline whose jobs' logs are read, for a report."""

from collections.abc import Sequence

from r2d2.errors import UsageError
from r2d2.vmcost.advice.job_schedule import best_schedule
from r2d2.vmcost.advice.job_schedule.model import Lateness, Machine, PipelineJob
from r2d2.vmcost.advice.right_size.run_time import ReplayTime
from r2d2.vmcost.bill import Rate, vm_rate
from r2d2.vmcost.model import Application, PriceKind
from r2d2.vmcost.prices import PriceList
from r2d2.vmcost.report.data import Costed, Data
from r2d2.vmcost.settings import JobSettings, PipelineSettings, VmCostSettings


def pipeline_data(
    costed: Sequence[Costed],
    wanted: PipelineSettings,
    prices: PriceList,
    settings: VmCostSettings,
) -> Data:
    """The cheapest schedule of the pipeline's jobs.

    A job's time on a VM of a type is its last run's, replayed on the VM's cores.

    Raises:
        UsageError: a job's application is in no log, or the provider or region is not known.
    """
    machines = _machines(costed, wanted.vms, prices, settings)
    jobs = [_job(job, costed, machines) for job in settings.job]
    schedule = best_schedule(
        jobs,
        [Machine(rate.sku, rate.usd_per_hour) for rate in machines],
        round(wanted.deadline_s * 1000),
        Lateness(wanted.late_usd, wanted.late_usd_per_hour),
        settings.billing,
    )
    return {
        "told": schedule.verdict,
        "basis": "modelled",
        "usd": float(schedule.usd),
        "penalty_usd": float(schedule.penalty_usd),
        "end_s": schedule.end_ms / 1000,
        "exact": schedule.exact,
        "jobs": [
            {
                "job": placed.job,
                "vm": schedule.rentals[placed.rental].sku,
                "rental": placed.rental,
                "start_s": placed.start_ms / 1000,
                "end_s": placed.end_ms / 1000,
            }
            for placed in schedule.placed
        ],
    }


def _machines(
    costed: Sequence[Costed], vms: Sequence[str], prices: PriceList, settings: VmCostSettings
) -> list[Rate]:
    """The VM types at their rate, where the first known cluster, or what is stated, is."""
    clusters = [each.facts.cluster for each in costed if each.facts.cluster is not None]
    stated = settings.cluster
    provider = stated.provider or next((cluster.provider for cluster in clusters), None)
    region = stated.region or next((cluster.region for cluster in clusters), None)
    if provider is None or region is None:
        raise UsageError("[pipeline]: give provider and region in [cluster]")
    kind = PriceKind.SPOT if stated.spot else PriceKind.ON_DEMAND
    billing = costed[0].billing if costed else settings.billing
    return [vm_rate((provider, region), name, prices, billing, kind) for name in vms]


def _job(job: JobSettings, costed: Sequence[Costed], rates: Sequence[Rate]) -> PipelineJob:
    application = _application(job, costed)
    time, machines = ReplayTime.of(application), [rate.machine for rate in rates]
    run_ms = {
        price.sku: max(1, round(time.expected(price, 1).seconds * 1000))
        for price in machines
        if time.unfit_reason(price) is None
    }
    if not run_ms:
        reasons = "; ".join(f"{price.sku}: {time.unfit_reason(price)}" for price in machines)
        raise UsageError(f"[[job]] {job.name}: fits no VM of [pipeline]: {reasons}")
    return PipelineJob(job.name, job.after, run_ms)


def _application(job: JobSettings, costed: Sequence[Costed]) -> Application:
    """The last run whose id or name is the job's."""
    runs = [
        each.application
        for each in costed
        if job.application in (each.application.id, each.application.name)
    ]
    if not runs:
        known = ", ".join(sorted({each.application.name for each in costed}))
        raise UsageError(f"[[job]] {job.name}: no run of {job.application!r}; there are: {known}")
    return max(runs, key=lambda run: run.started_ms)
