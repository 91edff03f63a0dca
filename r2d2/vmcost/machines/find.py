"""The machines of an application: as stated, else as its log tells, else the ones that fit."""

from dataclasses import dataclass

from r2d2.vmcost.machines.candidates import FittingMachine, candidates
from r2d2.vmcost.machines.databricks import databricks_facts
from r2d2.vmcost.machines.stated import Stated
from r2d2.vmcost.model import Application, Cluster
from r2d2.vmcost.prices import PriceList

FLAGS = "flags"
LOG = "log"


@dataclass(frozen=True, slots=True)
class KnownMachines:
    """The cluster, or None and the machines that fit, in order; `problems` are to be read.

    `missing` names what nobody tells of provider, region and VM type.
    """

    cluster: Cluster | None
    candidates: tuple[FittingMachine, ...]
    missing: tuple[str, ...]
    problems: tuple[str, ...]


def known_machines(
    app: Application, stated: Stated, prices: PriceList, source: str = FLAGS
) -> KnownMachines:
    """What is known of the application's machines; `source` is where `stated` was stated.

    What is stated wins over the log; where they differ, a problem says so.
    """
    logged, left_open = databricks_facts(app.properties)
    problems = [*_contradictions(stated, logged, source), *left_open]
    known = stated.over(logged)
    needed = {"provider": known.provider, "region": known.region, "vm": known.vm}
    missing = tuple(name for name, value in needed.items() if value is None)
    if missing:
        return KnownMachines(None, candidates(app, known, prices), missing, tuple(problems))
    if known.driver_vm is None and not _local(app):
        problems.append("no VM of the driver is named: nothing is paid for it")
    if _local(app) and stated.driver_vm is None:
        known = Stated(**{**known.told(), "driver_vm": None})
    cluster = Cluster(
        known.provider or "",
        known.region or "",
        known.vm or "",
        known.count,
        known.driver_vm,
        bool(known.spot),
        _source(stated, logged, source),
    )
    return KnownMachines(cluster, (), (), tuple(problems))


def _local(app: Application) -> bool:
    return [one.id for one in app.executors] == ["driver"]


def _contradictions(stated: Stated, logged: Stated, source: str) -> list[str]:
    told = logged.told()
    return [
        f"{name}: the {source} say {value!r}, the log {told[name]!r}; {value!r} is taken"
        for name, value in stated.told().items()
        if value is not None
        and told[name] is not None
        and str(value).casefold() != str(told[name]).casefold()
    ]


def _source(stated: Stated, logged: Stated, source: str) -> str:
    if stated == Stated():
        return LOG
    return source if logged == Stated() else f"{source} over {LOG}"
