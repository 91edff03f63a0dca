"""A run on its cluster, on serverless workers, and on whichever is cheaper for each step."""

from dataclasses import dataclass

from r2d2.report.words import by_number, pluralize
from r2d2.vmcost.advice.serverless import choose
from r2d2.vmcost.advice.serverless.model import Place, Plan, RentedCluster, Serverless
from r2d2.vmcost.advice.serverless.prices import break_even_utilisation
from r2d2.vmcost.advice.serverless.steps import steps_of
from r2d2.vmcost.model import Application


@dataclass(frozen=True, slots=True)
class ServerlessAdvice:
    """The same run in three ways, and where the two prices cross.

    `utilisation` is the share of the cluster's slots' time, over the run, that tasks took;
    `break_even_utilisation` is ρ*. `on_cluster` may let the cluster go in long gaps; `on_workers`
    has none, but still the driver.
    """

    cheapest: Plan
    on_cluster: Plan
    on_workers: Plan
    utilisation: float
    break_even_utilisation: float
    figure: str = "modelled"

    @property
    def verdict(self) -> str:
        """One sentence for the reader."""
        placed = [one.place for one in self.cheapest.placed if one.stages]
        moved = sum(place is Place.SERVERLESS for place in placed)
        return (
            f"{moved} of {pluralize(str(len(placed)), 'step')}"
            f" {by_number(moved, 'is', 'are')} cheaper on serverless workers:"
            f" ${float(self.cheapest.usd):.4f} and {self.cheapest.elapsed_ms / 1000:.1f} s, against"
            f" ${float(self.on_cluster.usd):.4f} and {self.on_cluster.elapsed_ms / 1000:.1f} s on"
            f" the cluster; tasks took {self.utilisation:.1%} of its slots' time, and it pays from"
            f" {self.break_even_utilisation:.1%} on (modelled)"
        )


def advise_serverless(
    application: Application,
    cluster: RentedCluster,
    serverless: Serverless,
    deadline_ms: int | None = None,
) -> ServerlessAdvice:
    """The cheapest place of each step of the application, beside all in one place.

    Raises:
        R2D2Error: no choice of places ends by the deadline.
    """
    steps = steps_of(application, serverless)
    break_even = break_even_utilisation(
        cluster.usd_per_hour, cluster.slots, serverless.rate, serverless.worker
    )
    return ServerlessAdvice(
        cheapest=choose(steps, cluster, serverless, deadline_ms),
        on_cluster=choose(steps, cluster, serverless, places=frozenset({Place.VM})),
        on_workers=choose(steps, cluster, serverless, places=frozenset({Place.SERVERLESS})),
        utilisation=_utilisation(application, cluster.slots),
        break_even_utilisation=float(break_even),
    )


def _utilisation(application: Application, slots: int) -> float:
    tasks = application.tasks
    busy_ms = int((tasks["finish_ms"] - tasks["launch_ms"]).sum())
    run_ms = application.ended_ms - application.started_ms
    return busy_ms / (slots * run_ms) if run_ms > 0 else 0.0
