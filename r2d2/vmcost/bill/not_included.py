"""Costs besides the bill, as sentences, each with the size that it usually has."""

from collections.abc import Iterator
from fractions import Fraction

from r2d2.vmcost.bill.model import (
    DATAPROC,
    DBU,
    EMR_SHARE,
    HOURS_PER_MONTH,
    Bill,
    Rate,
    disk_of,
    vm_rate,
)
from r2d2.vmcost.bill.task_time import executor_intervals_ms
from r2d2.vmcost.machines import is_local
from r2d2.vmcost.model import (
    SECONDS_PER_HOUR,
    Application,
    Billing,
    Cluster,
    Platform,
    Price,
    PriceKind,
)
from r2d2.vmcost.prices import NoPriceError, PriceList

USUAL_DISK_GB = 100
"""Of a VM, to say what disks would cost where nobody says how large they are."""


def not_included(
    app: Application, cluster: Cluster | None, prices: PriceList, billing: Billing, made: Bill
) -> Iterator[str]:
    """What is paid besides the bill; `billing` has the service that the log names."""
    if cluster is None or made.usd is None:
        return
    if billing.service and not _uplift(made):
        yield from _fee_left_out(billing.service, cluster, prices, billing, made)
    worker = next((rate for rate in made.rates if rate.sku == cluster.vm), None)
    if cluster.driver_vm is None and not is_local(app):
        like_a_worker = _usd(worker, app.ended_ms - app.started_ms, " (one like a worker: {})")
        yield f"the driver's VM: name it with --driver-vm{like_a_worker}"
    if cluster.count is None and (lives := executor_intervals_ms(app)).size:
        before_ms = int(lives[:, 0].min()) - app.started_ms
        after_ms = app.ended_ms - int(lives[:, 1].max())
        if before_ms or after_ms:
            each = _usd(worker, before_ms + after_ms, " ({} each)")
            yield (
                f"{before_ms / 1000:.1f} s before the first executor and {after_ms / 1000:.1f} s"
                f" after the last one, if VMs stood then{each}: give"
                " --count, or start_up_s, idle_tail_s"
            )
    yield "network and storage requests" if billing.disk_gb else _disks(cluster, made)


def _uplift(made: Bill) -> bool:
    """Whether the bill has a fee of the service's already."""
    fees = [price for rate in made.rates for price in rate.fees]
    return any(price.kind is PriceKind.UPLIFT and not _is_disk(price) for price in fees)


def _is_disk(price: Price) -> bool:
    disk = disk_of(price.provider)
    return price.sku.startswith("disk of") or (disk is not None and price.sku == disk.name)


def _usd(rate: Rate | None, time_ms: int, text: str) -> str:
    """The text with the price of so long; empty where it is not known."""
    return "" if rate is None else text.format(f"${float(rate.usd(Fraction(time_ms, 1000))):.4f}")


def _disks(cluster: Cluster, made: Bill) -> str:
    rented_s = sum((vm.billed_s for vm in made.vms), Fraction(0))
    disk = disk_of(cluster.provider)
    if disk is None:
        return "disks, network and storage requests"
    hours = rented_s * made.vm_share / SECONDS_PER_HOUR
    usd = float(USUAL_DISK_GB * disk.usd * hours / HOURS_PER_MONTH)
    return (
        f"disks, network and storage requests ({USUAL_DISK_GB} GB of {disk.name} on each VM, at"
        f" ${float(disk.usd):g} a GB-month, are ${usd:.4f}: give disk_gb)"
    )


def _fee_left_out(
    platform: Platform, cluster: Cluster, prices: PriceList, billing: Billing, made: Bill
) -> Iterator[str]:
    """The fee of the service, unless it is in the bill."""
    if platform is Platform.DATABRICKS:
        if billing.dbu_usd is None:
            yield _dbus_left_out(cluster, prices, made)
    elif billing.uplift_usd_per_node_hour:
        return
    elif platform is Platform.EMR:
        usd = float(EMR_SHARE * _on_demand_usd(cluster, prices, made))
        size = f"usually a quarter of the VMs' price on demand, here ${usd:.4f}"
        yield f"EMR's fee, {size}: give an uplift"
    elif platform is Platform.DATAPROC:
        vcpus = {rate.sku: rate.machine.vcpu or 0 for rate in made.rates}
        core_s = sum((vm.billed_s * vcpus.get(vm.sku or "", 0) for vm in made.vms), Fraction(0))
        usd = float(core_s * made.vm_share * DATAPROC.usd / SECONDS_PER_HOUR)
        yield f"Dataproc's fee, usually $0.010 a vCPU-hour, here ${usd:.4f}: give an uplift"
    elif platform is Platform.SYNAPSE:
        yield "Synapse's own rate, by the vCore-hour in place of the VMs: give it with --prices"


def _dbus_left_out(cluster: Cluster, prices: PriceList, made: Bill) -> str:
    """The DBUs that are not in the bill, or the rate at which they are."""
    without = [
        rate.sku for rate in made.rates if all(fee.kind is not PriceKind.DBU for fee in rate.fees)
    ]
    if not without:
        return (
            f"Databricks at another rate than {DBU.name} (${float(DBU.usd):g}): give dbu_usd;"
            " all-purpose compute is usually $0.40 to $0.55"
        )
    dbu = prices.fee(cluster.provider, cluster.region, without[0], PriceKind.DBU)
    rate = f"{float(dbu.usd_per_hour):g} DBUs an hour of {without[0]}" if dbu else "its DBUs"
    return f"Databricks' fee, {rate}: give dbu_usd, usually $0.07 to $0.70"


def _on_demand_usd(cluster: Cluster, prices: PriceList, made: Bill) -> Fraction:
    """The price of the billed time on demand, without fees; 0 where the list does not have it."""
    usd = Fraction(0)
    place = (cluster.provider, cluster.region)
    for vm in made.vms:
        try:
            row = vm_rate(place, vm.sku or "", prices, Billing())
        except NoPriceError:
            continue
        share = Fraction(1) if vm.driver else made.vm_share
        usd += vm.billed_s * share * row.machine.usd_per_hour / SECONDS_PER_HOUR
    return usd
