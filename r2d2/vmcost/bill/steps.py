"""Step functions of time in whole units, and what they amount to between two moments."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.bill.intervals import Interval

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Steps:
    """A rate of units per millisecond on each stretch between neighbouring times, 0 outside.

    `sums[i]` is what came together up to `times[i]`.
    """

    times: Integers
    rates: Integers
    sums: Integers

    @staticmethod
    def of(times: Integers, rates: Integers) -> "Steps":
        """Rates on the stretches between times in rising order, one fewer than times."""
        sums = np.zeros(len(times), np.int64)
        np.cumsum(rates * np.diff(times), out=sums[1:])
        return Steps(times, rates, sums)

    def until(self, moments: Integers) -> Integers:
        """Units from the beginning to each moment."""
        if not len(self.rates):
            return np.zeros(len(moments), np.int64)
        inside = np.clip(moments, self.times[0], self.times[-1])
        at = np.searchsorted(self.times[1:-1], inside, side="right")
        return self.sums[at] + (inside - self.times[at]) * self.rates[at]

    def between(self, starts: Integers, ends: Integers) -> Integers:
        """Units from each start to its end."""
        return self.until(ends) - self.until(starts)


def cut(bounds: Interval, *moments: Iterable[int] | Integers) -> Integers:
    """The bounds and all moments between them, in order, each once."""
    inner = np.concatenate([np.asarray(some, np.int64).reshape(-1) for some in (*moments, bounds)])
    return np.unique(inner[(inner >= bounds[0]) & (inner <= bounds[1])])


def level(times: Integers, starts: Integers, ends: Integers, weights: Integers) -> Integers:
    """On each stretch between neighbouring times, the weights of the intervals that cover it.

    Every start and end is one of the times, or outside of them.
    """
    begun = _weight_until(times[:-1], starts, weights)
    over = _weight_until(times[:-1], ends, weights)
    return begun - over


def _weight_until(moments: Integers, events: Integers, weights: Integers) -> Integers:
    order = np.argsort(events, kind="stable")
    sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(weights[order])])
    return sums[np.searchsorted(events[order], moments, side="right")]


def covered(times: Integers, intervals: tuple[Interval, ...]) -> npt.NDArray[np.bool_]:
    """For each stretch between neighbouring times, whether the disjoint intervals cover it."""
    if not intervals:
        return np.zeros(max(0, len(times) - 1), np.bool_)
    edges = np.asarray(intervals, np.int64)
    starts, ends = edges[:, 0], edges[:, 1]
    return level(times, starts, ends, np.ones(len(edges), np.int64)) > 0
