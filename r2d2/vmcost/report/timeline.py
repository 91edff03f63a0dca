"""The picture of hosts × time: jobs on top, a lane a host, an axis; sizes fit the number of hosts.

After utilization heat maps (Gregg, Visualizing System Latency, CACM 2010): time runs to the right,
a row is a machine, the darker the busier. Jobs are boxes in rows where they overlap, and one where
they are many. Shapes are SVG paths of rectangles, equal neighbours drawn as one, so that a picture
of hundreds of hosts stays small.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil, floor
from statistics import fmean

from r2d2.text_tables import duration, pluralize
from r2d2.vmcost.report.figures import Data, count, share

WIDTH, RIGHT = 1000.0, 14.0
NAME, LETTER = 22, 6.4
"""The letters of a host's name that are written, and the width of one."""
TALL, AXIS = 400.0, 20.0
"""Lanes that are taller together have an axis at their head too."""
LABEL, MOST_LANES = 11.0, 400
LEAST_BINS, MOST_BINS = 40, 400
LANE_HEIGHTS = ((12, 22.0), (40, 14.0), (120, 8.0), (MOST_LANES, 5.0))
JOB_ROW, JOB_ROWS, MOST_JOBS = 12.0, 3, 400
SHADES = 8
QUARTERS = 4
LEAST_WIDTH = 0.8
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)
_HOURS = (3600, 7200, 10800, 21600, 43200)
MOST_TICKS = 10


@dataclass(frozen=True, slots=True)
class Lane:
    """A host's row of the picture: `busy` are shades from 1 to SHADES with their paths."""

    host: str
    title: str
    y: float
    labelled: bool
    rented: str
    busy: tuple[tuple[int, str], ...]
    failed: str


