"""The runs of one application together: what they tell is worked out once for all of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from r2d2.vmcost.advice.degradation.model import Degradation
from r2d2.vmcost.advice.right_size.ernest import FEWEST_RUNS, Ernest, fit_ernest
from r2d2.vmcost.advice.right_size.runs import measured_run, replay_ratios
from r2d2.vmcost.advice.slow_hosts import degradation
from r2d2.vmcost.model import Application

MOST_REPLAYED = 8
"""So many runs, the latest, are replayed as each other: 56 times."""
SHOWN = 20


@dataclass(frozen=True)
class Runs:
    """The applications of one name. That they are the same work is the name's word."""

    applications: tuple[Application, ...]

    @cached_property
    def degradation(self) -> Degradation:
        """Hosts and stages that stay behind what they can do."""
        return degradation(self.applications)

    @cached_property
    def ernest(self) -> Ernest | None:
        """The model of the runs; None where they are too few, or of too few sizes."""
        sizes = [
            measured_run(one, self.scales[place])
            for place, one in enumerate(self.applications)
            if len(one.tasks)
        ]
        different = {(run.scale, run.machines) for run in sizes}
        return fit_ernest(sizes) if len(different) >= FEWEST_RUNS else None

    @cached_property
    def scales(self) -> tuple[float, ...]:
        """GB that each run's tasks read; 1 for all where Spark counted none of one's."""
        sizes = tuple(int(one.tasks["input_bytes"].sum()) / 1e9 for one in self.applications)
        return sizes if all(sizes) else (1.0,) * len(sizes)

    @cached_property
    def ratios(self) -> tuple[float, ...]:
        """Measured over replayed time, of the latest runs as each other."""
        latest = sorted(self.applications, key=lambda one: one.started_ms)[-MOST_REPLAYED:]
        return replay_ratios(latest)

    def scale(self, application: Application) -> float:
        """GB that the application's tasks read, as in `scales`."""
        return self.scales[self.applications.index(application)]


def by_name(applications: Sequence[Application]) -> Mapping[str, Runs]:
    """The runs of each name."""
    found: dict[str, list[Application]] = defaultdict(list)
    for one in applications:
        found[one.name].append(one)
    return {name: Runs(tuple(own)) for name, own in found.items()}


def degradation_data(runs: Mapping[str, Runs]) -> list[dict[str, Any]]:
    """Of names with several runs: their hosts, and P of the stages that stay furthest behind."""
    return [
        {
            "name": name,
            "runs": len(own.applications),
            "basis": own.degradation.figure,
            "hosts": [asdict(host) for host in own.degradation.hosts],
            "stage_hosts": [
                asdict(one)
                for one in sorted(own.degradation.stage_hosts, key=lambda one: one.performance)
            ][:SHOWN],
            "stage_runs": [
                asdict(one)
                for one in sorted(own.degradation.stage_runs, key=lambda one: one.performance)
            ][:SHOWN],
        }
        for name, own in sorted(runs.items())
        if len(own.applications) > 1
    ]
