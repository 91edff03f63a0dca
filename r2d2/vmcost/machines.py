"""The machines of an application: as stated, else as its log tells, else the ones that would fit.

Databricks alone writes its machines into a log. For other logs that nobody states the machines of,
all machines of the price list that fit are listed, and none is picked.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from r2d2.errors import UsageError
from r2d2.text_tables import listed, pluralize
from r2d2.vmcost.model import Application, Cluster, Executor, Platform, Price, PriceKind
from r2d2.vmcost.prices import PriceList

FLAGS = "flags"
LOG = "log"
TAGS = "spark.databricks.clusterUsageTags."


MOST_VMS = 10_000
"""Each VM has a bill of its own; no cluster of Spark's has had more."""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """Facts of a cluster that a user or a log names; None for what is not named.

    Raises:
        UsageError: there are fewer VMs than one, or too many, or a name is empty.
    """

    provider: str | None = None
    region: str | None = None
    vm: str | None = None
    count: int | None = None
    driver_vm: str | None = None
    spot: bool | None = None

    def __post_init__(self) -> None:
        if self.count is not None and not 1 <= self.count <= MOST_VMS:
            raise UsageError(f"count = {self.count}: give 1 or more, up to {MOST_VMS:,}")
        for name, value in self.by_name().items():
            if value == "":
                raise UsageError(f"{name} = '': give a name, or leave it out")

    def over(self, other: "ClusterFacts") -> "ClusterFacts":
        """These facts, and the other's where there are none."""
        named = {name: value for name, value in self.by_name().items() if value is not None}
        return replace(other, **named)

    def by_name(self) -> dict[str, Any]:
        """The facts under the names of their fields."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class HostNeed:
    """The most that the executors of one host own at once; memory None where it is not known."""

    cores: int
    mem_mib: int | None


@dataclass(frozen=True, slots=True)
class FittingMachine:
    """A machine on which the fullest host's executors fit, and what it leaves over."""

    price: Price
    spare_cores: int


@dataclass(frozen=True, slots=True)
class KnownMachines:
    """The cluster, or None and the machines that fit, in order.

    `missing` names what is not known of provider, region and VM type. `problems` are contradictions
    and what was left open, as sentences.
    """

    cluster: Cluster | None
    candidates: tuple[FittingMachine, ...]
    missing: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def why(self) -> str:
        """What is not known of the machines, and the flags that name it; empty where all is.

        >>> KnownMachines(None, (), ("provider", "region"), ()).why
        'provider and region are not known: name them with --provider and --region'
        """
        if not self.missing:
            return ""
        names = [{"vm": "the VM type"}.get(name, name) for name in self.missing]
        verb, pronoun = ("is", "it") if len(names) == 1 else ("are", "them")
        flags = [f"--{name}" for name in self.missing]
        return f"{listed(names)} {verb} not known: name {pronoun} with {listed(flags)}"


def known_machines(
    app: Application, stated: ClusterFacts, prices: PriceList, source: str = FLAGS
) -> KnownMachines:
    """The application's machines; `source` names where `stated` was stated: flags, a file.

    What is stated wins over the log; where they differ, a problem says so.
    """
    logged, left_open = databricks_facts(app.properties)
    problems = [*_contradictions(stated, logged, source), *left_open, *_unknown_resources(app)]
    known = stated.over(logged)
    needed = {"provider": known.provider, "region": known.region, "vm": known.vm}
    missing = tuple(name for name, value in needed.items() if value is None)
    if missing:
        return KnownMachines(None, candidates(app, known, prices), missing, tuple(problems))
    if known.driver_vm is None and not is_local(app):
        problems.append("no VM of the driver is named: nothing is paid for it")
    if is_local(app) and stated.driver_vm is None:
        known = replace(known, driver_vm=None)
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


def platform_of(app: Application) -> Platform | None:
    """The service that an application ran on, by the marks that each leaves in a log."""
    names = [name.casefold() for name in app.properties]
    if any(name.startswith("spark.databricks.") for name in names):
        return Platform.DATABRICKS
    if "amzn" in app.spark_version or any(name.startswith("spark.emr") for name in names):
        return Platform.EMR
    text = " ".join([*names, *(value.casefold() for value in app.properties.values())])
    if "dataproc" in text:
        return Platform.DATAPROC
    return Platform.SYNAPSE if "synapse" in text else None


