"""Bottom-k sketches of tables' row hashes, which refute containment.

A sketch holds every hash of its table up to a threshold, so a child's hash at or below parent's
threshold that parent's sketch lacks is a row parent lacks (cf. Cohen & Kaplan, PODC 2007).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.runs import merge, smallest


@dataclass(frozen=True, slots=True, eq=False)
class BottomKSketch:
    """The smallest row hashes of a table as a run; `complete`: all of its hashes are in it."""

    run: Lanes
    complete: bool


def sketch(run: Lanes, k: int) -> BottomKSketch:
    """The sketch of the k smallest hashes of a table whose hashes are this run."""
    return BottomKSketch(smallest(run, k), len(run) <= k)


def merge_sketches(sketches: Sequence[BottomKSketch], k: int) -> BottomKSketch:
    """The sketch of all the tables' rows together; a sketch of no tables is complete."""
    merged = merge([part.run for part in sketches])
    for part in sketches:
        merged = merged.part(0, _known_up_to(merged, part))
    complete = len(merged) <= k and all(part.complete for part in sketches)
    return BottomKSketch(smallest(merged, k), complete)


def judged_by(child: BottomKSketch, parent: BottomKSketch) -> Lanes:
    """The child's hashes of which parent's sketch tells whether its table has them."""
    return child.run if parent.complete else child.run.part(0, _known_up_to(child.run, parent))


def _known_up_to(run: Lanes, judge: BottomKSketch) -> int:
    """How many of the run's hashes are at most the threshold of the judging sketch."""
    if judge.complete:
        return len(run)
    if not len(judge.run):
        return 0
    last_first, last_second = judge.run.first[-1], judge.run.second[-1]
    start, stop = (int(np.searchsorted(run.first, last_first, side)) for side in ("left", "right"))
    return start + int(np.searchsorted(run.second[start:stop], last_second, "right"))
