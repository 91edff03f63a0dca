"""The bill of an application's machines: an exact partition of rented time into money.

A VM's money is billed seconds · (price + fees) / 3600, with billed seconds of each of its rentals
ceil(max(minimum, metered) / quantum) · quantum. Its metered time falls into

    start_up            before its first executor, and the lead that `Billing` adds
    busy                cores in tasks that succeeded, speculative copies too
    failed              cores in tasks that failed or were killed
    idle_in_jobs        cores without a task, or the whole VM between executors, while a job runs
    idle_between_jobs   the same while none runs, and the tail that `Billing` adds
    stranded            cores that no executor owns while another one lives on the VM
    rounding            what is billed beyond the metered time

and the driver's own VM into `driver` and `rounding`. While executors own c of v cores, a core takes
1/max(v, c) of the VM. Tasks that overlap more than their executor's cores allow share them equally.

`Bill.problems` counts, besides what `events.problems` lists:

| key | counts |
|---|---|
| `core_ms_beyond_cores` | core-milliseconds of tasks beyond the cores, which they share |
| `executor_outside_application` | executors that did not live within the application's time |
| `host_beyond_count` | hosts beyond the stated number of VMs, billed by their executors' time |
| `no_executor_ran` | 1 where no executor lived within the application: no worker is paid for |
| `pod_laid_on_vm` | Kubernetes' pods laid on the stated VMs, which the log does not name |
| `pod_priced_by_share` | pods that pay for the share of a VM that they ask for |
| `spot_priced_on_demand_at_most` | spot VMs without a spot price: the price on demand is a bound |
| `task_outlasts_executor` | tasks that began before or ended after their executor |
| `vm_cores_exceeded` | VMs whose executors owned more cores than the VM has |
| `vm_cores_unknown` | VMs of a type whose vCPUs the price list does not tell |
| `vm_kept_between_executors` | VMs to which executors came again: kept meanwhile, to the end |
| `vm_rented_anew` | VMs that were rented more than once, each time at the minimum or more |
| `vm_without_executor` | stated VMs on which no executor ran |
"""

from r2d2.vmcost.bill.bill import (
    bill,
    micro_usd,
    printed_total_usd,
    printed_usd,
)
from r2d2.vmcost.bill.model import (
    MOST_LISTED,
    OTHERS,
    Amount,
    Bill,
    ExecutorTime,
    HostTime,
    Part,
    Rate,
    Share,
    VmBill,
    rate_of,
    vm_rate,
    worker_rate,
)
from r2d2.vmcost.bill.not_included import not_included
from r2d2.vmcost.bill.timeline import most_at_once

__all__ = [
    "MOST_LISTED",
    "OTHERS",
    "Amount",
    "Bill",
    "ExecutorTime",
    "HostTime",
    "Part",
    "Rate",
    "Share",
    "VmBill",
    "bill",
    "micro_usd",
    "most_at_once",
    "not_included",
    "printed_total_usd",
    "printed_usd",
    "rate_of",
    "vm_rate",
    "worker_rate",
]