def databricks_facts(properties: Mapping[str, str]) -> tuple[ClusterFacts, tuple[str, ...]]:
    """The facts in the properties of a Databricks log, and what they leave open; else nothing.

    A cluster of fixed size has its number of workers; one that scales has none. A single node runs
    driver and tasks on one VM.
    """
    tags = {
        name.removeprefix(TAGS): value
        for name, value in properties.items()
        if name.startswith(TAGS) and value
    }
    if not tags:
        return ClusterFacts(), ()
    node, driver = tags.get("clusterNodeType"), tags.get("driverNodeType")
    workers = _number(tags.get("clusterWorkers") or tags.get("clusterTargetWorkers"))
    fixed = tags.get("clusterScalingType", "fixed_size") == "fixed_size"
    single = fixed and workers == 0
    spot = "SPOT" in tags.get("clusterAvailability", "").upper()
    facts = ClusterFacts(
        provider=tags["cloudProvider"].lower() if "cloudProvider" in tags else None,
        region=tags.get("dataPlaneRegion") or tags.get("region"),
        vm=(driver or node) if single else node,
        count=1 if single else workers if fixed else None,
        driver_vm=None if single else driver or node,
        spot=spot if "clusterAvailability" in tags else None,
    )
    return facts, _left_open(tags, spot)


def _left_open(tags: Mapping[str, str], spot: bool) -> tuple[str, ...]:
    """Sentences on what one price for all workers and one fee cannot express."""
    sentences = []
    if tags.get("runtimeEngine", "").upper() == "PHOTON":
        sentences.append(
            "the cluster runs Photon, which takes more DBUs an hour than a list without it"
        )
    if not spot:
        return tuple(sentences)
    on_demand = (_number(tags.get("clusterFirstOnDemand")) or 0) - 1
    if on_demand > 0:
        sentences.append(
            f"the log's spot policy keeps {pluralize(str(on_demand), 'worker')} on demand;"
            " all cost spot here"
        )
    if "FALLBACK" in tags["clusterAvailability"].upper():
        sentences.append(
            "the log's spot policy falls back to on demand; which it was it does not tell"
        )
    return tuple(sentences)


def _unknown_resources(app: Application) -> list[str]:
    """A sentence for each resource profile whose executors ask for more than cores and memory."""
    asked = {(each.profile, each.resources) for each in app.executors if each.resources}
    return [
        f"executors of resource profile {profile} ask for {', '.join(resources)}: no VM of the"
        " price list is known to have it, in bill and advice"
        for profile, resources in sorted(asked)
    ]


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def is_local(app: Application) -> bool:
    """Whether driver and executor are one process."""
    return [executor.id for executor in app.executors] == ["driver"]


def _contradictions(stated: ClusterFacts, logged: ClusterFacts, source: str) -> list[str]:
    of_log = logged.by_name()
    return [
        f"{name}: the {source} say {value!r}, the log {of_log[name]!r}; {value!r} is taken"
        for name, value in stated.by_name().items()
        if value is not None
        and of_log[name] is not None
        and str(value).casefold() != str(of_log[name]).casefold()
    ]


def _source(stated: ClusterFacts, logged: ClusterFacts, source: str) -> str:
    if stated == ClusterFacts():
        return LOG
    return source if logged == ClusterFacts() else f"{source} over {LOG}"


def candidates(
    app: Application, stated: ClusterFacts, prices: PriceList
) -> tuple[FittingMachine, ...]:
    """All machines that fit, those that leave the fewest cores over first, then the cheapest.

    Only those of the stated provider and region, and of the stated kind of price, are listed.
    """
    need = host_need(app)
    if not need.cores:
        return ()
    kind = PriceKind.SPOT if stated.spot else PriceKind.ON_DEMAND
    fitting = [
        FittingMachine(row, row.vcpu - need.cores)
        for row in prices.rows
        if row.kind is kind and _is_there(row, stated) and _fits(row, need) and row.vcpu
    ]
    return tuple(sorted(fitting, key=_order))


def host_need(app: Application) -> HostNeed:
    """The most cores and the most memory that executors of one host had at one time."""
    hosts: dict[str, list[Executor]] = defaultdict(list)
    for executor in app.executors:
        hosts[executor.host].append(executor)
    at_once = [_alive(host, executor.added_ms) for host in hosts.values() for executor in host]
    known = all(executor.memory_mib is not None for executor in app.executors)
    return HostNeed(
        max((sum(each.cores for each in alive) for alive in at_once), default=0),
        max((sum(each.memory_mib or 0 for each in alive) for alive in at_once), default=0)
        if known and at_once
        else None,
    )


def _alive(host: list[Executor], moment_ms: int) -> list[Executor]:
    return [
        each
        for each in host
        if each.added_ms <= moment_ms and (each.removed_ms is None or moment_ms < each.removed_ms)
    ]


def _is_there(row: Price, stated: ClusterFacts) -> bool:
    return _same(row.provider, stated.provider) and _same(row.region, stated.region)


def _same(name: str, stated: str | None) -> bool:
    return stated is None or name.casefold() == stated.casefold()


def _fits(row: Price, need: HostNeed) -> bool:
    if row.vcpu is None or row.vcpu < need.cores:
        return False
    return need.mem_mib is None or (row.mem_mib is not None and row.mem_mib >= need.mem_mib)


def _order(machine: FittingMachine) -> tuple[object, ...]:
    row = machine.price
    return machine.spare_cores, row.usd_per_hour, row.provider, row.region, row.sku
