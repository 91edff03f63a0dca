"""The time axis: where seconds lie in a picture, and the moments that it names."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from math import ceil, floor

_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)
_HOURS = (3600, 7200, 10800, 21600, 43200)
MOST_TICKS = 10


@dataclass(frozen=True, slots=True)
class Tick:
    """A named moment of the axis; `x` in the picture's units."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Seconds since the application's start, from `start_s` to `end_s`, laid from `left` on."""

    start_s: float
    end_s: float
    left: float
    width: float

    def x(self, second: float) -> float:
        """Where a second lies, within the picture, to a tenth of its unit."""
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


def _steps_s() -> Iterator[float]:
    yield from (digit * 10.0**power for power in (-4, -3, -2, -1) for digit in (1, 2, 5))
    yield from _SECONDS
    yield from _HOURS
    yield from (digit * 86400 * 10**power for power in count() for digit in (1, 2, 5))


def _text(second: float, step_s: float) -> str:
    if not second:
        return "0"
    for unit_s, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if step_s >= unit_s:
            return f"{second / unit_s:g} {name}"
    return f"{round(second, 4):g} s"
