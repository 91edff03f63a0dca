"""Which machines of the price list an application's hosts could have been."""

from collections import defaultdict
from dataclasses import dataclass

from r2d2.vmcost.machines.stated import Stated
from r2d2.vmcost.model import Application, Executor, Price, PriceKind
from r2d2.vmcost.prices import PriceList


@dataclass(frozen=True, slots=True)
class Need:
    """What the executors of one host own at once, at most; memory None where it is not told."""

    cores: int
    mem_mib: int | None


@dataclass(frozen=True, slots=True)
class FittingMachine:
    """A machine on which the fullest host's executors fit, and what it leaves over."""

    price: Price
    spare_cores: int
    spare_mib: int | None


def need_of(app: Application) -> Need:
    """The most cores and the most memory that executors of one host had at one time."""
    hosts: dict[str, list[Executor]] = defaultdict(list)
    for executor in app.executors:
        hosts[executor.host].append(executor)
    at_once = [_alive(host, one.added_ms) for host in hosts.values() for one in host]
    told = all(one.memory_mib is not None for one in app.executors)
    return Need(
        max((sum(one.cores for one in alive) for alive in at_once), default=0),
        max((sum(one.memory_mib or 0 for one in alive) for alive in at_once), default=0)
        if told and at_once
        else None,
    )


def candidates(app: Application, stated: Stated, prices: PriceList) -> tuple[FittingMachine, ...]:
    """All machines that fit, those that leave the fewest cores over first, then the cheapest.

    Only those of the stated provider and region, and of the stated kind of price, are listed.
    """
    need = need_of(app)
    if not need.cores:
        return ()
    kind = PriceKind.SPOT if stated.spot else PriceKind.ON_DEMAND
    fitting = [
        FittingMachine(row, row.vcpu - need.cores, _spare_mib(row, need))
        for row in prices.rows
        if row.kind is kind and _is_there(row, stated) and _fits(row, need) and row.vcpu
    ]
    return tuple(sorted(fitting, key=_order))


def _order(one: FittingMachine) -> tuple[object, ...]:
    row = one.price
    return one.spare_cores, row.usd_per_hour, row.provider, row.region, row.sku


def _alive(host: list[Executor], moment_ms: int) -> list[Executor]:
    return [
        one
        for one in host
        if one.added_ms <= moment_ms and (one.removed_ms is None or moment_ms < one.removed_ms)
    ]


def _is_there(row: Price, stated: Stated) -> bool:
    return _same(row.provider, stated.provider) and _same(row.region, stated.region)


def _same(name: str, stated: str | None) -> bool:
    return stated is None or name.casefold() == stated.casefold()


def _fits(row: Price, need: Need) -> bool:
    if row.vcpu is None or row.vcpu < need.cores:
        return False
    return need.mem_mib is None or (row.mem_mib is not None and row.mem_mib >= need.mem_mib)


def _spare_mib(row: Price, need: Need) -> int | None:
    if need.mem_mib is None or row.mem_mib is None:
        return None
    return row.mem_mib - need.mem_mib
