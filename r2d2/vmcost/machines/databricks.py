"""What Databricks writes into a log's properties about the machines of its cluster."""

from collections.abc import Mapping

from r2d2.text_tables import pluralize
from r2d2.vmcost.machines.stated import Stated

TAGS = "spark.databricks.clusterUsageTags."


def databricks_facts(properties: Mapping[str, str]) -> tuple[Stated, tuple[str, ...]]:
    """The facts that the log tells, and what it leaves open; nothing for other logs.

    A cluster of fixed size has its number of workers; one that scales has none. A single node runs
    driver and tasks on one VM.
    """
    tags = {
        name.removeprefix(TAGS): value
        for name, value in properties.items()
        if name.startswith(TAGS) and value
    }
    if not tags:
        return Stated(), ()
    node, driver = tags.get("clusterNodeType"), tags.get("driverNodeType")
    workers = _number(tags.get("clusterWorkers") or tags.get("clusterTargetWorkers"))
    fixed = tags.get("clusterScalingType", "fixed_size") == "fixed_size"
    single = fixed and workers == 0
    spot = "SPOT" in tags.get("clusterAvailability", "").upper()
    facts = Stated(
        provider=tags["cloudProvider"].lower() if "cloudProvider" in tags else None,
        region=tags.get("dataPlaneRegion") or tags.get("region"),
        vm=(driver or node) if single else node,
        count=1 if single else workers if fixed else None,
        driver_vm=None if single else driver or node,
        spot=spot if "clusterAvailability" in tags else None,
    )
    return facts, _left_open(tags, spot)


def _left_open(tags: Mapping[str, str], spot: bool) -> tuple[str, ...]:
    """What the log says of the machines that one price for all workers and one fee do not."""
    said = []
    if tags.get("runtimeEngine", "").upper() == "PHOTON":
        said.append("the cluster runs Photon, which takes more DBUs an hour than a list without it")
    if not spot:
        return tuple(said)
    on_demand = (_number(tags.get("clusterFirstOnDemand")) or 0) - 1
    if on_demand > 0:
        said.append(
            f"the log's spot policy keeps {pluralize(str(on_demand), 'worker')} on demand;"
            " all cost spot here"
        )
    if "FALLBACK" in tags["clusterAvailability"].upper():
        said.append("the log's spot policy falls back to on demand; which it was it does not tell")
    return tuple(said)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
