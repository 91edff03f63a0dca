"""The picture of hosts × time: jobs on top, a lane a host, an axis; sizes fit the number of hosts.

After utilization heat maps (Gregg, Visualizing System Latency, CACM 2010): time runs to the right,
a row is a machine, the darker the busier.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from r2d2.vmcost.report.figures import Data
from r2d2.vmcost.report.job_boxes import JOB_ROW, JobBox, job_boxes
from r2d2.vmcost.report.lanes import Lane, grouped, lane
from r2d2.vmcost.report.scale import Scale, Tick

WIDTH, RIGHT = 1000.0, 14.0
NAME, LETTER = 22, 6.4
"""How many letters of a host's name are written, and the width of one."""
TALL, AXIS = 400.0, 20.0
"""Lanes that are taller together have an axis at their head too."""
LABEL, MOST_LANES = 11.0, 400
LEAST_BINS, MOST_BINS = 40, 400
LANE_HEIGHTS = ((12, 22.0), (40, 14.0), (120, 8.0), (MOST_LANES, 5.0))


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything that the picture shows, in its own units; `head` is where its jobs begin."""

    height: float
    left: float
    head: float
    jobs: tuple[JobBox, ...]
    lanes: tuple[Lane, ...]
    lane_height: float
    ticks: tuple[Tick, ...]
    hosts: int
    width: float = WIDTH
    job_height: float = JOB_ROW - 2


def timeline(application: Data, most_cells: int) -> Timeline | None:
    """The application's picture of about `most_cells` cells; None where no host is known."""
    told = application["timeline"]
    if not told or not told["hosts"]:
        return None
    hosts = grouped(told["hosts"], MOST_LANES)
    height = next(tall for most, tall in LANE_HEIGHTS if len(hosts) <= most)
    pitch = height + (2 if height > 8 else 1)
    head = AXIS if len(hosts) * pitch > TALL else 0.0
    left = max(min(len(host["host"]), NAME) for host in hosts) * LETTER + 24
    scale = _scale(application, told, left)
    jobs = job_boxes(told["jobs"], scale, head)
    top = max((box.y + JOB_ROW for box in jobs), default=head) + 8
    bins = min(max(most_cells // len(hosts), LEAST_BINS), MOST_BINS)
    lanes = [
        lane(host, told["bin_s"], bins, scale, round(top + number * pitch, 1), height)
        for number, host in enumerate(hosts)
    ]
    return Timeline(
        height=top + len(lanes) * pitch + AXIS + 4,
        left=round(left, 1),
        head=head,
        jobs=jobs,
        lanes=_labelled(lanes, pitch),
        lane_height=height,
        ticks=scale.ticks(),
        hosts=len(told["hosts"]),
    )


def _scale(application: Data, told: Data, left: float) -> Scale:
    spans = [span for host in told["hosts"] for span in host["rented"]]
    start_s = min([0.0, *(start for start, _ in spans)])
    end_s = max([application["duration_s"], *(end for _, end in spans)])
    return Scale(start_s, end_s, left, WIDTH - left - RIGHT)


def _labelled(lanes: Sequence[Lane], pitch: float) -> tuple[Lane, ...]:
    """Names every lane, or as many as do not overlap."""
    every = ceil(LABEL / pitch)
    return tuple(replace(own, labelled=n % every == 0) for n, own in enumerate(lanes))