@dataclass(frozen=True, slots=True)
class JobBox:
    """A job, or the time of many, as a rectangle; `tone` alternates so that neighbours differ."""

    x: float
    y: float
    width: float
    tone: int
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A named moment of the axis; `x` in the picture's units."""

    x: float
    text: str


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
    picture = application["timeline"]
    if not picture or not picture["hosts"]:
        return None
    hosts = grouped(picture["hosts"], MOST_LANES)
    height = next(tall for most, tall in LANE_HEIGHTS if len(hosts) <= most)
    pitch = height + (2 if height > 8 else 1)
    head = AXIS if len(hosts) * pitch > TALL else 0.0
    left = max(min(len(host["host"]), NAME) for host in hosts) * LETTER + 24
    scale = _scale(application, picture, left)
    jobs = job_boxes(picture["jobs"], scale, head)
    top = max((box.y + JOB_ROW for box in jobs), default=head) + 8
    bins = min(max(most_cells // len(hosts), LEAST_BINS), MOST_BINS)
    lanes = [
        lane(host, picture["bin_s"], bins, scale, round(top + number * pitch, 1), height)
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
        hosts=len(picture["hosts"]),
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """Seconds since the application's start, from `start_s` to `end_s`, laid from `left` on."""

    start_s: float
    end_s: float
    left: float
    width: float

    def x(self, second: float) -> float:
        """The position of a second, within the picture, to a tenth of its unit."""
        inside = min(max(second, self.start_s), self.end_s)
        return round(self.left + (inside - self.start_s) * self.width / self._span_s, 1)

    def ticks(self) -> tuple[Tick, ...]:
        """At most MOST_TICKS + 1 round moments."""
        step_s = next(step for step in _steps_s() if self._span_s / step <= MOST_TICKS)
        first, last = ceil(self.start_s / step_s), floor(self.end_s / step_s + 1e-9)
        moments = (number * step_s for number in range(first, last + 1))
        return tuple(Tick(self.x(second), _text(second, step_s)) for second in moments)

    @property
    def _span_s(self) -> float:
        return max(self.end_s - self.start_s, 1e-3)


def _scale(application: Data, picture: Data, left: float) -> Scale:
    spans = [span for host in picture["hosts"] for span in host["rented"]]
    start_s = min([0.0, *(start for start, _ in spans)])
    end_s = max([application["duration_s"], *(end for _, end in spans)])
    return Scale(start_s, end_s, left, WIDTH - left - RIGHT)


def _labelled(lanes: Sequence[Lane], pitch: float) -> tuple[Lane, ...]:
    """Names every lane, or as many as do not overlap."""
    every = ceil(LABEL / pitch)
    return tuple(replace(each, labelled=n % every == 0) for n, each in enumerate(lanes))


def lane(host: Data, bin_s: float, bins: int, scale: Scale, y: float, height: float) -> Lane:
    """The host drawn with at most `bins` steps of time; paths are relative to `y`."""
    width_s, busy = _coarser(host["busy"], bin_s, bins)
    _, failed = _coarser(host["failed"], bin_s, bins)
    shades = [min(ceil(fraction * SHADES - 1e-6), SHADES) for fraction in busy]
    runs = list(_runs(shades, width_s))
    return Lane(
        host["host"],
        _lane_title(host, bin_s),
        y,
        False,
        _path(scale, ((*span, 0.0, height) for span in host["rented"])),
        tuple((s, _path(scale, _boxes(runs, s, height))) for s in sorted(set(shades) - {0})),
        _path(scale, _failed_boxes(failed, width_s, height)),
    )


def _lane_title(host: Data, bin_s: float) -> str:
    """The host's figures in words: cores, rented time, how busy it was while rented."""
    rented_s = sum(end - start for start, end in host["rented"])
    busy_s, failed_s = sum(host["busy"]) * bin_s, sum(host["failed"]) * bin_s
    title = (
        f"{host['host']}: {pluralize(count(host['cores']), 'core')}, rented {duration(rented_s)}"
    )
    if rented_s:
        title += f", in tasks {share(min(busy_s / rented_s, 1))}"
    return title + (f", in failed ones {share(min(failed_s / rented_s, 1))}" if failed_s else "")


def grouped(hosts: Sequence[Data], most: int) -> list[Data]:
    """At most `most` hosts: where there are more, neighbours as one, weighted by their cores."""
    size = ceil(len(hosts) / most) if hosts else 1
    if size == 1:
        return list(hosts)
    return [_together(hosts[first : first + size]) for first in range(0, len(hosts), size)]


def _together(hosts: Sequence[Data]) -> Data:
    cores = [max(host["cores"], 1) for host in hosts]

    def mean(key: str) -> list[float]:
        bins = max(len(host[key]) for host in hosts)
        padded = [[*host[key], *[0.0] * (bins - len(host[key]))] for host in hosts]
        return [fmean(column, cores) for column in zip(*padded, strict=True)]

    return {
        "host": f"{pluralize(len(hosts), 'host')} from {hosts[0]['host']} to {hosts[-1]['host']}",
        "cores": sum(host["cores"] for host in hosts),
        "rented": union(span for host in hosts for span in host["rented"]),
        "busy": mean("busy"),
        "failed": mean("failed"),
    }


def union(spans: Iterable[Sequence[float]]) -> list[tuple[float, float]]:
    """The spans without overlaps, in order."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted((span[0], span[1]) for span in spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _coarser(fractions: Sequence[float], bin_s: float, most: int) -> tuple[float, list[float]]:
    size = max(ceil(len(fractions) / most), 1)
    if size == 1:
        return bin_s, list(fractions)
    starts = range(0, len(fractions), size)
    return bin_s * size, [fmean(fractions[first : first + size]) for first in starts]


def _runs(values: Sequence[int], width_s: float) -> Iterator[tuple[int, float, float]]:
    first = 0
    for value, group in groupby(values):
        last = first + len(list(group))
        yield value, first * width_s, last * width_s
        first = last


def _boxes(
    runs: Iterable[tuple[int, float, float]], shade: int, height: float
) -> Iterator[tuple[float, float, float, float]]:
    return ((start, end, 0.0, height) for value, start, end in runs if value == shade)


def _failed_boxes(
    failed: Sequence[float], width_s: float, height: float
) -> Iterator[tuple[float, float, float, float]]:
    """From the lane's foot, a quarter of its height at least."""
    quarters = [min(ceil(fraction * QUARTERS - 1e-6), QUARTERS) for fraction in failed]
    for value, start, end in _runs(quarters, width_s):
        if value:
            tall = height * value / QUARTERS
            yield start, end, height - tall, tall


def _path(scale: Scale, boxes: Iterable[tuple[float, float, float, float]]) -> str:
    parts = []
    for start_s, end_s, top, height in boxes:
        left, right = scale.x(start_s), scale.x(end_s)
        if right > left:
            wide = round(right - left, 1)
            parts.append(f"M{left:g} {top:g}h{wide:g}v{height:g}h-{wide:g}z")
    return "".join(parts)


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


def _steps_s() -> Iterator[float]:
    yield from (digit * 10.0**power for power in (-4, -3, -2, -1) for digit in (1, 2, 5))
    yield from _SECONDS
    yield from _HOURS
    yield from (digit * 86400 * 10**power for power in itertools.count() for digit in (1, 2, 5))


def _text(second: float, step_s: float) -> str:
    if not second:
        return "0"
    for unit_s, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if step_s >= unit_s:
            return f"{second / unit_s:g} {name}"
    return f"{round(second, 4):g} s"
