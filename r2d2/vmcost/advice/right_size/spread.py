"""How far run times scatter about what a model says, as odds to end within a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log, sqrt

import numpy as np
from scipy.special import ndtr, stdtr

from r2d2.errors import UsageError
from r2d2.report.words import by_number, pluralize

EMPIRICAL_FROM = 20
"""From so many ratios on, their own quantiles are taken instead of a distribution's."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Ratios of measured to modelled run times, sorted, or a standard deviation that was given.

    `relative_sd` is the standard deviation of the ratios' logarithms, about that of the ratios.
    """

    ratios: tuple[float, ...]
    relative_sd: float

    @staticmethod
    def of(ratios: Sequence[float]) -> "Spread":
        """The spread of a model's own errors, e.g. of runs that it did not see.

        Raises:
            UsageError: there are fewer than two ratios, or one is not positive.
        """
        if len(ratios) < 2:
            raise UsageError(
                f"{pluralize(str(len(ratios)), 'ratio')} of measured to modelled time"
                f" {by_number(len(ratios), 'tells', 'tell')} no spread:"
                " give two or more runs, or a relative standard deviation"
            )
        if not all(isfinite(ratio) and ratio > 0 for ratio in ratios):
            raise UsageError(f"{list(ratios)}: ratios of run times must be numbers above 0")
        kept = tuple(sorted(float(ratio) for ratio in ratios))
        return Spread(kept, float(np.std(np.log(kept), ddof=1)))

    @staticmethod
    def of_repeats(seconds: Sequence[float]) -> "Spread":
        """The spread of runs of the same work on the same machines about their mean.

        Raises:
            UsageError: there are fewer than two runs, or one took no time.
        """
        return Spread.of([one * len(seconds) / sum(seconds) if one else 0.0 for one in seconds])

    @staticmethod
    def given(relative_sd: float) -> "Spread":
        """A spread that the user states, e.g. 0.1 for run times that vary by a tenth.

        Raises:
            UsageError: it is negative or not finite.
        """
        if not isfinite(relative_sd) or relative_sd < 0:
            raise UsageError(f"{relative_sd}: a standard deviation must be 0 or above")
        return Spread((), float(relative_sd))

    @property
    def method(self) -> str:
        """How the odds are reckoned: `empirical`, `student` or `normal`."""
        if len(self.ratios) >= EMPIRICAL_FROM:
            return "empirical"
        return "student" if self.ratios else "normal"

    def probability_within(self, expected_s: float, limit_s: float) -> float:
        """P(run time ≤ limit) where the model says `expected_s`.

        With n ≥ 20 ratios: the share k / (n + 1) of them that stay within, which allows for a run
        worse than all. With fewer: Student's t with n - 1 degrees of freedom on the logarithms, as
        for one more run, so that few runs cost confidence. With a given standard deviation: the
        normal distribution of the logarithm, with a mean of 0. A model that says 0 seconds says
        nothing, and nothing is promised of it.
        """
        if limit_s <= 0 or expected_s <= 0:
            return 0.0
        allowed, runs = limit_s / expected_s, len(self.ratios)
        if runs >= EMPIRICAL_FROM:
            return int(np.searchsorted(self.ratios, allowed, side="right")) / (runs + 1)
        mean = float(np.mean(np.log(self.ratios))) if runs else 0.0
        scale = self.relative_sd * (sqrt(1 + 1 / runs) if runs else 1.0)
        beyond = log(allowed) - mean
        if scale == 0:
            return float(beyond >= 0)
        return float(stdtr(runs - 1, beyond / scale) if runs else ndtr(beyond / scale))
