"""On which machines an application ran: what is stated, what its log tells, or what would fit.

find_facts(app, stated: Stated, prices, source="flags") -> Facts
Facts.cluster: Cluster | None           None: Facts.missing names what nobody tells
Facts.candidates: tuple[Candidate, ...]   then the machines that fit: .price, .spare_cores, …
Facts.problems: tuple[str, ...]         contradictions and what was left open, as sentences
Stated(provider=None, region=None, vm=None, count=None, driver_vm=None, spot=None)
Stated.over(other: Stated) -> Stated    flags over a file
"""

from r2d2.vmcost.machines.candidates import FittingMachine, Need, candidates, need_of
from r2d2.vmcost.machines.databricks import databricks_facts
from r2d2.vmcost.machines.find import KnownMachines, known_machines
from r2d2.vmcost.machines.stated import Stated

__all__ = [
    "FittingMachine",
    "KnownMachines",
    "Need",
    "Stated",
    "candidates",
    "databricks_facts",
    "known_machines",
    "need_of",
]
