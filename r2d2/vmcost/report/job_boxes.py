"""The jobs above the hosts: a box each, in rows where they overlap; as one where they are many."""

from collections.abc import Sequence
from dataclasses import dataclass

from r2d2.vmcost.report.figures import Data, duration
from r2d2.vmcost.report.lanes import union
from r2d2.vmcost.report.scale import Scale

JOB_ROW, JOB_ROWS, MOST_JOBS = 12.0, 3, 400
LEAST_WIDTH = 0.8


@dataclass(frozen=True, slots=True)
class JobBox:
    """A job, or the time of many, as a rectangle; `tone` alternates so that neighbours differ."""

    x: float
    y: float
    width: float
    tone: int
    title: str


def job_boxes(jobs: Sequence[Data], scale: Scale, top: float) -> tuple[JobBox, ...]:
    """The jobs whose start is known, from `top` down; without an end they run to the axis' end."""
    timed = sorted(
        (job["start_s"], scale.end_s if job["end_s"] is None else job["end_s"], number)
        for number, job in enumerate(jobs)
        if job["start_s"] is not None
    )
    if len(timed) > MOST_JOBS:
        title = f"some of {len(timed):,} jobs ran"
        return tuple(_box(scale, span, top, 0, title) for span in union(timed))
    row_ends = [float("-inf")] * JOB_ROWS
    boxes = []
    for tone, (start_s, end_s, number) in enumerate(timed):
        row = next((r for r, end in enumerate(row_ends) if end <= start_s), JOB_ROWS - 1)
        row_ends[row] = max(row_ends[row], end_s)
        y = top + row * JOB_ROW
        boxes.append(_box(scale, (start_s, end_s), y, tone % 2, _title(jobs[number], end_s)))
    return tuple(boxes)


def _title(job: Data, end_s: float) -> str:
    name = f" {job['name']}" if job["name"] else ""
    return f"job {job['job']}{name}: {duration(job['start_s'])} to {duration(end_s)}"


def _box(scale: Scale, span: tuple[float, float], y: float, tone: int, title: str) -> JobBox:
    left = scale.x(span[0])
    return JobBox(left, y, max(round(scale.x(span[1]) - left, 1), LEAST_WIDTH), tone, title)
