"""A host's time as shapes: when it was rented, how busy it was, what failed.

Shapes are SVG paths of rectangles, equal neighbours drawn as one, so that a picture of hundreds of
hosts stays small.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from statistics import fmean

from r2d2.report.words import pluralize
from r2d2.vmcost.report.figures import Data, count, duration, share
from r2d2.vmcost.report.scale import Scale

SHADES = 8
QUARTERS = 4


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


def lane(host: Data, bin_s: float, bins: int, scale: Scale, y: float, height: float) -> Lane:
    """The host drawn with at most `bins` steps of time; paths are relative to `y`."""
    width_s, busy = _coarser(host["busy"], bin_s, bins)
    _, failed = _coarser(host["failed"], bin_s, bins)
    shades = [min(ceil(fraction * SHADES - 1e-6), SHADES) for fraction in busy]
    runs = list(_runs(shades, width_s))
    return Lane(
        host["host"],
        lane_title(host, bin_s),
        y,
        False,
        _path(scale, ((*span, 0.0, height) for span in host["rented"])),
        tuple((s, _path(scale, _boxes(runs, s, height))) for s in sorted(set(shades) - {0})),
        _path(scale, _failed_boxes(failed, width_s, height)),
    )


def lane_title(host: Data, bin_s: float) -> str:
    """The host's figures in words: cores, rented time, how busy it was while rented."""
    rented_s = sum(end - start for start, end in host["rented"])
    busy_s, failed_s = sum(host["busy"]) * bin_s, sum(host["failed"]) * bin_s
    told = f"{host['host']}: {pluralize(count(host['cores']), 'core')}, rented {duration(rented_s)}"
    if rented_s:
        told += f", in tasks {share(min(busy_s / rented_s, 1))}"
    return told + (f", in failed ones {share(min(failed_s / rented_s, 1))}" if failed_s else "")


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
