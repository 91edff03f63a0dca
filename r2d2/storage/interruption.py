"""The end by Ctrl-C or SIGTERM: at once, but never within a switch of files.

The process ends from the signal's handler: an exception could be swallowed by whatever runs just
then, and work in other threads would hold it up.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from r2d2.errors import EXIT_INTERRUPTED, EXIT_TERMINATED

_EXIT_CODES = {signal.SIGINT: EXIT_INTERRUPTED, signal.SIGTERM: EXIT_TERMINATED}
_LOCK = threading.Lock()
_cleanings: list[Callable[[], None]] = []
_switches: list[int] = []
_received: list[int] = []


def end_on_signals() -> None:
    """From now on the two signals end this process, with their exit codes and no traceback."""
    for number in _EXIT_CODES:
        signal.signal(number, _end)


def before_the_end(clean: Callable[[], None]) -> None:
    """Lets `clean` run when a signal ends the process."""
    _cleanings.append(clean)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A signal that comes within ends the process only afterwards."""
    _switches.append(1)
    try:
        yield
    finally:
        _switches.pop()
        if _received and not _switches:
            _finish(_received[0])


def _end(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    if not _switches:
        _finish(number)


def _finish(number: int) -> None:
    if not _LOCK.acquire(blocking=False):
        return
    for clean in _cleanings:
        clean()
    name = "interrupted" if number == signal.SIGINT else "terminated"
    os.write(2, f"r2d2: {name}\n".encode())
    os._exit(_EXIT_CODES[signal.Signals(number)])
