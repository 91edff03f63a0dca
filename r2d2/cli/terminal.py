"""The terminal: progress on stderr, work that Ctrl-C ends at once, output on stdout."""

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from tempfile import gettempdir
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from r2d2.errors import R2D2Error, UsageError
from r2d2.progress import Progress, Silence
from r2d2.text_tables import human_bytes, printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bars


LOG_EVERY_S = 10.0
EARLIEST, LATEST = 0.05, 1 / 3
"""The part that must be done before a time left is told: so much, where work comes in small steps,
and more where it comes in large ones; from the second on at any rate."""
STEPS, STEP_S, LEAST_S = 20, 0.1, 2.0
QUIET, VERBOSE = {"-q", "--quiet"}, {"-v", "--verbose"}
log = logging.getLogger("r2d2")


def set_loudness(flags: Collection[str]) -> None:
    """Has the command say less (`-q`), or more (`-v`), by the level of r2d2's log."""
    quiet, verbose = (not names.isdisjoint(flags) for names in (QUIET, VERBOSE))
    if quiet and verbose:
        raise UsageError("-q and -v: give one of them")
    log.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)


def is_quiet() -> bool:
    """Whether no text and no progress is wanted: files, JSON, problems and the exit code are."""
    return log.level == logging.WARNING


def is_verbose() -> bool:
    """Whether longer lists and the work of the stages are wanted."""
    return log.level == logging.DEBUG


@contextmanager
def watching() -> Iterator[Progress]:
    """Progress on stderr."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    if is_quiet():
        yield Silence()
        return
    if not sys.stderr.isatty():
        yield LogProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[speed]}"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield BarProgress(bars)


class _Meter:
    """Bytes and rows since the beginning, and their speeds."""

    def __init__(self) -> None:
        self.restart("", 0)

    def restart(self, what: str, total_bytes: int) -> None:
        self.what, self.total_bytes = what, total_bytes
        self.size_bytes = self.rows = self.step_bytes = self.largest_bytes = 0
        self.start = self.last = monotonic()

    def add(self, size_bytes: int, rows: int) -> None:
        # What comes at once was one step.
        together = monotonic() - self.last < STEP_S
        self.last = monotonic()
        self.step_bytes = size_bytes + (self.step_bytes if together else 0)
        self.largest_bytes = max(self.largest_bytes, self.step_bytes)
        self.size_bytes += size_bytes
        self.rows += rows

    def told(self) -> str:
        """The speed, and the time left where enough is done to tell it."""
        seconds = max(monotonic() - self.start, 1e-3)
        speed = f"{human_bytes(self.size_bytes / seconds)}/s, {self.rows / seconds:,.0f} rows/s"
        left = time_left(seconds, self.size_bytes, self.total_bytes, self.largest_bytes)
        return f"{speed}, {left}" if left else speed


def time_left(seconds: float, done: int, total: int, step: int) -> str:
    """About how long it still takes, by the part that is done; "" where that says too little.

    `step` is the largest that was done at once: one like it may be under way, of which nothing is
    known. So at most twice the time that is over is told, or of small steps 19 times.

    >>> time_left(30, 10, 100, 1), time_left(30, 40, 100, 20)
    ('', 'about 50 s left')
    >>> time_left(3000, 1000, 10_000, 5)
    'about 8 h left'
    """
    told_from = min(LATEST, max(EARLIEST, STEPS * step / max(total, 1)))
    if not told_from * total <= done < total or seconds < LEAST_S or not done:
        return ""
    left_s = seconds * (total / done - 1)
    for unit, unit_s in (("h", 3600), ("min", 60)):
        if left_s >= 1.5 * unit_s:
            return f"about {left_s / unit_s:.0f} {unit} left"
    return f"about {max(1, ceil(left_s / 10)) * 10} s left"


class LogProgress:
    """A line every ten seconds."""

    def __init__(self) -> None:
        self._meter = _Meter()
        self._said = 0.0

    def begin(self, what: str, total_bytes: int) -> None:
        """Starts the clock."""
        self._meter.restart(what, total_bytes)
        self._said = monotonic()

    def advance(self, size_bytes: int, rows: int) -> None:
        """Says how far it is, if it is time to."""
        self._meter.add(size_bytes, rows)
        if monotonic() - self._said >= LOG_EVERY_S:
            self._said = monotonic()
            meter = self._meter
            part, whole = human_bytes(meter.size_bytes), human_bytes(meter.total_bytes)
            # Of less, the speed says nothing: the first parts are often the smallest.
            told = f", {meter.told()}" if meter.size_bytes * 100 >= meter.total_bytes else ""
            log.info("%s: %s of %s%s", meter.what, part, whole, told)

    def end(self) -> None:
        """Says nothing: the result follows."""


class BarProgress:
    """A bar with bytes and rows per second and the time left."""

    def __init__(self, bars: "Bars") -> None:
        self._bars = bars
        self._meter = _Meter()
        self._task = bars.add_task("listing", total=None, speed="")

    def begin(self, what: str, total_bytes: int) -> None:
        """Shows a new bar in the old one's place."""
        self._meter.restart(what, total_bytes)
        self._bars.reset(self._task, description=what, total=max(total_bytes, 1), speed="")

    def advance(self, size_bytes: int, rows: int) -> None:
        """Moves the bar."""
        self._meter.add(size_bytes, rows)
        self._bars.update(self._task, advance=size_bytes, speed=self._meter.told())

    def end(self) -> None:
        """Fills the bar."""
        self._bars.update(self._task, completed=max(self._meter.total_bytes, 1))


Result = TypeVar("Result")


def interruptibly(work: Callable[[], Result]) -> Result:
    """Runs `work` in a thread that a signal leaves behind; returns or raises what it does.

    The main thread only waits, so that a signal reaches it whatever the work is doing
    (`storage/scratch.py` then ends the process). Scratch that a killed run left is removed first.
    """
    # Only here: what a command needs is imported while it runs.
    from r2d2.storage.scratch import remove_leftovers, remove_scratch

    remove_leftovers(Path(gettempdir()))
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread
            errors.append(error)

    thread = threading.Thread(target=run, name="r2d2", daemon=True)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        # Of a caller who has not called `end_on_signals`.
        remove_scratch()
        raise
    if errors:
        raise errors[0]
    return results[0]


def print_lines(lines: Iterable[str]) -> None:
    """Prints lines of text to stdout, whatever names they hold: none steers the terminal."""
    if not is_quiet():
        print_text("".join(printable(line) + "\n" for line in lines))


def print_problem(sentence: str) -> None:
    """Prints a sentence about the command's own course to stderr."""
    sys.stderr.write(f"r2d2: {printable(sentence)}\n")


def print_warning(sentence: str) -> None:
    """Prints a sentence to stderr on what was asked for in vain; the command goes on."""
    print_problem(f"warning: {sentence}")


def print_text(output: str) -> None:
    """Prints to stdout as it is, whatever its encoding."""
    try:
        sys.stdout.buffer.write(output.encode(errors="replace"))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is left in the buffer would be tried again, and fail again, at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise R2D2Error(f"standard output: cannot be written: {error.strerror}") from error


def print_json(data: object) -> None:
    """Prints data as JSON to stdout, in the same bytes each time."""
    from r2d2.storage.output import json_text

    print_text(json_for_terminal(json_text(data)))


def json_for_terminal(text: str) -> str:
    """The same JSON, with escapes for what would steer a terminal.

    >>> json_for_terminal('["a\\x9b\\u202e"]')
    '["a\\\\u009b\\\\u202e"]'
    """
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else _escaped(line) for line in lines)


def _escaped(line: str) -> str:
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)
